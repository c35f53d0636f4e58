"""A small convolutional classifier of small images (after Simonyan & Zisserman 2015, arXiv:1409.1556).

Stages of two 3 × 3 convolutions, with max pooling between stages and the mean over the image after the last. Group
normalisation (Wu & He 2018, arXiv:1803.08494) does the same in training and afterwards.
"""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from aigc_jax.errors import Unfit
from aigc_jax.nn.layers.fit import check_shape
from aigc_jax.ranges import Size, Sizes

GROUP = 8  # channels that are normalised together


class ConvNet(nn.Module):
    """Images [B, *image_shape] in [-1, 1] -> (features [B, widths[-1]], logits [B, classes]), float32."""

    widths: Sizes  # channels of the stages, multiples of 8
    image_shape: tuple[Size, Size, Size]  # of training: the layers would take others, with features that mean nothing
    classes: Size
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, images: jax.Array, train: bool = False) -> tuple[jax.Array, jax.Array]:
        check_shape("image_shape", self.image_shape, images.shape[1:])
        if any(width % GROUP for width in self.widths):
            raise Unfit("widths", self.widths, f"has to be of multiples of {GROUP}")
        if min(images.shape[1:3]) >> (len(self.widths) - 1) < 1:
            raise Unfit("widths", self.widths, f"halves images of {images.shape[1]} × {images.shape[2]} to nothing")
        x = images.astype(self.dtype)
        for stage, width in enumerate(self.widths):
            if stage:
                x = nn.max_pool(x, (2, 2), (2, 2))
            for _ in range(2):
                x = nn.Conv(width, (3, 3), use_bias=False, dtype=self.dtype)(x)
                x = nn.relu(nn.GroupNorm(width // GROUP, dtype=self.dtype)(x))
        features = jnp.mean(x.astype(jnp.float32), (1, 2))
        return features, nn.Dense(self.classes, dtype=jnp.float32)(features)
