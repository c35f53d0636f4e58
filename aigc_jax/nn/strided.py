"""Convolutions 4x4 of stride 2 that halve an image, and the transposed ones that double it.

`double` is the adjoint of `halve`, and its gradient is written with `halve`: the one that JAX
derives, a convolution dilated on the left over a window as large as the image, computes the
same numbers about eight times more slowly on CPUs.
"""

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

from aigc_jax.errors import ConfigError

TAPS = 4
LAYOUT = ("NHWC", "HWIO", "NHWC")


def coarsest(image_shape: tuple[int, int, int], halvings: int) -> tuple[int, int]:
    """(height, width) of an image after so many halvings. Raises ConfigError where a side does not divide."""
    height, width, _ = image_shape
    scale = 2**halvings
    if height % scale or width % scale:
        raise ConfigError(f"Images of {height}x{width} cannot be halved {halvings} times: change data.pad.")
    return height // scale, width // scale


def halve(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """[B, 2H, 2W, I], [4, 4, I, O] -> [B, H, W, O]; one row and column of zeros on each side."""
    return lax.conv_general_dilated(x, kernel, (2, 2), ((1, 1), (1, 1)), dimension_numbers=LAYOUT)


@jax.custom_vjp
def double(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """[B, H, W, I], [4, 4, O, I] -> [B, 2H, 2W, O]: <double(x, k), y> = <x, halve(y, k)>."""
    return lax.conv_transpose(x, kernel, (2, 2), ((2, 2), (2, 2)), dimension_numbers=LAYOUT, transpose_kernel=True)


def _double_forward(x: jax.Array, kernel: jax.Array) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    return double(x, kernel), (x, kernel)


def _double_backward(kept: tuple[jax.Array, jax.Array], cotangent: jax.Array) -> tuple[jax.Array, jax.Array]:
    x, kernel = kept
    to_x, to_kernel = jax.vjp(lambda k: halve(cotangent, k), kernel)
    return to_x, to_kernel(x)[0]


double.defvjp(_double_forward, _double_backward)


class Halve(nn.Module):
    """`halve` with weights."""

    features: int
    bias: bool
    init: Callable[..., Any] = nn.initializers.lecun_normal()
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        kernel = self.param("kernel", self.init, (TAPS, TAPS, x.shape[-1], self.features))
        x = halve(x.astype(self.dtype), kernel.astype(self.dtype))
        return x + self.param("bias", nn.initializers.zeros, (self.features,)).astype(self.dtype) if self.bias else x


class Double(nn.Module):
    """`double` with weights."""

    features: int
    bias: bool
    init: Callable[..., Any] = nn.initializers.lecun_normal(in_axis=-1, out_axis=-2)
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        kernel = self.param("kernel", self.init, (TAPS, TAPS, self.features, x.shape[-1]))
        x = double(x.astype(self.dtype), kernel.astype(self.dtype))
        return x + self.param("bias", nn.initializers.zeros, (self.features,)).astype(self.dtype) if self.bias else x
