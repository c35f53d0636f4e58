"""The convolutional networks of DCGAN (Radford et al. 2016, arXiv:1511.06434, sections 3 and 4).

No pooling and no hidden fully connected layers; batch normalisation everywhere but at the
generator's output and the discriminator's input; ReLU and tanh in the generator, leaky ReLU
in the discriminator; weights from N(0, 0.02). Calls are those of `mlp`.

Where `label_classes` is above 0, both read a label (Mirza & Osindero 2014, arXiv:1411.1784): the
generator as a vector of one 1 beside the noise, the discriminator as one more channel of the image,
which it learns for each class.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp

from aigc_jax.nn.layers.labels import ReadsLabels
from aigc_jax.nn.layers.strided import Double, Halve, coarsest
from aigc_jax.ops import batch
from aigc_jax.ranges import Count, Size, Sizes

SLOPE = 0.2  # of the leaky ReLU below zero
SPREAD = 0.02  # standard deviation of initial weights
MOMENTUM = 0.9  # of the running statistics
EPSILON = 1e-5

weights = nn.initializers.normal(SPREAD)


def _around_one(key: jax.Array, shape: tuple[int, ...], dtype: Any = jnp.float32) -> jax.Array:
    return 1 + weights(key, shape, dtype)


class Norm(nn.Module):
    """Batch normalisation, over the batch of all devices."""

    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        return nn.BatchNorm(
            use_running_average=not train,
            axis_name=batch.axis(),
            momentum=MOMENTUM,
            epsilon=EPSILON,
            scale_init=_around_one,
            dtype=self.dtype,
        )(x)


class Generator(ReadsLabels, nn.Module):
    """Noise -> image: a small grid of features, doubled once for each width.

    The image's sides have to be multiples of 2**len(widths). Layers before a normalisation have no bias, which it would
    subtract again.
    """

    latent_kernels: ClassVar[str] = "^Dense_0/kernel"  # those that read the noise
    shape: tuple[Size, Size, Size]  # of an image
    widths: Sizes  # channels of the grids, the coarsest first
    label_classes: Count  # of the labels that it reads; 0 = it reads none
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(
        self, noise: jax.Array, given: Mapping[str, jax.Array] | None = None, train: bool = False
    ) -> jax.Array:
        if given:
            noise = jnp.concatenate([noise, jax.nn.one_hot(given["label"], self.label_classes)], axis=-1)
        channels = self.shape[-1]
        grid = (*coarsest(self.shape, self.widths), self.widths[0])
        project = nn.Dense(grid[0] * grid[1] * grid[2], use_bias=False, kernel_init=weights, dtype=self.dtype)
        x = project(noise.astype(self.dtype)).reshape(-1, *grid)
        x = nn.relu(Norm(self.dtype)(x, train))
        for features in self.widths[1:]:
            x = Double(features, bias=False, init=weights, dtype=self.dtype)(x)
            x = nn.relu(Norm(self.dtype)(x, train))
        x = Double(channels, bias=True, init=weights, dtype=self.dtype)(x)
        return jnp.tanh(x).astype(jnp.float32)


class Discriminator(ReadsLabels, nn.Module):
    """Image -> logit of its being real: halved once for each width."""

    widths: Sizes  # channels of the grids, the finest first
    label_classes: Count  # of the labels that it reads; 0 = it reads none
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(
        self, images: jax.Array, given: Mapping[str, jax.Array] | None = None, train: bool = False
    ) -> jax.Array:
        coarsest(images.shape[1:], self.widths)
        if given:
            height, width, _ = images.shape[1:]
            plane = nn.Embed(self.label_classes, height * width, embedding_init=weights, name="label")(given["label"])
            images = jnp.concatenate([images, plane.reshape(-1, height, width, 1)], axis=-1)
        x = Halve(self.widths[0], bias=True, init=weights, dtype=self.dtype)(images)
        x = nn.leaky_relu(x, SLOPE)
        for features in self.widths[1:]:
            x = Halve(features, bias=False, init=weights, dtype=self.dtype)(x)
            x = nn.leaky_relu(Norm(self.dtype)(x, train), SLOPE)
        x = x.reshape(x.shape[0], -1)
        return nn.Dense(1, kernel_init=weights, dtype=self.dtype)(x)[:, 0].astype(jnp.float32)
