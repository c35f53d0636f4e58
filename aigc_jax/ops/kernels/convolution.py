"""Convolutions 3x3 of stride 1, on one CPU by minimal filtering (Lavin & Gray 2016, arXiv:1509.09308).

Every other device runs XLA's convolution, which is the reference. On a CPU its gradients take three times as long as
itself. Products of tiles need 2.25 times (F(2x2, 3x3)) or 4 times (F(4x4, 3x3)) fewer multiplications, forwards and
backwards.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from aigc_jax.ops.platform import miscounted, single_cpu

LAYOUT = ("NHWC", "HWIO", "NHWC")
CHANNELS = 64  # with fewer, the transforms of tiles cost what the products save

# F(m x m, 3x3): m x m outputs from (m + 2) x (m + 2) inputs, Y = A [(G g Gᵀ) ⊙ (B d Bᵀ)] Aᵀ (eq. 8, where B and A are
# written transposed), by m.
B = {
    2: ((1, 0, -1, 0), (0, 1, 1, 0), (0, -1, 1, 0), (0, 1, 0, -1)),
    4: (
        (4, 0, -5, 0, 1, 0),
        (0, -4, -4, 1, 1, 0),
        (0, 4, -4, -1, 1, 0),
        (0, -2, -1, 2, 1, 0),
        (0, 2, -1, -2, 1, 0),
        (0, 4, 0, -5, 0, 1),
    ),
}
G = {
    2: ((1, 0, 0), (1 / 2, 1 / 2, 1 / 2), (1 / 2, -1 / 2, 1 / 2), (0, 0, 1)),
    4: (
        (1 / 4, 0, 0),
        (-1 / 6, -1 / 6, -1 / 6),
        (-1 / 6, 1 / 6, -1 / 6),
        (1 / 24, 1 / 12, 1 / 6),
        (1 / 24, -1 / 12, 1 / 6),
        (0, 0, 1),
    ),
}
A = {
    2: ((1, 1, 1, 0), (0, 1, -1, -1)),
    4: ((1, 1, 1, 1, 1, 0), (0, 1, -1, 2, -2, 0), (0, 1, 1, 4, 4, 0), (0, 1, -1, 8, -8, 1)),
}


def convolve(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Float [B, H, W, I], [3, 3, I, O] of one dtype -> [B, H, W, O], the border padded with zeros."""
    height, width = x.shape[1:3]
    if single_cpu() and x.dtype == jnp.float32 and min(kernel.shape[2:]) >= CHANNELS and min(height, width) > 4:
        return winograd(x, kernel, 4 if min(height, width) > 8 else 2)
    return spelled_out(x, kernel) if single_cpu() or miscounted() else plain(x, kernel)


def plain(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """`convolve` by XLA."""
    return lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=LAYOUT)


@jax.custom_vjp
def spelled_out(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """`plain`, whose gradients are convolutions in LAYOUT too.

    XLA for CPUs brings what JAX derives into that form at the top of a program alone: in a branch of a conditional the
    kernel's gradient took 30 times as long. Over some meshes it computes a wrong one: see `kernel_gradient`.
    """
    return plain(x, kernel)


def _spelled_back(kept: tuple[jax.Array, jax.Array], y: jax.Array) -> tuple[jax.Array, jax.Array]:
    x, kernel = kept
    return spelled_out(y, kernel[::-1, ::-1].swapaxes(2, 3)), kernel_gradient(x, y, (1, 1))


def kernel_gradient(x: jax.Array, y: jax.Array, border: tuple[int, int], stride: int = 1) -> jax.Array:
    """Of a convolution of x [B, H, W, I] with a border of zeros, from its cotangent y [B, h, w, O] -> [k, k, I, O]."""
    if miscounted():
        return _by_taps(x, y, border, stride)
    by_channel = lax.conv_general_dilated(
        x.transpose(3, 1, 2, 0),
        y.transpose(1, 2, 0, 3),
        (1, 1),
        (border, border),
        rhs_dilation=(stride, stride),
        dimension_numbers=LAYOUT,
    )
    return by_channel.transpose(1, 2, 0, 3)


def _by_taps(x: jax.Array, y: jax.Array, border: tuple[int, int], stride: int) -> jax.Array:
    """`kernel_gradient` as a product of matrices for each of the kernel's k x k taps.

    They are one operation: a mesh lays out its result once, and not tap by tap.
    """
    padded = jnp.pad(x, ((0, 0), border, border, (0, 0)))
    height, width = y.shape[1:3]
    taps = padded.shape[1] - stride * (height - 1)

    def seen(down: int, across: int) -> jax.Array:
        rows = lax.slice_in_dim(padded, down, down + stride * (height - 1) + 1, stride, axis=1)
        return lax.slice_in_dim(rows, across, across + stride * (width - 1) + 1, stride, axis=2)

    inputs = jnp.stack([seen(down, across) for down in range(taps) for across in range(taps)])
    kernel = jnp.einsum("tbhwi,bhwo->tio", inputs, y)
    return kernel.reshape(taps, taps, *kernel.shape[1:])


# Forwards is the function itself, here and below: a gradient of the gradient finds these rules too.
spelled_out.defvjp(lambda x, kernel: (spelled_out(x, kernel), (x, kernel)), _spelled_back)


@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def winograd(x: jax.Array, kernel: jax.Array, tile: int) -> jax.Array:
    """`convolve` by F(tile x tile, 3x3). tile: 2 or 4; with 4, rounding errors are about ten times those of `plain`."""
    return _filter(x, kernel, tile)


def _forward(x: jax.Array, kernel: jax.Array, tile: int) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    return winograd(x, kernel, tile), (x, kernel)


def _backward(tile: int, kept: tuple[jax.Array, jax.Array], cotangent: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The input's gradient is a convolution with the flipped kernel. The kernel's is Gᵀ [V D] G, with the input's tiles
    V = B d Bᵀ, computed again, and the cotangent's D = Aᵀ y A."""
    x, kernel = kept
    return winograd(cotangent, kernel[::-1, ::-1].swapaxes(2, 3), tile), _to_kernel(x, cotangent, tile)


winograd.defvjp(_forward, _backward)


# Each is jitted by itself: convolutions of equal shapes are then traced and lowered once.
@functools.partial(jax.jit, static_argnums=2)
def _to_kernel(x: jax.Array, cotangent: jax.Array, tile: int) -> jax.Array:
    """The kernel's gradient, [3, 3, I, O]."""
    of_x = _tiles(_padded(x, tile), B[tile], tile)
    of_y = _tiles(_padded(cotangent, tile)[:, 1:-1, 1:-1], np.transpose(A[tile]), tile)
    return _squares(_products(of_x, of_y, 1, 1), np.transpose(G[tile]))


@functools.partial(jax.jit, static_argnums=2)
def _filter(x: jax.Array, kernel: jax.Array, tile: int) -> jax.Array:
    rows, height, width, _ = x.shape
    down, across = -(-height // tile), -(-width // tile)
    inputs = _tiles(_padded(x, tile), B[tile], tile)
    weights = _squares(kernel.reshape(9, *kernel.shape[2:]), G[tile])
    weights = weights.reshape(-1, *kernel.shape[2:])
    y = _squares(_products(inputs, weights, 2, 1), A[tile]).reshape(tile, tile, rows, down, across, -1)
    return y.transpose(2, 3, 0, 4, 1, 5).reshape(rows, tile * down, tile * across, -1)[:, :height, :width]


def _padded(x: jax.Array, tile: int) -> jax.Array:
    """Zeros on every side, up to whole tiles."""
    sides = [(1, 1 + -side % tile) for side in x.shape[1:3]]
    # The barrier keeps XLA from padding again in each transform.
    return lax.optimization_barrier(jnp.pad(x, ((0, 0), *sides, (0, 0))))


def _tiles(x: jax.Array, matrix: np.typing.ArrayLike, tile: int) -> jax.Array:
    """matrix · d · matrixᵀ for the squares d of x, `tile` apart: [entries of the product, row by row, tiles, C].

    Channels stay the innermost axis: every sum is then a vectorized loop over slices of x.
    """
    size = np.shape(matrix)[1]

    def along(y: jax.Array, axis: int) -> jax.Array:
        last = y.shape[axis] - size + 1
        return _sums(matrix, [lax.slice_in_dim(y, i, i + last, tile, axis) for i in range(size)])

    entries = along(along(x, 2), 2)  # [row, column, B, down, across, C]: each sum puts its axis in front
    return entries.reshape(-1, np.prod(entries.shape[2:5]), x.shape[-1])


def _squares(entries: jax.Array, matrix: np.typing.ArrayLike) -> jax.Array:
    """matrix · e · matrixᵀ for squares e: [entries of one, row by row, ...] -> [row, column, ...]."""
    size = np.shape(matrix)[1]
    entries = entries.reshape(size, size, *entries.shape[1:])
    half = _sums(matrix, [entries[:, j] for j in range(size)])  # [column, row, ...]
    return _sums(matrix, [half[:, i] for i in range(size)])


def _sums(matrix: np.typing.ArrayLike, terms: list[jax.Array]) -> jax.Array:
    """matrix · terms."""
    # The barrier keeps XLA from computing, and compiling, a sum again wherever it is read.
    return lax.optimization_barrier(jnp.stack([_sum(row, terms) for row in np.asarray(matrix)]))


def _sum(factors: np.ndarray, terms: list[jax.Array]) -> jax.Array:
    """factors · terms, without the thousands of products by 0, 1 or -1 that a network would compile."""
    parts = [
        (factor, term if abs(factor) == 1 else abs(float(factor)) * term)
        for factor, term in zip(factors, terms, strict=True)
        if factor
    ]
    (sign, total), *rest = parts
    total = total if sign > 0 else -total
    for sign, part in rest:
        total = total + part if sign > 0 else total - part
    return total


def _products(x: jax.Array, y: jax.Array, of_x: int, of_y: int) -> jax.Array:
    """Batched matrix products of two stacks, contracted over the axis of_x of x and of_y of y."""
    return lax.dot_general(x, y, (((of_x,), (of_y,)), ((0,), (0,))))
