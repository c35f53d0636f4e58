"""The residual networks of SN-GAN (Miyato et al. 2018, arXiv:1802.05957, appendix B.4, tables 4 to 6; without spectral
normalisation those of Gulrajani et al. 2017, arXiv:1704.00028, appendix F), and what a class adds to them (Miyato &
Koyama 2018, arXiv:1802.05637):

    generator:      each batch normalisation within a block has a scale and a shift of the class's own
    discriminator:  logit = <w, phi(x)> + b + <v_y, phi(x)>,   phi: the last features, summed over the image    (eq. 3)

A convolution 3x3 before a mean of 2x2 pixels, or after each pixel became 2x2, is one 4x4 of stride 2: the same values
by fewer products. Convolutions 1x1 run on the smaller of two images for the same reason. Calls are those of `dcgan`.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp

from aigc_jax.errors import Unfit
from aigc_jax.nn.layers.fit import check_halvings
from aigc_jax.nn.layers.labels import ReadsLabels
from aigc_jax.nn.layers.spectral import Spectral
from aigc_jax.ops import batch
from aigc_jax.ops.kernels.convolution import convolve
from aigc_jax.ops.kernels.strided import double, halve
from aigc_jax.ranges import Amount, Count, Size, Sizes

Given = Mapping[str, jax.Array]

MOMENTUM = 0.9  # of the running statistics
EPSILON = 2e-5  # Chainer's, in which the paper's networks are
HALF: Literal[-1] = -1  # what a convolution does to the image's sides
SAME: Literal[0] = 0
TWICE: Literal[1] = 1


def glorot(scale: float) -> Any:
    """Uniform weights (Glorot & Bengio 2010). scale: of their variance."""
    return nn.initializers.variance_scaling(scale, "fan_avg", "uniform")


class Weighted(nn.Module):
    """A kernel, divided by its spectral norm if so asked."""

    shape: tuple[Size, ...]
    spectral: bool
    scale: Amount = 1.0  # of the first weights' variance

    @nn.compact
    def __call__(self, train: bool) -> jax.Array:
        kernel = self.param("kernel", glorot(self.scale), self.shape)
        return Spectral(name="norm")(kernel, train) if self.spectral else kernel


class Conv(nn.Module):
    """A convolution 3x3 that may halve the image after it, or double it before."""

    features: Size
    resize: Literal[-1, 0, 1]  # HALF, SAME or TWICE
    spectral: bool
    dtype: Any

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        shape = (3, 3, x.shape[-1], self.features)
        kernel = Weighted(shape, self.spectral, scale=2.0, name="weight")(train).astype(self.dtype)
        bias = self.param("bias", nn.initializers.zeros, (self.features,)).astype(self.dtype)
        x = x.astype(self.dtype)
        if self.resize == HALF:
            return halve(x, _overlapped(kernel) / 4) + bias
        if self.resize == TWICE:
            return double(x, _overlapped(kernel[::-1, ::-1]).swapaxes(2, 3)) + bias
        return convolve(x, kernel) + bias


def _overlapped(kernel: jax.Array) -> jax.Array:
    """The sum of a kernel [3, 3, I, O] at the four pixels of a 2x2 square, [4, 4, I, O]."""
    borders = [((down, 1 - down), (across, 1 - across), (0, 0), (0, 0)) for down in (0, 1) for across in (0, 1)]
    return sum((jnp.pad(kernel, each) for each in borders[1:]), jnp.pad(kernel, borders[0]))


class Dense(nn.Module):
    """x [..., I] -> [..., features]: on images a convolution 1x1."""

    features: Size
    spectral: bool
    dtype: Any

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        kernel = Weighted((x.shape[-1], self.features), self.spectral, name="weight")(train)
        bias = self.param("bias", nn.initializers.zeros, (self.features,))
        rows = x.reshape(-1, x.shape[-1]).astype(self.dtype) @ kernel.astype(self.dtype) + bias.astype(self.dtype)
        return rows.reshape(*x.shape[:-1], self.features)


class Norm(nn.Module):
    """Batch normalisation over the batch of all devices, with a scale and a shift, a class's own if there are any."""

    label_classes: Count
    dtype: Any

    @nn.compact
    def __call__(self, x: jax.Array, given: Given | None, train: bool) -> jax.Array:
        x = nn.BatchNorm(
            use_running_average=not train,
            axis_name=batch.axis(),
            momentum=MOMENTUM,
            epsilon=EPSILON,
            use_bias=False,
            use_scale=False,
            dtype=self.dtype,
        )(x)
        shape = (self.label_classes or 1, x.shape[-1])
        scale = self.param("scale", nn.initializers.ones, shape)
        shift = self.param("shift", nn.initializers.zeros, shape)
        row = (given or {})["label"] if self.label_classes else jnp.zeros(x.shape[0], jnp.int32)
        scale, shift = (table[row][:, None, None].astype(self.dtype) for table in (scale, shift))
        return x * scale + shift


def _twice(x: jax.Array) -> jax.Array:
    """Each pixel becomes 2x2."""
    return jnp.repeat(jnp.repeat(x, 2, axis=1), 2, axis=2)


def _mean(x: jax.Array) -> jax.Array:
    """Means of 2x2 pixels."""
    rows, height, width, channels = x.shape
    return x.reshape(rows, height // 2, 2, width // 2, 2, channels).mean((2, 4))


class Doubling(nn.Module):
    """A block of the generator, which doubles the image's sides."""

    features: Size
    label_classes: Count
    dtype: Any

    @nn.compact
    def __call__(self, x: jax.Array, given: Given | None, train: bool) -> jax.Array:
        h = nn.relu(Norm(self.label_classes, self.dtype)(x, given, train))
        h = Conv(self.features, TWICE, False, self.dtype)(h, train)
        h = nn.relu(Norm(self.label_classes, self.dtype)(h, given, train))
        h = Conv(self.features, SAME, False, self.dtype)(h, train)
        return h + _twice(Dense(self.features, False, self.dtype, name="shortcut")(x, train))


class Judging(nn.Module):
    """A block of the discriminator, which may halve the image's sides. first: it reads the image itself."""

    features: Size
    halves: bool
    first: bool
    spectral: bool
    dtype: Any

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        h = x if self.first else nn.relu(x)
        h = nn.relu(Conv(self.features, SAME, self.spectral, self.dtype)(h, train))
        h = Conv(self.features, HALF if self.halves else SAME, self.spectral, self.dtype)(h, train)
        x = _mean(x) if self.halves else x
        if self.halves or x.shape[-1] != self.features:
            x = Dense(self.features, self.spectral, self.dtype, name="shortcut")(x, train)
        return h + x


class Generator(ReadsLabels, nn.Module):
    """Noise [B, latent], label -> image float32 [B, H, W, C] in (-1, 1): a small grid, doubled by each block."""

    latent_kernels: ClassVar[str] = "^grid/weight/kernel"  # those that read the noise
    shape: tuple[Size, Size, Size]  # of an image
    label_classes: Count  # 0 = it reads no label
    channels: Size  # of a multiplier of 1
    multipliers: Sizes  # of channels, a block each, the coarsest first
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, noise: jax.Array, given: Given | None = None, train: bool = False) -> jax.Array:
        height, width, colours = self.shape
        check_halvings("multipliers", self.multipliers, self.shape, len(self.multipliers))
        grid = height >> len(self.multipliers), width >> len(self.multipliers), self.channels * self.multipliers[0]
        x = Dense(grid[0] * grid[1] * grid[2], False, self.dtype, name="grid")(noise, train).reshape(-1, *grid)
        for multiplier in self.multipliers:
            x = Doubling(self.channels * multiplier, self.label_classes, self.dtype)(x, given, train)
        x = nn.relu(Norm(0, self.dtype)(x, None, train))
        return jnp.tanh(Conv(colours, SAME, False, self.dtype, name="colours")(x, train)).astype(jnp.float32)


class Discriminator(ReadsLabels, nn.Module):
    """Image, label -> logit of its being real, float32 [B]."""

    label_classes: Count  # 0 = it reads no label
    channels: Size  # of a multiplier of 1
    multipliers: Sizes  # of channels, a block each, the finest first
    halvings: Count  # blocks, the first ones, that halve the image's sides
    spectral: bool  # whether every kernel is divided by its largest singular value
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, images: jax.Array, given: Given | None = None, train: bool = False) -> jax.Array:
        blocks = len(self.multipliers)
        if self.halvings > blocks:
            raise Unfit("halvings", self.halvings, f"there are {blocks} blocks, one for each of its multipliers")
        check_halvings("halvings", self.halvings, images.shape[1:], self.halvings)
        x = images
        for i, multiplier in enumerate(self.multipliers):
            features = self.channels * multiplier
            x = Judging(features, i < self.halvings, i == 0, self.spectral, self.dtype)(x, train)
        phi = nn.relu(x).astype(jnp.float32).sum((1, 2))
        logit = Dense(1, self.spectral, jnp.float32, name="logit")(phi, train)[:, 0]
        if self.label_classes:
            shape = (self.label_classes, phi.shape[-1])
            logit += jnp.sum(
                Weighted(shape, self.spectral, name="classes")(train)[(given or {})["label"]] * phi, axis=-1
            )
        return logit
