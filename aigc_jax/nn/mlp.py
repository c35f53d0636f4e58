"""The two fully connected networks of a first GAN (after Goodfellow et al. 2014, section 5).

A generator of a GAN is called (noise [B, latent], train) and gives images [B, H, W, C] in
(-1, 1); a discriminator is called (images, train) and gives logits [B]. `train` is for what
behaves differently in training; nothing here does.
"""

import math
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

SLOPE = 0.2  # of the leaky ReLU below zero


class Generator(nn.Module):
    """Noise -> image."""

    image_shape: tuple[int, int, int]
    widths: tuple[int, ...]  # of the hidden layers, from the noise on
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, noise: jax.Array, train: bool = False) -> jax.Array:
        x = noise.astype(self.dtype)
        for width in self.widths:
            x = nn.relu(nn.Dense(width, dtype=self.dtype)(x))
        x = jnp.tanh(nn.Dense(math.prod(self.image_shape), dtype=self.dtype)(x))
        return x.reshape(-1, *self.image_shape).astype(jnp.float32)


class Discriminator(nn.Module):
    """Image -> logit of its being real."""

    widths: tuple[int, ...]  # of the hidden layers, from the image on
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, images: jax.Array, train: bool = False) -> jax.Array:
        x = images.reshape(images.shape[0], -1).astype(self.dtype)
        for width in self.widths:
            x = nn.leaky_relu(nn.Dense(width, dtype=self.dtype)(x), SLOPE)
        return nn.Dense(1, dtype=self.dtype)(x)[:, 0].astype(jnp.float32)
