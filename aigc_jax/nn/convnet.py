"""A small convolutional classifier of small images (after Simonyan & Zisserman 2015, arXiv:1409.1556).

Stages of two convolutions of 3 × 3; between stages the sides are halved, and after the last one each channel is
averaged over the image. Channels are normalised in groups (Wu & He 2018, arXiv:1803.08494), which behaves alike in
training and afterwards.
"""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

GROUP = 8  # channels that are normalised together


class ConvNet(nn.Module):
    """Images [B, *image_shape] in [-1, 1] -> (features [B, widths[-1]], logits [B, classes]), float32."""

    widths: tuple[int, ...]  # of the stages, multiples of GROUP
    image_shape: tuple[int, int, int]  # others would pass through the layers too, and mean nothing
    classes: int
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, images: jax.Array, train: bool = False) -> tuple[jax.Array, jax.Array]:
        if images.shape[1:] != tuple(self.image_shape):
            raise ValueError(f"images of {images.shape[1:]} where {self.image_shape} are learnt")
        x = images.astype(self.dtype)
        for stage, width in enumerate(self.widths):
            if stage:
                x = nn.max_pool(x, (2, 2), (2, 2))
            for _ in range(2):
                x = nn.Conv(width, (3, 3), use_bias=False, dtype=self.dtype)(x)
                x = nn.relu(nn.GroupNorm(width // GROUP, dtype=self.dtype)(x))
        features = jnp.mean(x.astype(jnp.float32), (1, 2))
        return features, nn.Dense(self.classes, dtype=jnp.float32)(features)
