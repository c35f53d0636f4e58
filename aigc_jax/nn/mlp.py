"""Fully connected networks for a GAN (after Goodfellow et al. 2014, section 5), a VAE and diffusion.

A generator of a GAN is called (noise [B, latent], given, train) and gives images [B, H, W, C] in
(-1, 1); a discriminator is called (images, given, train) and gives logits [B]. `train` is for what
behaves differently in training; nothing here does. `given` is what they read besides: both are
conditional where `label_classes` is above 0 (Mirza & Osindero 2014, arXiv:1411.1784), with the
label beside the input as a vector of one 1.
"""

import math
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp

from aigc_jax.nn.layers.labels import ReadsLabels
from aigc_jax.ops.embedding import embed_time
from aigc_jax.ranges import Count, Size, at_least

SLOPE = 0.2  # of the leaky ReLU below zero


class Generator(ReadsLabels, nn.Module):
    """Noise -> image."""

    latent_kernels: ClassVar[str] = "^Dense_0/kernel"  # those that read the noise
    shape: tuple[Size, Size, Size]  # of an image
    widths: tuple[Size, ...]  # of the hidden layers, from the noise on
    label_classes: Count  # of the labels that it reads; 0 = it reads none
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(
        self, noise: jax.Array, given: Mapping[str, jax.Array] | None = None, train: bool = False
    ) -> jax.Array:
        x = noise.astype(self.dtype)
        if given:
            x = jnp.concatenate([x, jax.nn.one_hot(given["label"], self.label_classes, dtype=self.dtype)], axis=-1)
        for width in self.widths:
            x = nn.relu(nn.Dense(width, dtype=self.dtype)(x))
        x = jnp.tanh(nn.Dense(math.prod(self.shape), dtype=self.dtype)(x))
        return x.reshape(-1, *self.shape).astype(jnp.float32)


class Discriminator(ReadsLabels, nn.Module):
    """Image -> logit of its being real."""

    widths: tuple[Size, ...]  # of the hidden layers, from the image on
    label_classes: Count  # of the labels that it reads; 0 = it reads none
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(
        self, images: jax.Array, given: Mapping[str, jax.Array] | None = None, train: bool = False
    ) -> jax.Array:
        x = images.reshape(images.shape[0], -1).astype(self.dtype)
        if given:
            x = jnp.concatenate([x, jax.nn.one_hot(given["label"], self.label_classes, dtype=self.dtype)], axis=-1)
        for width in self.widths:
            x = nn.leaky_relu(nn.Dense(width, dtype=self.dtype)(x), SLOPE)
        return nn.Dense(1, dtype=self.dtype)(x)[:, 0].astype(jnp.float32)


class VAE(nn.Module):
    """`encode` and `decode`, in one module."""

    shape: tuple[Size, Size, Size]  # of an image
    widths: tuple[Size, ...]  # of the encoder's hidden layers, from the image on; the decoder has them in reverse
    latent: Size  # dimensions of z
    parameters: Size  # of the likelihood, for each value of an image
    dtype: Any = jnp.float32

    def setup(self) -> None:
        self.encoder = [nn.Dense(width, dtype=self.dtype) for width in self.widths]
        self.posterior = nn.Dense(2 * self.latent, dtype=self.dtype)
        self.decoder = [nn.Dense(width, dtype=self.dtype) for width in reversed(self.widths)]
        self.output = nn.Dense(math.prod(self.shape) * self.parameters, dtype=self.dtype)

    @nn.nowrap
    def example(self) -> tuple[tuple, dict]:
        """The inputs of a call, to make variables from."""
        return (jnp.zeros((1, *self.shape)),), {}

    def encode(self, images: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Images [B, H, W, C] -> mean and log-variance of q(z | x), float32 [B, latent] each."""
        x = images.reshape(images.shape[0], -1)
        for layer in self.encoder:
            x = nn.swish(layer(x))
        mean, log_variance = jnp.split(self.posterior(x).astype(jnp.float32), 2, axis=-1)
        return mean, log_variance

    def decode(self, z: jax.Array) -> jax.Array:
        """z [B, latent] -> parameters of p(x | z), float32 [B, H, W, C, P]."""
        x = z
        for layer in self.decoder:
            x = nn.swish(layer(x))
        return self.output(x).reshape(-1, *self.shape, self.parameters).astype(jnp.float32)

    def __call__(self, images: jax.Array) -> jax.Array:
        return self.decode(self.encode(images)[0])


class Denoiser(nn.Module):
    """A noised image and its time -> an image, by residual blocks that each add an embedding of the time.

    The inputs are Fourier features of the values: without them a fully connected network learns fine detail late
    (Tancik et al. 2020, arXiv:2006.10739).
    """

    shape: tuple[Size, Size, Size]  # of an image
    width: Annotated[int, at_least(4)]  # of the hidden layers
    blocks: Count  # residual ones
    octaves: Count  # sines and cosines of each value: π x, 2 π x, 4 π x, …
    dtype: Any = jnp.float32

    @nn.nowrap
    def example(self) -> tuple[tuple, dict]:
        """The inputs of a call, to make variables from."""
        return (jnp.zeros((1, *self.shape)), jnp.zeros(1)), {"train": False}

    @nn.compact
    def __call__(self, x: jax.Array, t: jax.Array, train: bool) -> jax.Array:
        """x: [B, H, W, C], t: int [B] -> float32 [B, H, W, C]."""
        values = x.reshape(x.shape[0], -1)
        angles = (values[..., None] * (jnp.pi * 2.0 ** jnp.arange(self.octaves))).reshape(x.shape[0], -1)
        waves = jnp.concatenate([values, jnp.sin(angles), jnp.cos(angles)], axis=-1)
        h = nn.Dense(self.width, dtype=self.dtype)(waves)
        time = nn.swish(nn.Dense(self.width, dtype=self.dtype)(embed_time(t, self.width)))
        for _ in range(self.blocks):
            inner = nn.swish(h + nn.Dense(self.width, dtype=self.dtype)(time))
            inner = nn.swish(nn.Dense(self.width, dtype=self.dtype)(inner))
            h = h + nn.Dense(self.width, dtype=self.dtype)(inner)
        output = nn.Dense(math.prod(self.shape), dtype=self.dtype)(nn.swish(h))
        return output.reshape(-1, *self.shape).astype(jnp.float32)
