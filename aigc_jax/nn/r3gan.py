"""The networks of R3GAN (Huang et al. 2024, arXiv:2501.05441, section 4, configuration E): a modernised ResNet without
normalisation.

A stage keeps the image's size and has a few blocks; between stages bilinear resampling, and a convolution 1x1 where
the channels change. A block is an inverted bottleneck with grouped convolutions (after Xie et al. 2017, ResNeXt):

    x + W3 f(W2 f(W1 x)),    W1: 1x1, to twice the channels; W2: 3x3 in groups; W3: 1x1, back; f: bias, leaky ReLU

Fix-up initialisation (Zhang et al. 2019, arXiv:1901.09321) stands in for normalisation: W3 is 0 at first, so that a
network of L blocks begins as its resampling alone, and W1 and W2 are smaller by L^(-1/4). Calls are those of `dcgan`.
"""

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp

from aigc_jax.nn.layers.fit import check_divides, check_halvings
from aigc_jax.nn.layers.labels import ReadsLabels
from aigc_jax.ops.kernels.grouped import convolve_groups
from aigc_jax.ops.kernels.matmul import rows_dot
from aigc_jax.ops.resample import down, up
from aigc_jax.ranges import Amount, Count, Size, Sizes

Given = Mapping[str, jax.Array]

EXPANSION = 2  # of channels within a block
SLOPE = 0.2  # of the leaky ReLU below zero
GAIN = math.sqrt(2 / (1 + SLOPE**2))  # of weights before it: the variance stays (He et al. 2015)
EMBEDDED = 64  # numbers that a label becomes


def normal(gain: float = 1.0) -> Any:
    """Weights from N(0, gain² / inputs)."""
    return nn.initializers.variance_scaling(gain**2, "fan_in", "normal") if gain else nn.initializers.zeros


def dense(features: int, dtype: Any, gain: float = 1.0, bias: bool = False, name: str | None = None) -> nn.Dense:
    """Of vectors, or of an image's pixels: a convolution 1x1."""
    return nn.Dense(features, use_bias=bias, kernel_init=normal(gain), dtype=dtype, dot_general=rows_dot, name=name)


class Grouped(nn.Module):
    """A convolution 3x3 in groups of channels, and a bias."""

    group: Size  # channels of one
    gain: Amount
    dtype: Any

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        kernel = self.param("kernel", normal(self.gain), (3, 3, self.group, x.shape[-1]))
        bias = self.param("bias", nn.initializers.zeros, x.shape[-1:])
        return convolve_groups(x.astype(self.dtype), kernel.astype(self.dtype)) + bias.astype(self.dtype)


class Block(nn.Module):
    """x + W3 f(W2 f(W1 x))."""

    group: Size
    depth: Size  # blocks of the whole network
    dtype: Any

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        channels = x.shape[-1]
        check_divides("group", self.group, "the channels within a block", EXPANSION * channels)
        gain = GAIN * self.depth ** (-1 / 4)  # L^(-1/(2m - 2)) with m = 3 products
        h = nn.leaky_relu(dense(EXPANSION * channels, self.dtype, gain, bias=True, name="widen")(x), SLOPE)
        h = nn.leaky_relu(Grouped(self.group, gain, self.dtype, name="groups")(h), SLOPE)
        return x + dense(channels, self.dtype, gain=0.0, name="narrow")(h)


class Stages(nn.Module):
    """Blocks at each size, and resampling in between. widths: of the stages, in their order."""

    widths: Sizes
    blocks: Size
    group: Size
    doubles: bool  # or halves
    dtype: Any

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        for i, width in enumerate(self.widths):
            if i and not self.doubles:
                x = down(x)
            if x.shape[-1] != width:  # at the smaller size: it commutes with resampling
                x = dense(width, self.dtype)(x)
            if i and self.doubles:
                x = up(x)
            for _ in range(self.blocks):
                x = Block(self.group, self.blocks * len(self.widths), self.dtype)(x)
        return x


class Generator(ReadsLabels, nn.Module):
    """Noise [B, latent], label -> image float32 [B, H, W, C].

    The image's values are the last convolution's, without a bound: those outside of (-1, 1) are the game's to unlearn.
    """

    latent_kernels: ClassVar[str] = "^latent/kernel"  # those that read the noise
    shape: tuple[Size, Size, Size]  # of an image
    label_classes: Count  # 0 = it reads no label
    channels: Size  # of a multiplier of 1
    multipliers: Sizes  # of channels, a stage each, the coarsest first
    blocks: Size  # of a stage
    group: Size  # channels of a group of the convolutions 3x3
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, noise: jax.Array, given: Given | None = None, train: bool = False) -> jax.Array:
        halvings = len(self.multipliers) - 1
        check_halvings("multipliers", self.multipliers, self.shape, halvings)
        height, width, colours = self.shape
        widths = tuple(self.channels * multiplier for multiplier in self.multipliers)
        if self.label_classes:
            vectors = nn.initializers.normal(self.label_classes**-0.5)  # as of a matrix that a one-hot label is times
            label = nn.Embed(self.label_classes, EMBEDDED, embedding_init=vectors, name="classes")
            noise = jnp.concatenate([noise, label((given or {})["label"])], axis=-1)
        x = dense(widths[0], self.dtype, name="latent")(noise)
        grid = (height >> halvings, width >> halvings, widths[0])
        basis = self.param("basis", nn.initializers.normal(1.0), grid)  # an image for each channel
        x = x[:, None, None] * basis.astype(self.dtype)
        x = Stages(widths, self.blocks, self.group, True, self.dtype, name="stages")(x)
        return dense(colours, self.dtype, name="colours")(x).astype(jnp.float32)


class Discriminator(ReadsLabels, nn.Module):
    """Image, label -> logit of its being real, float32 [B]."""

    label_classes: Count  # 0 = it reads no label
    channels: Size  # of a multiplier of 1
    multipliers: Sizes  # of channels, a stage each, the finest first
    blocks: Size  # of a stage
    group: Size  # channels of a group of the convolutions 3x3
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, images: jax.Array, given: Given | None = None, train: bool = False) -> jax.Array:
        check_halvings("multipliers", self.multipliers, images.shape[1:], len(self.multipliers) - 1)
        widths = tuple(self.channels * multiplier for multiplier in self.multipliers)
        x = dense(widths[0], self.dtype, name="colours")(images)
        x = Stages(widths, self.blocks, self.group, False, self.dtype, name="stages")(x)
        pixels = x.shape[1] * x.shape[2]
        basis = self.param("basis", nn.initializers.normal(pixels**-0.5), x.shape[1:])  # an image for each channel
        x = jnp.sum(x * basis.astype(self.dtype), axis=(1, 2))
        if not self.label_classes:
            return dense(1, self.dtype, name="logit")(x)[:, 0].astype(jnp.float32)
        x = dense(EMBEDDED, self.dtype, name="logit")(x).astype(jnp.float32)
        vectors = nn.initializers.normal((EMBEDDED * self.label_classes) ** -0.5)
        label = nn.Embed(self.label_classes, EMBEDDED, embedding_init=vectors, name="classes")
        return jnp.sum(x * label((given or {})["label"]), axis=-1)
