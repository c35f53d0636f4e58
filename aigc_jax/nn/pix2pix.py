"""The networks of pix2pix (Isola et al. 2017, arXiv:1611.07004, section 3.2 and appendix 6.1).

The generator is a U-Net: what is halved on the way down is concatenated on the way up. Its noise is dropout, in
training and in sampling alike. The discriminator is a PatchGAN: each of its outputs judges a patch, of 70 × 70 pixels
with three halvings.

Both hold a network for each field that an image may be of, and a call names the field. So two generators that are
trained by one loss are one module.

Normalisation is over the pixels of one image, which is what the paper's batch normalisation is in its batches of one
image. Weights begin as N(0, 0.02).
"""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from aigc_jax.errors import Unfit
from aigc_jax.nn.layers.dropout import Dropout
from aigc_jax.nn.layers.fit import check_halvings
from aigc_jax.nn.layers.instance import InstanceNorm
from aigc_jax.nn.layers.strided import Double, Halve
from aigc_jax.ranges import Count, Part, Size

SLOPE = 0.2  # of the leaky ReLU below zero
WIDEST = 8  # times `channels`
NOISY = 3  # steps on the way up, the coarsest first, that have dropout
SMALLEST = 3  # pixels of a side that the two last convolutions of a PatchGAN take

weights = nn.initializers.normal(0.02)


class UNet(nn.Module):
    """An image -> an image of as many pixels."""

    features: Size  # channels of the image that is made
    channels: Size
    levels: Size
    skips: bool
    dropout: Part
    dtype: Any

    @nn.compact
    def __call__(self, image: jax.Array, noisy: bool) -> jax.Array:
        """[B, H, W, C] -> float32 [B, H, W, features] in (-1, 1). noisy: with dropout."""
        check_halvings("levels", self.levels, image.shape[1:], self.levels)
        widths = [self.channels * min(2**level, WIDEST) for level in range(self.levels)]
        x, below = image, []
        for level, width in enumerate(widths):
            outer, inner = level == 0, level == self.levels - 1  # neither is normalised
            x = x if outer else nn.leaky_relu(x, SLOPE)
            x = Halve(width, bias=outer or inner, init=weights, dtype=self.dtype)(x)
            x = x if outer or inner else InstanceNorm(dtype=self.dtype)(x)
            below.append(x)
        below.pop()
        for step, width in enumerate(widths[-2::-1]):
            x = Double(width, bias=False, init=weights, dtype=self.dtype)(nn.relu(x))
            x = InstanceNorm(dtype=self.dtype)(x)
            x = Dropout(self.dropout)(x, noisy) if step < NOISY else x
            x = jnp.concatenate([x, below.pop()], axis=-1) if self.skips else x
        x = Double(self.features, bias=True, init=weights, dtype=self.dtype)(nn.relu(x))
        return jnp.tanh(x).astype(jnp.float32)


class Generator(nn.Module):
    """An image of one field -> the image of another: a U-Net for each field that it makes.

    The paper's, for images of 256 × 256: channels 64, levels 8, skips, dropout 0.5. Without skips it is the
    encoder-decoder of section 3.2.1, and of DiscoGAN (Kim et al. 2017, arXiv:1703.05192, section 3.1).
    """

    shape: tuple[Size, Size, Size]  # of the image that is made
    channels: Size  # of the finest grid; the others have twice as many at each halving, up to 8 times
    levels: Size  # halvings
    skips: bool  # concatenate what is halved on the way down to what is doubled on the way up
    dropout: Part  # share of the values that are zeroed in the three coarsest steps on the way up
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, image: jax.Array, to: str, noisy: bool = False) -> jax.Array:
        """[B, H, W, C] -> float32 [B, *shape] in (-1, 1). to: the field of what is made. noisy: with dropout."""
        net = UNet(self.shape[-1], self.channels, self.levels, self.skips, self.dropout, self.dtype, name=to)
        return net(image, noisy)


class PatchGAN(nn.Module):
    """An image -> an output for each patch of it."""

    channels: Size
    layers: Count
    dtype: Any

    @nn.compact
    def __call__(self, image: jax.Array) -> jax.Array:
        """[B, H, W, C] -> float32 [B, H / 2^layers - 2, W / 2^layers - 2]."""
        check_halvings("layers", self.layers, image.shape[1:], self.layers)
        if min(image.shape[1:3]) >> self.layers < SMALLEST:
            height, width = image.shape[1:3]
            raise Unfit("layers", self.layers, f"leaves less than {SMALLEST} pixels of {height} × {width}: take fewer")
        x = image
        for layer in range(self.layers):
            x = Halve(self._width(layer), bias=layer == 0, init=weights, dtype=self.dtype)(x)
            x = nn.leaky_relu(InstanceNorm(dtype=self.dtype)(x) if layer else x, SLOPE)
        x = self._conv(self._width(self.layers), use_bias=False)(x)
        x = nn.leaky_relu(InstanceNorm(dtype=self.dtype)(x), SLOPE)
        return self._conv(1, use_bias=True)(x)[..., 0].astype(jnp.float32)

    def _width(self, layer: int) -> int:
        return self.channels * min(2**layer, WIDEST)

    def _conv(self, features: int, use_bias: bool) -> nn.Conv:
        return nn.Conv(features, (4, 4), padding=1, use_bias=use_bias, kernel_init=weights, dtype=self.dtype)


class Discriminator(nn.Module):
    """An image, or a pair of images -> an output for each patch: a PatchGAN for each field.

    The paper's and CycleGAN's: channels 64, layers 3, which see patches of 70 × 70 pixels.
    """

    channels: Size  # after the first halving; twice as many after each other layer, up to 8 times
    layers: Count  # halvings; a patch has 9 × 2^layers - 2 pixels a side
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, image: jax.Array, of: str, beside: jax.Array | None = None) -> jax.Array:
        """[B, H, W, C] -> float32 [B, h, w]. of: the image's field. beside: the other image of a pair."""
        pair = image if beside is None else jnp.concatenate([beside, image], axis=-1)
        return PatchGAN(self.channels, self.layers, self.dtype, name=of)(pair)
