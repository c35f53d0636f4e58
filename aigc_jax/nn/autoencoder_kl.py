"""The convolutional autoencoder of latent diffusion (Rombach et al. 2022, arXiv:2112.10752, appendix E).

    mean, log variance = encode(x)        each a map, 2^(levels - 1) times smaller than the image
    x = decode(z)

Both are the halves of the U-Net of Ho et al. 2020 without time and without connections between them: residual blocks at
every level, and self-attention of one head between two more at the coarsest. With channels 128, multipliers
(1, 2, 4, 4), 2 blocks, 4 latent channels and 32 groups it is the one of Stable Diffusion, with 83,653,863 weights.

Between the map and the network there is a linear layer of its channels on each side. `methods/autoencoder.py` trains it
as the paper does, with a perceptual and an adversarial loss; `methods/vae.py` trains it by its bound alone.
"""

import math
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from aigc_jax.nn.layers.convolution import Conv
from aigc_jax.nn.layers.fit import check_divides, check_halvings, check_shape
from aigc_jax.nn.layers.residual import EPSILON, GLOROT, Attention, ResBlock, double
from aigc_jax.ranges import Size, Sizes

LOG_VARIANCES = (-30.0, 20.0)  # what is beyond is clipped, as in the paper's code: e^20 is no overflow
LAST = "last"  # a collection: what the last layer of a decoder reads


class Middle(nn.Module):
    """Two residual blocks at the coarsest level, and attention between them."""

    groups: Size
    attention: bool
    dtype: Any

    @nn.compact
    def __call__(self, h: jax.Array) -> jax.Array:
        """h: [B, h, w, C] -> the same shape."""
        h = ResBlock(h.shape[-1], 0.0, self.groups, self.dtype, name="middle_0")(h, None, False)
        h = Attention(self.groups, self.dtype, name="middle_0_attention")(h) if self.attention else h
        return ResBlock(h.shape[-1], 0.0, self.groups, self.dtype, name="middle_1")(h, None, False)


class Encoder(nn.Module):
    """An image -> a smaller map."""

    widths: Sizes  # channels of the levels, the finest first
    blocks: Size  # residual blocks a level
    outputs: Size  # channels of the map
    groups: Size
    attention: bool
    dtype: Any

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """x: [B, H, W, C] -> [B, h, w, outputs], in `dtype`."""
        h = Conv(self.widths[0], kernel_init=GLOROT, dtype=self.dtype, name="in")(x)
        for level, width in enumerate(self.widths):
            if level:
                h = nn.Conv(h.shape[-1], (3, 3), 2, kernel_init=GLOROT, dtype=self.dtype, name=f"shrink_{level}")(h)
            for i in range(self.blocks):
                h = ResBlock(width, 0.0, self.groups, self.dtype, name=f"down_{level}_{i}")(h, None, False)
        h = Middle(self.groups, self.attention, self.dtype, name="middle")(h)
        h = nn.swish(nn.GroupNorm(self.groups, epsilon=EPSILON, dtype=self.dtype, name="norm")(h))
        return Conv(self.outputs, kernel_init=GLOROT, dtype=self.dtype, name="out")(h)


class Decoder(nn.Module):
    """A map -> an image; it has one residual block a level more than the encoder."""

    widths: Sizes  # channels of the levels, the finest first
    blocks: Size  # of the encoder
    outputs: Size  # channels of the image, times the parameters of the likelihood
    groups: Size
    attention: bool
    dtype: Any

    @nn.compact
    def __call__(self, z: jax.Array) -> jax.Array:
        """z: [B, h, w, c] -> [B, H, W, outputs], in `dtype`."""
        h = Conv(self.widths[-1], kernel_init=GLOROT, dtype=self.dtype, name="in")(z)
        h = Middle(self.groups, self.attention, self.dtype, name="middle")(h)
        for level, width in reversed(list(enumerate(self.widths))):
            for i in range(self.blocks + 1):
                h = ResBlock(width, 0.0, self.groups, self.dtype, name=f"up_{level}_{i}")(h, None, False)
            if level:
                h = Conv(width, kernel_init=GLOROT, dtype=self.dtype, name=f"grow_{level}")(double(h))
        h = nn.swish(nn.GroupNorm(self.groups, epsilon=EPSILON, dtype=self.dtype, name="norm")(h))
        if not self.is_initializing():
            self.sow(LAST, "input", h)  # kept where a caller asks for it
        return Conv(self.outputs, kernel_init=GLOROT, dtype=self.dtype, name="out")(h)


class AutoencoderKL(nn.Module):
    """`encode` and `decode`, in one module. z is the values of a map, `latent_shape`, in one row."""

    shape: tuple[Size, Size, Size]  # of an image
    channels: Size  # of the finest level
    multipliers: Sizes  # of `channels`, one a level, from fine to coarse; sides halve at each level but one
    blocks: Size  # residual blocks a level of the encoder; the decoder has one more
    latent_channels: Size  # of the map
    groups: Size  # of the normalisation; divides `channels`
    parameters: Size  # of the likelihood, for each value of an image
    middle_attention: bool = True  # attention at the coarsest level
    mixing: bool = True  # a linear layer of the map's channels on each side of it
    dtype: Any = jnp.float32

    def setup(self) -> None:
        check_divides("groups", self.groups, "the channels of the finest level", self.channels)
        check_halvings("multipliers", self.multipliers, self.shape, len(self.multipliers) - 1)
        widths = tuple(multiplier * self.channels for multiplier in self.multipliers)
        common = dict(groups=self.groups, attention=self.middle_attention, dtype=self.dtype)
        outputs = self.shape[-1] * self.parameters
        self.encoder = Encoder(widths, self.blocks, 2 * self.latent_channels, **common)
        self.decoder = Decoder(widths, self.blocks, outputs, **common)
        if self.mixing:
            self.posterior = nn.Dense(2 * self.latent_channels, kernel_init=GLOROT, dtype=self.dtype)
            self.reading = nn.Dense(self.latent_channels, kernel_init=GLOROT, dtype=self.dtype)

    @property
    def latent_shape(self) -> tuple[int, int, int]:
        """(h, w, c) of the map whose values z is."""
        halvings = len(self.multipliers) - 1
        return self.shape[0] >> halvings, self.shape[1] >> halvings, self.latent_channels

    @property
    def latent(self) -> int:
        """The dimensions of z."""
        return math.prod(self.latent_shape)

    @nn.nowrap
    def last_layer(self) -> tuple[str, nn.Module]:
        """The path of the last layer, at which a game is weighed against what else is learnt, and the layer."""
        return "decoder/out", Conv(self.shape[-1] * self.parameters, dtype=self.dtype, parent=None)

    @nn.nowrap
    def example(self) -> tuple[tuple, dict]:
        """The inputs of a call, to make variables from."""
        return (jnp.zeros((1, *self.shape)),), {}

    def encode(self, images: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Images [B, H, W, C] -> mean and log-variance of q(z | x), float32 [B, latent] each."""
        check_shape("shape", self.shape, images.shape[1:])
        h = self.encoder(images)
        h = (self.posterior(h) if self.mixing else h).astype(jnp.float32)
        mean, log_variance = (part.reshape(-1, self.latent) for part in jnp.split(h, 2, axis=-1))
        return mean, jnp.clip(log_variance, *LOG_VARIANCES)

    def decode(self, z: jax.Array) -> jax.Array:
        """z [B, latent] -> parameters of p(x | z), float32 [B, H, W, C, P]."""
        z = z.reshape(-1, *self.latent_shape)
        h = self.decoder(self.reading(z) if self.mixing else z)
        return h.reshape(-1, *self.shape, self.parameters).astype(jnp.float32)

    def __call__(self, images: jax.Array) -> jax.Array:
        return self.decode(self.encode(images)[0])
