"""A small convolutional encoder and decoder for a variational autoencoder.

Convolutions 4x4 of stride 2, then a hidden fully connected layer, mirrored, with ReLU: after
Burgess et al. 2018, arXiv:1804.03599, with fewer halvings for smaller images.
"""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from aigc_jax.nn.layers.strided import Double, Halve, coarsest
from aigc_jax.ranges import Size, Sizes


class ConvVAE(nn.Module):
    """`encode` and `decode`, in one module. The image's sides are multiples of 2**len(widths)."""

    shape: tuple[Size, Size, Size]  # of an image
    widths: Sizes  # channels of the encoder's grids, the finest first
    hidden: Size  # width of the fully connected layer between grids and latent
    latent: Size  # dimensions of z
    parameters: Size  # of the likelihood, for each value of an image
    dtype: Any = jnp.float32

    def setup(self) -> None:
        channels = self.shape[-1]
        self.grid = (*coarsest(self.shape, self.widths), self.widths[-1])
        self.halvings = [Halve(features, bias=True, dtype=self.dtype) for features in self.widths]
        self.encoder_hidden = nn.Dense(self.hidden, dtype=self.dtype)
        self.posterior = nn.Dense(2 * self.latent, dtype=self.dtype)
        self.decoder_hidden = nn.Dense(self.hidden, dtype=self.dtype)
        self.decoder_grid = nn.Dense(self.grid[0] * self.grid[1] * self.grid[2], dtype=self.dtype)
        outputs = (*self.widths[-2::-1], channels * self.parameters)
        self.doublings = [Double(features, bias=True, dtype=self.dtype) for features in outputs]

    @nn.nowrap
    def example(self) -> tuple[tuple, dict]:
        """The inputs of a call, to make variables from."""
        return (jnp.zeros((1, *self.shape)),), {}

    def encode(self, images: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Images [B, H, W, C] -> mean and log-variance of q(z | x), float32 [B, latent] each."""
        x = images
        for halving in self.halvings:
            x = nn.relu(halving(x))
        x = nn.relu(self.encoder_hidden(x.reshape(x.shape[0], -1)))
        mean, log_variance = jnp.split(self.posterior(x).astype(jnp.float32), 2, axis=-1)
        return mean, log_variance

    def decode(self, z: jax.Array) -> jax.Array:
        """z [B, latent] -> parameters of p(x | z), float32 [B, H, W, C, P]."""
        x = nn.relu(self.decoder_hidden(z))
        x = self.decoder_grid(x).reshape(-1, *self.grid)
        for doubling in self.doublings:
            x = doubling(nn.relu(x))
        return x.reshape(-1, *self.shape, self.parameters).astype(jnp.float32)

    def __call__(self, images: jax.Array) -> jax.Array:
        return self.decode(self.encode(images)[0])
