"""Convolutions 4x4 of stride 2 with weights, that halve an image and double it."""

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from aigc_jax.nn.layers.fit import check_halvings
from aigc_jax.ops.kernels.strided import double, halve
from aigc_jax.ranges import Size

TAPS = 4


def coarsest(image_shape: tuple[int, ...], widths: tuple[int, ...]) -> tuple[int, int]:
    """(height, width) of an image [H, W, C] after as many halvings as `widths`. Raises Unfit where a side is odd."""
    check_halvings("widths", widths, image_shape, len(widths))
    height, width, _ = image_shape
    return height >> len(widths), width >> len(widths)


class Halve(nn.Module):
    """`halve` with weights."""

    features: Size
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

    features: Size
    bias: bool
    init: Callable[..., Any] = nn.initializers.lecun_normal(in_axis=-1, out_axis=-2)
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        kernel = self.param("kernel", self.init, (TAPS, TAPS, self.features, x.shape[-1]))
        x = double(x.astype(self.dtype), kernel.astype(self.dtype))
        return x + self.param("bias", nn.initializers.zeros, (self.features,)).astype(self.dtype) if self.bias else x
