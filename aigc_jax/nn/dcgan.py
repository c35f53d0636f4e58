"""The convolutional networks of DCGAN (Radford et al. 2016, arXiv:1511.06434, sections 3 and 4).

No pooling and no hidden fully connected layers; batch normalisation everywhere but at the
generator's output and the discriminator's input; ReLU and tanh in the generator, leaky ReLU
in the discriminator; weights from N(0, 0.02). Calls are those of `mlp`.
"""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from aigc_jax.nn.layers.strided import Double, Halve, coarsest
from aigc_jax.ops import batch
from aigc_jax.ranges import Size, Sizes

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


class Generator(nn.Module):
    """Noise -> image: a small grid of features, doubled once for each width.

    The image's sides have to be multiples of 2**len(widths). Layers before a normalisation have no bias, which it would
    subtract again.
    """

    shape: tuple[Size, Size, Size]  # of an image
    widths: Sizes  # channels of the grids, the coarsest first
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, noise: jax.Array, train: bool = False) -> jax.Array:
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


class Discriminator(nn.Module):
    """Image -> logit of its being real: halved once for each width."""

    widths: Sizes  # channels of the grids, the finest first
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, images: jax.Array, train: bool = False) -> jax.Array:
        coarsest(images.shape[1:], self.widths)
        x = Halve(self.widths[0], bias=True, init=weights, dtype=self.dtype)(images)
        x = nn.leaky_relu(x, SLOPE)
        for features in self.widths[1:]:
            x = Halve(features, bias=False, init=weights, dtype=self.dtype)(x)
            x = nn.leaky_relu(Norm(self.dtype)(x, train), SLOPE)
        x = x.reshape(x.shape[0], -1)
        return nn.Dense(1, kernel_init=weights, dtype=self.dtype)(x)[:, 0].astype(jnp.float32)
