"""StyleGAN2 (Karras et al. 2020, arXiv:1912.04958), as its successor has it (ADA, 2020, arXiv:2006.06676).

A mapping network makes a style w of the noise. The styles scale the weights of every convolution of the synthesis,
which begins with a constant grid and doubles it; each resolution adds an image of its own to the one before (output
skips, section 4.1). The discriminator has residual connections. Images may have any sides that can be halved often
enough.
"""

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp

from aigc_jax.nn.layers.equalised import Conv, Dense, activate
from aigc_jax.nn.layers.fit import check_halvings
from aigc_jax.nn.layers.labels import ReadsLabels
from aigc_jax.nn.layers.minibatch_deviation import minibatch_deviation
from aigc_jax.nn.layers.modulated import ModulatedConv
from aigc_jax.ops import batch
from aigc_jax.ops.resample import up
from aigc_jax.ranges import Count, Share, Size

EPSILON = 1e-8
SLOW = 0.01  # multiplier of the mapping network's learning rate
KEPT = 0.995  # of the mean of w, an update


def widths(channels: int, most: int, halvings: int) -> list[int]:
    """Channels of the grids, the finest first: twice as many for each halving, up to `most`."""
    return [min(channels * 2**i, most) for i in range(halvings + 1)]


def unit(x: jax.Array) -> jax.Array:
    """Each row divided by the root of its mean square. [B, d] -> the same shape."""
    return x * jax.lax.rsqrt(jnp.mean(x**2, axis=-1, keepdims=True) + EPSILON)


class MappingNetwork(nn.Module):
    """Noise, a label or both -> w."""

    width: Size
    depth: Count
    label_classes: Count
    dtype: Any

    @nn.compact
    def __call__(self, noise: jax.Array | None, given: Mapping[str, jax.Array] | None) -> jax.Array:
        """noise: [B, latent], given: "label", int [B], where it reads that -> float32 [B, width]."""
        parts = [] if noise is None else [unit(noise)]
        if self.label_classes:
            label = jax.nn.one_hot((given or {})["label"], self.label_classes)
            parts.append(unit(Dense(self.width, name="label")(label)))
        x = jnp.concatenate(parts, axis=-1)
        for i in range(self.depth):
            x = activate(Dense(self.width, multiplier=SLOW, dtype=self.dtype, name=f"layer_{i}")(x))
        return x.astype(jnp.float32)


class Layer(nn.Module):
    """A modulated convolution, noise of a learned strength, a bias and the activation."""

    features: Size
    number: Count  # of this layer: its pattern of noise
    twice: bool
    dtype: Any

    @nn.compact
    def __call__(self, x: jax.Array, style: jax.Array, train: bool) -> jax.Array:
        """x: [B, H, W, I], style: [B, d] -> [B, H, W, features], or twice the resolution."""
        x = ModulatedConv(self.features, twice=self.twice, dtype=self.dtype, name="conv")(x, style)
        if train:
            noise = batch.draw(jax.random.normal, self.make_rng("dropout"), (*x.shape[:3], 1))
        else:
            noise = jax.random.normal(jax.random.key(self.number), (1, *x.shape[1:3], 1))
        strength = self.param("noise", nn.initializers.zeros, ())
        bias = self.param("bias", nn.initializers.zeros, (self.features,))
        return activate(x + (strength * noise).astype(self.dtype) + bias.astype(self.dtype))


class Synthesis(nn.Module):
    """Styles -> image."""

    shape: tuple[Size, Size, Size]
    widths: tuple[Size, ...]  # channels of the grids, the coarsest first
    dtype: Any

    @nn.compact
    def __call__(self, w: jax.Array, train: bool) -> jax.Array:
        """w: [B, 2 grids, d] -> float32 [B, H, W, C]. A grid's image has the style of the layer that follows it."""
        height, width, colours = self.shape
        halvings = len(self.widths) - 1
        grid = height >> halvings, width >> halvings, self.widths[0]
        x = jnp.broadcast_to(self.param("constant", nn.initializers.normal(1), grid), (w.shape[0], *grid))
        image = jnp.zeros(())
        for i, features in enumerate(self.widths):
            if i:
                x = Layer(features, 2 * i - 1, True, self.dtype, name=f"double_{i}")(x, w[:, 2 * i - 1], train)
            x = Layer(features, 2 * i, False, self.dtype, name=f"layer_{i}")(x, w[:, 2 * i], train)
            to_colours = ModulatedConv(colours, 1, demodulate=False, dtype=self.dtype, name=f"image_{i}")
            own = to_colours(x, w[:, 2 * i + 1]).astype(jnp.float32)
            own = own + self.param(f"bias_{i}", nn.initializers.zeros, (colours,))
            image = up(image) + own if i else own
        return image


class Generator(ReadsLabels, nn.Module):
    """Noise -> image, which is not bounded by a function: it learns to stay in (-1, 1).

    `style` and `render` are its two halves. The mean of w, for truncation, is the collection "styles": it moves with
    every batch in training.
    """

    latent_kernels: ClassVar[str] = r"synthesis/.*style/kernel$"

    shape: tuple[Size, Size, Size]  # of an image
    channels: Size  # of the finest grid, twice as many for each halving: the dial of the size
    most: Size  # channels of any grid
    halvings: Count  # of an image's sides, down to the coarsest grid
    width: Size  # of w and of the mapping network
    depth: Size  # layers of the mapping network
    mixing: Share  # of the images in training whose later layers have the style of other noise (2019, arXiv:1812.04948)
    label_classes: Count  # of the labels that it reads; 0 = it reads none
    dtype: Any = jnp.float32

    @property
    def layers(self) -> int:
        """L, the number of layers that have a style of their own."""
        return 2 * self.halvings + 2

    def setup(self) -> None:
        check_halvings("halvings", self.halvings, self.shape, self.halvings)
        self.mapping = MappingNetwork(self.width, self.depth, self.label_classes, self.dtype)
        coarsest_first = tuple(reversed(widths(self.channels, self.most, self.halvings)))
        self.synthesis = Synthesis(self.shape, coarsest_first, self.dtype)
        self.mean = self.variable("styles", "mean", jnp.zeros, (self.width,))

    def __call__(
        self, noise: jax.Array, given: Mapping[str, jax.Array] | None = None, train: bool = False
    ) -> jax.Array:
        """noise: [B, latent] -> float32 [B, H, W, C]. given: "label", int [B], where it reads that."""
        if not train:
            return self.render(self.style(noise, given), given)
        w = self.mapping(noise, given)
        if not self.is_initializing():
            mean = batch.mean(jnp.mean(jax.lax.stop_gradient(w), axis=0))
            self.mean.value = KEPT * self.mean.value + (1 - KEPT) * mean
        w = self._everywhere(w)
        if self.mixing:
            noise_key, first_key, mixed_key = jax.random.split(self.make_rng("dropout"), 3)
            other = self.mapping(batch.draw(jax.random.normal, noise_key, noise.shape), given)
            mixed = batch.draw(jax.random.uniform, mixed_key, noise.shape[:1]) < self.mixing
            first = batch.draw(jax.random.randint, first_key, noise.shape[:1], 1, self.layers)
            second = mixed[:, None] & (jnp.arange(self.layers) >= first[:, None])
            w = jnp.where(second[:, :, None], other[:, None], w)
        return self.synthesis(w, train)

    def style(self, noise: jax.Array, given: Mapping[str, jax.Array] | None = None, psi: Any = 1.0) -> jax.Array:
        """noise: [B, latent] -> w, float32 [B, L, d], at psi times its distance from the mean of w."""
        mean = self.mean.value
        w = mean + psi * (self.mapping(noise, given) - mean)
        return self._everywhere(w)

    def _everywhere(self, w: jax.Array) -> jax.Array:
        """[B, d] -> [B, L, d]"""
        return jnp.broadcast_to(w[:, None], (w.shape[0], self.layers, self.width))

    def render(self, w: jax.Array, given: Mapping[str, jax.Array] | None = None) -> jax.Array:
        """w: [B, L, d] -> float32 [B, H, W, C], with the same noise in each image."""
        return self.synthesis(w, False)


class Discriminator(ReadsLabels, nn.Module):
    """Image -> logit of its being real."""

    channels: Size  # of the finest grid, twice as many for each halving: the dial of the size
    most: Size  # channels of any grid
    halvings: Count  # of an image's sides, down to the coarsest grid
    residual: bool  # with a shortcut beside every halving (section 4.1)
    group: Size  # examples whose deviation is a feature
    label_depth: Count  # layers of the network whose output features are projected on, where it reads labels
    label_classes: Count  # of the labels that it reads; 0 = it reads none
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(
        self, images: jax.Array, given: Mapping[str, jax.Array] | None = None, train: bool = False
    ) -> jax.Array:
        """images: [B, H, W, C] -> float32 [B]. given: "label", int [B], where it reads that."""
        check_halvings("halvings", self.halvings, images.shape[1:], self.halvings)
        finest, *coarser = widths(self.channels, self.most, self.halvings)
        x = activate(Conv(finest, 1, dtype=self.dtype, name="image")(images))
        for i, features in enumerate(coarser):
            y = activate(Conv(x.shape[-1], dtype=self.dtype, name=f"layer_{i}")(x))
            y = activate(Conv(features, half=True, dtype=self.dtype, name=f"half_{i}")(y))
            if self.residual:
                shortcut = Conv(features, 1, half=True, bias=False, dtype=self.dtype, name=f"shortcut_{i}")(x)
                y = (y + shortcut) / math.sqrt(2)
            x = y
        x = activate(Conv(x.shape[-1], dtype=self.dtype, name="last")(minibatch_deviation(x, self.group)))
        x = activate(Dense(x.shape[-1], dtype=self.dtype, name="features")(x.reshape(x.shape[0], -1)))
        if not self.label_classes:
            return Dense(1, name="logit")(x)[:, 0].astype(jnp.float32)
        mapping = MappingNetwork(x.shape[-1], self.label_depth, self.label_classes, self.dtype, name="mapping")
        x = Dense(x.shape[-1], dtype=self.dtype, name="projection")(x).astype(jnp.float32)
        return jnp.sum(x * mapping(None, given), axis=-1) / math.sqrt(x.shape[-1])
