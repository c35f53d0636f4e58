"""Convolutions 4x4 of stride 2 that halve an image, and the transposed ones that double it.

Each is the other's adjoint, <double(x, k), y> = <x, halve(y, k)>, and so the other's gradient. What JAX derives has the
same values. Of `double` it is a convolution with a window as large as the image, about eight times slower on CPUs.
"""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
from jax import lax

from aigc_jax.ops.kernels.convolution import LAYOUT, kernel_gradient
from aigc_jax.ops.platform import miscounted, single_cpu

FEW = 4  # channels of the finer image up to which a product is faster than a convolution on CPUs


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def halve(x: jax.Array, kernel: jax.Array, bordered: bool = False) -> jax.Array:
    """[B, 2H, 2W, I], [4, 4, I, O] -> [B, H, W, O]; one row and column of zeros on each side.

    bordered: x has that row and column itself, of any values: [B, 2H + 2, 2W + 2, I].
    """
    return _halve(x, kernel, bordered)


def _halve(x: jax.Array, kernel: jax.Array, bordered: bool) -> jax.Array:
    border = (0, 0) if bordered else (1, 1)
    return lax.conv_general_dilated(x, kernel, (2, 2), (border, border), dimension_numbers=LAYOUT)


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def double(x: jax.Array, kernel: jax.Array, bordered: bool = False) -> jax.Array:
    """[B, H, W, I], [4, 4, O, I] -> [B, 2H, 2W, O]: <double(x, k), y> = <x, halve(y, k)>.

    bordered: with the row and column on each side, [B, 2H + 2, 2W + 2, O].
    """
    if single_cpu() and x.dtype == jnp.float32:
        return (overlapped if kernel.shape[2] <= FEW else in_phases)(x, kernel, bordered)
    border = (3, 3) if bordered else (2, 2)
    return lax.conv_transpose(x, kernel, (2, 2), (border, border), dimension_numbers=LAYOUT, transpose_kernel=True)


def in_phases(x: jax.Array, kernel: jax.Array, bordered: bool = False) -> jax.Array:
    """`double` as a 2x2 convolution to four phases, the pixels of a 2x2 square (Shi et al. 2016, arXiv:1609.07009).

    XLA for CPUs runs it on all cores, and a convolution with zeros between pixels on one.
    """
    taps = kernel.reshape(2, 2, 2, 2, *kernel.shape[2:])[::-1, :, ::-1]  # 4 = 2 squares of 2, down and across
    taps = taps.transpose(0, 2, 5, 1, 3, 4).reshape(2, 2, x.shape[-1], -1)
    return _image(lax.conv_general_dilated(x, taps, (1, 1), ((1, 1), (1, 1)), dimension_numbers=LAYOUT), bordered)


def overlapped(x: jax.Array, kernel: jax.Array, bordered: bool = False) -> jax.Array:
    """`double` as one product to a 4x4 square for each pixel, and the sum of the squares where they overlap."""
    rows, height, width, channels = x.shape
    squares = x.reshape(-1, channels) @ kernel.reshape(-1, channels).T
    squares = squares.reshape(rows, height, width, 2, 2, 2, 2, -1)

    def at(down: int, across: int) -> jax.Array:
        borders = (0, 0), (down, 1 - down), (across, 1 - across), (0, 0), (0, 0), (0, 0)
        return jnp.pad(squares[:, :, :, down, :, across], borders)

    return _image(at(0, 0) + at(0, 1) + at(1, 0) + at(1, 1), bordered)


def _image(squares: jax.Array, bordered: bool) -> jax.Array:
    """[B, H + 1, W + 1, 2, 2, O] or [B, H + 1, W + 1, 4 O] -> the pixels of squares, as `double` gives them."""
    rows, down, across = squares.shape[:3]
    pixels = squares.reshape(rows, down, across, 2, 2, -1).transpose(0, 1, 3, 2, 4, 5)
    pixels = pixels.reshape(rows, 2 * down, 2 * across, -1)
    return pixels if bordered else pixels[:, 1:-1, 1:-1]


def _to_kernel(fine: jax.Array, coarse: jax.Array, kernel: jax.Array, bordered: bool) -> jax.Array:
    """The gradient of <halve(fine, kernel), coarse> = <fine, double(coarse, kernel)> to the kernel."""
    if single_cpu() or miscounted():
        return kernel_gradient(fine, coarse, (0, 0) if bordered else (1, 1), stride=2)
    return jax.linear_transpose(lambda k: _halve(fine, k, bordered), kernel)(coarse)[0]


def _kept(
    of: Callable[..., jax.Array], x: jax.Array, kernel: jax.Array, bordered: bool
) -> tuple[jax.Array, tuple[jax.Array, ...]]:
    return of(x, kernel, bordered), (x, kernel)


def _from_halved(bordered: bool, kept: tuple[jax.Array, ...], y: jax.Array) -> tuple[jax.Array, jax.Array]:
    x, kernel = kept
    return double(y, kernel, bordered), _to_kernel(x, y, kernel, bordered)


def _from_doubled(bordered: bool, kept: tuple[jax.Array, ...], y: jax.Array) -> tuple[jax.Array, jax.Array]:
    x, kernel = kept
    return halve(y, kernel, bordered), _to_kernel(y, x, kernel, bordered)


halve.defvjp(partial(_kept, halve), _from_halved)
double.defvjp(partial(_kept, double), _from_doubled)
