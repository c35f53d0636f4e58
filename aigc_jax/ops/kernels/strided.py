"""Convolutions 4x4 of stride 2 that halve an image, and the transposed ones that double it.

Each is the other's adjoint, <double(x, k), y> = <x, halve(y, k)>, and so the other's gradient. What JAX derives has the
same values. Of `double` it is a convolution with a window as large as the image, about eight times slower on CPUs.
"""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
from jax import lax

from aigc_jax.ops.kernels.convolution import LAYOUT
from aigc_jax.ops.platform import single_cpu

FEW = 4  # channels of the finer image up to which a product is faster than a convolution on CPUs


@jax.custom_vjp
def halve(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """[B, 2H, 2W, I], [4, 4, I, O] -> [B, H, W, O]; one row and column of zeros on each side."""
    return _halve(x, kernel)


def _halve(x: jax.Array, kernel: jax.Array) -> jax.Array:
    return lax.conv_general_dilated(x, kernel, (2, 2), ((1, 1), (1, 1)), dimension_numbers=LAYOUT)


@jax.custom_vjp
def double(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """[B, H, W, I], [4, 4, O, I] -> [B, 2H, 2W, O]: <double(x, k), y> = <x, halve(y, k)>."""
    if single_cpu() and x.dtype == jnp.float32:
        return overlapped(x, kernel) if kernel.shape[2] <= FEW else in_phases(x, kernel)
    return lax.conv_transpose(x, kernel, (2, 2), ((2, 2), (2, 2)), dimension_numbers=LAYOUT, transpose_kernel=True)


def in_phases(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """`double` as a 2x2 convolution to four phases, the pixels of a 2x2 square (Shi et al. 2016, arXiv:1609.07009).

    XLA for CPUs runs it on all cores, and a convolution with zeros between pixels on one.
    """
    taps = kernel.reshape(2, 2, 2, 2, *kernel.shape[2:])[::-1, :, ::-1]  # 4 = 2 squares of 2, down and across
    taps = taps.transpose(0, 2, 5, 1, 3, 4).reshape(2, 2, x.shape[-1], -1)
    return _image(lax.conv_general_dilated(x, taps, (1, 1), ((1, 1), (1, 1)), dimension_numbers=LAYOUT))


def overlapped(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """`double` as one product to a 4x4 square for each pixel, and the sum of the squares where they overlap."""
    rows, height, width, channels = x.shape
    squares = x.reshape(-1, channels) @ kernel.reshape(-1, channels).T
    squares = squares.reshape(rows, height, width, 2, 2, 2, 2, -1)

    def at(down: int, across: int) -> jax.Array:
        borders = (0, 0), (down, 1 - down), (across, 1 - across), (0, 0), (0, 0), (0, 0)
        return jnp.pad(squares[:, :, :, down, :, across], borders)

    return _image(at(0, 0) + at(0, 1) + at(1, 0) + at(1, 1))


def _image(squares: jax.Array) -> jax.Array:
    """[B, H + 1, W + 1, 2, 2, O] or [B, H + 1, W + 1, 4 O] -> [B, 2H, 2W, O]: pixels of squares, without the border."""
    rows, down, across = squares.shape[:3]
    pixels = squares.reshape(rows, down, across, 2, 2, -1).transpose(0, 1, 3, 2, 4, 5)
    return pixels.reshape(rows, 2 * down, 2 * across, -1)[:, 1:-1, 1:-1]


def _to_kernel(fine: jax.Array, coarse: jax.Array, kernel: jax.Array) -> jax.Array:
    """The gradient of <halve(fine, kernel), coarse> = <fine, double(coarse, kernel)> to the kernel."""
    return jax.linear_transpose(lambda k: _halve(fine, k), kernel)(coarse)[0]


def _kept(of: Callable[..., jax.Array], x: jax.Array, kernel: jax.Array) -> tuple[jax.Array, tuple[jax.Array, ...]]:
    return of(x, kernel), (x, kernel)


halve.defvjp(partial(_kept, halve), lambda kept, y: (double(y, kept[1]), _to_kernel(kept[0], y, kept[1])))
double.defvjp(partial(_kept, double), lambda kept, y: (halve(y, kept[1]), _to_kernel(y, *kept)))
