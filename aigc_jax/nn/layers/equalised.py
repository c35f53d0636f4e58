"""Layers with an equalised learning rate (Karras et al. 2018, arXiv:1710.10196, section 4.1).

Weights begin as N(0, 1) and are scaled where they are used, by 1 / sqrt(inputs of a value) (He et al. 2015). Adam moves
all of them at one speed then, however many there are. With a multiplier m of the learning rate they are stored 1 / m
times as large, and used m times as large: a step of Adam moves them m times as far.
"""

import math
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from aigc_jax.ops.kernels.convolution import convolve
from aigc_jax.ops.resample import convolve_down, down
from aigc_jax.ranges import Size

SLOPE = 0.2  # of the leaky ReLU below zero


def activate(x: jax.Array) -> jax.Array:
    """The leaky ReLU times sqrt(2), which keeps the second moment of N(0, 1) nearly as it was."""
    return math.sqrt(2) * nn.leaky_relu(x, SLOPE)


class Dense(nn.Module):
    """A product with a matrix, and a bias."""

    features: Size
    bias: float = 0.0  # that it begins with
    multiplier: float = 1.0  # of the learning rate
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """x: [B, I] -> [B, features], in `dtype`."""
        spread = nn.initializers.normal(1 / self.multiplier)
        kernel = self.param("kernel", spread, (x.shape[-1], self.features)) * (self.multiplier / math.sqrt(x.shape[-1]))
        bias = self.param("bias", nn.initializers.constant(self.bias / self.multiplier), (self.features,))
        return x.astype(self.dtype) @ kernel.astype(self.dtype) + (self.multiplier * bias).astype(self.dtype)


class Conv(nn.Module):
    """A convolution 1x1 or 3x3, also to half the resolution by `ops.resample`."""

    features: Size
    size: Size = 3  # 1 or 3
    half: bool = False
    bias: bool = True
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """x: [B, H, W, I] -> [B, H, W, features] or [B, H/2, W/2, features], in `dtype`."""
        kernel = equalised_kernel(self, self.size, x.shape[-1], self.features).astype(self.dtype)
        x = x.astype(self.dtype)
        if self.size == 1:
            y = (down(x) if self.half else x) @ kernel[0, 0]
        else:
            y = (convolve_down if self.half else convolve)(x, kernel)
        return y + self.param("bias", nn.initializers.zeros, (self.features,)).astype(self.dtype) if self.bias else y


def equalised_kernel(module: nn.Module, size: int, inputs: int, features: int) -> jax.Array:
    """The module's parameter "kernel", N(0, 1) at first, scaled for use: float32 [size, size, inputs, features]."""
    kernel = module.param("kernel", nn.initializers.normal(1), (size, size, inputs, features))
    return kernel / math.sqrt(size * size * inputs)
