"""Residual blocks and attention of convolutional networks with and without a time.

Ho et al. 2020 (arXiv:2006.11239, appendix B); the options are those of Dhariwal & Nichol 2021 (arXiv:2105.05233,
section 3): several heads, adaptive group normalisation, blocks that resample, and sums that keep their variance.
"""

import math
from typing import Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp

from aigc_jax.nn.layers.convolution import Conv
from aigc_jax.nn.layers.dropout import Dropout
from aigc_jax.ranges import Part, Size

EPSILON = 1e-6  # of the normalization

# Uniform with variance 1 / mean(fan in, fan out); the last layer of every residual branch starts at zero.
GLOROT = nn.initializers.variance_scaling(1.0, "fan_avg", "uniform")
ZERO = nn.initializers.zeros_init()


class ResBlock(nn.Module):
    """x + f(x, time), where f is twice normalization, swish and a convolution; time is read between.

    modulation: time scales and shifts what the second normalization gives, and is not added before it.
    resample: x and the input of the first convolution change their size. rescale: the sum is divided by √2.
    """

    channels: Size
    dropout: Part
    groups: Size
    dtype: Any
    modulation: bool = False
    resample: Literal["", "half", "double"] = ""
    rescale: bool = False
    epsilon: float = EPSILON

    @nn.compact
    def __call__(self, x: jax.Array, time: jax.Array | None, train: bool) -> jax.Array:
        """x: [B, H, W, C], time: [B, E], or None for a block that reads none -> [B, H, W, channels], resampled."""
        common = dict(epsilon=self.epsilon, dtype=self.dtype)
        h = nn.swish(nn.GroupNorm(self.groups, **common)(x))
        if self.resample:
            x, h = (half(y) if self.resample == "half" else double(y) for y in (x, h))
        h = Conv(self.channels, kernel_init=GLOROT, dtype=self.dtype)(h)
        scale = None
        if time is not None:
            read = nn.Dense((1 + self.modulation) * self.channels, kernel_init=GLOROT, dtype=self.dtype)
            shift = read(nn.swish(time))[:, None, None]
            if self.modulation:
                scale, shift = jnp.split(shift, 2, axis=-1)
            else:
                h += shift
        h = nn.GroupNorm(self.groups, **common)(h)
        if scale is not None:
            h = h * (1 + scale) + shift
        h = Dropout(self.dropout)(nn.swish(h), train)
        h = Conv(self.channels, kernel_init=ZERO, dtype=self.dtype)(h)
        if x.shape[-1] != self.channels:
            x = nn.Dense(self.channels, kernel_init=GLOROT, dtype=self.dtype, name="shortcut")(x)
        return _sum(x, h, self.rescale)


class Attention(nn.Module):
    """x + self-attention over all positions. rescale: the sum is divided by √2."""

    groups: Size
    dtype: Any
    head_width: int = 0  # channels of a head; 0 = one head of all
    rescale: bool = False
    epsilon: float = EPSILON

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """x: [B, H, W, C] -> the same shape."""
        rows, height, width, channels = x.shape
        h = nn.GroupNorm(self.groups, epsilon=self.epsilon, dtype=self.dtype)(x)
        h = h.reshape(rows, height * width, 1, channels)
        query, key, value = (
            nn.Dense(channels, kernel_init=GLOROT, dtype=self.dtype, name=name)(h).reshape(
                rows, height * width, -1, self.head_width or channels
            )
            for name in ("query", "key", "value")
        )
        h = jax.nn.dot_product_attention(query, key, value).reshape(x.shape)
        return _sum(x, nn.Dense(channels, kernel_init=ZERO, dtype=self.dtype, name="out")(h), self.rescale)


def half(x: jax.Array) -> jax.Array:
    """The means of squares of four: [B, H, W, C] -> [B, H / 2, W / 2, C]."""
    return nn.avg_pool(x, (2, 2), (2, 2))


def double(x: jax.Array) -> jax.Array:
    """Every value four times: [B, H, W, C] -> [B, 2 H, 2 W, C]."""
    return x.repeat(2, axis=1).repeat(2, axis=2)


def _sum(x: jax.Array, h: jax.Array, rescale: bool) -> jax.Array:
    return (x + h) / math.sqrt(2) if rescale else x + h
