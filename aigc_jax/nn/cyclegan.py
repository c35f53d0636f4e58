"""The generator of CycleGAN (Zhu et al. 2017, arXiv:1703.10593, section 4 and appendix 7.2; Johnson et al. 2016).

Two halvings, residual blocks, two doublings; instance normalisation after every convolution but the last. Borders are
reflected. Its discriminator is `pix2pix.Discriminator`.

A doubling is the fractionally strided convolution 3 × 3 of the paper, which is the 4 × 4 of `ops.kernels.strided` with
zeros in the last row and column; likewise a halving.
"""

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from aigc_jax.nn.layers.fit import check_halvings
from aigc_jax.nn.layers.instance import InstanceNorm
from aigc_jax.ops.kernels.convolution import convolve
from aigc_jax.ops.kernels.strided import double, halve
from aigc_jax.ranges import Count, Size

HALVINGS = 2
TAPS = 7  # of the first and the last convolution

weights = nn.initializers.normal(0.02)


def _reflected(x: jax.Array, border: int) -> jax.Array:
    return jnp.pad(x, ((0, 0), (border, border), (border, border), (0, 0)), mode="reflect")


class Strided(nn.Module):
    """A convolution 3 × 3 that halves an image, or the transposed one that doubles it, without bias."""

    features: Size
    by: Callable[[jax.Array, jax.Array], jax.Array]  # `halve` or `double`
    dtype: Any

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        channels = (x.shape[-1], self.features) if self.by is halve else (self.features, x.shape[-1])
        kernel = self.param("kernel", weights, (3, 3, *channels)).astype(self.dtype)
        return self.by(x.astype(self.dtype), jnp.pad(kernel, ((0, 1), (0, 1), (0, 0), (0, 0))))


class Block(nn.Module):
    """x + f(x), where f is two convolutions, normalised."""

    dtype: Any

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        h = nn.relu(InstanceNorm(dtype=self.dtype)(self._convolved(x, "first")))
        return x + InstanceNorm(dtype=self.dtype)(self._convolved(h, "second"))

    def _convolved(self, x: jax.Array, name: str) -> jax.Array:
        kernel = self.param(name, weights, (3, 3, x.shape[-1], x.shape[-1])).astype(self.dtype)
        return convolve(_reflected(x.astype(self.dtype), 1), kernel)[:, 1:-1, 1:-1]


class ResNet(nn.Module):
    """An image -> an image of as many pixels."""

    features: Size  # channels of the image that is made
    channels: Size
    blocks: Count
    dtype: Any

    @nn.compact
    def __call__(self, image: jax.Array) -> jax.Array:
        """[B, H, W, C] -> float32 [B, H, W, features] in (-1, 1)."""
        check_halvings("channels", self.channels, image.shape[1:], HALVINGS)
        x = self._ends(self.channels, use_bias=False)(_reflected(image, TAPS // 2))
        x = nn.relu(InstanceNorm(dtype=self.dtype)(x))
        for level in range(1, HALVINGS + 1):
            x = self._strided(x, self.channels << level, halve)
        for _ in range(self.blocks):
            x = Block(self.dtype)(x)
        for level in reversed(range(HALVINGS)):
            x = self._strided(x, self.channels << level, double)
        x = self._ends(self.features, use_bias=True)(_reflected(x, TAPS // 2))
        return jnp.tanh(x).astype(jnp.float32)

    def _ends(self, features: int, use_bias: bool) -> nn.Conv:
        taps = (TAPS, TAPS)
        return nn.Conv(features, taps, padding="VALID", use_bias=use_bias, kernel_init=weights, dtype=self.dtype)

    def _strided(self, x: jax.Array, features: int, by: Callable[[jax.Array, jax.Array], jax.Array]) -> jax.Array:
        return nn.relu(InstanceNorm(dtype=self.dtype)(Strided(features, by, self.dtype)(x)))


class Generator(nn.Module):
    """An image of one field -> an image of another: a ResNet for each field that it makes.

    The paper's: channels 64, with 6 blocks for images of 128 × 128 and 9 for larger ones.
    """

    shape: tuple[Size, Size, Size]  # of the image that is made
    channels: Size  # of the finest grid; the blocks have four times as many
    blocks: Count  # residual ones
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, image: jax.Array, to: str, noisy: bool = False) -> jax.Array:
        """[B, H, W, C] -> float32 [B, *shape] in (-1, 1). to: the field of what is made. It has no noise."""
        return ResNet(self.shape[-1], self.channels, self.blocks, self.dtype, name=to)(image)
