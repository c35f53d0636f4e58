"""The U-Net of Ho, Jain & Abbeel 2020 (arXiv:2006.11239, appendix B): an image and its time -> an image.

Down to the coarsest resolution, through a middle, and up again; every activation on the way down is
concatenated to one on the way up. With the settings for CIFAR-10 (channels 128, multipliers (1, 2, 2, 2),
2 blocks, attention at 16) it has 35,746,307 parameters, the 35.7 million of the paper. Where it is given classes, an
embedding of the label is added to that of time (Nichol & Dhariwal 2021, arXiv:2102.09672, section 5).
"""

from collections.abc import Mapping
from typing import Annotated, Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from aigc_jax.errors import Unfit
from aigc_jax.nn.layers.convolution import Conv
from aigc_jax.nn.layers.dropout import Dropout
from aigc_jax.nn.layers.fit import check_divides, check_halvings
from aigc_jax.nn.layers.labels import ReadsLabels
from aigc_jax.ops.embedding import embed_time
from aigc_jax.ranges import Count, Part, Size, Sizes, at_least

EPSILON = 1e-6  # of the normalization

# Uniform with variance 1 / mean(fan in, fan out); the last layer of every residual branch starts at zero.
GLOROT = nn.initializers.variance_scaling(1.0, "fan_avg", "uniform")
ZERO = nn.initializers.zeros_init()


class ResBlock(nn.Module):
    """x + f(x, time), where f is twice normalization, swish and a convolution; time is added between."""

    channels: Size
    dropout: Part
    groups: Size
    dtype: Any

    @nn.compact
    def __call__(self, x: jax.Array, time: jax.Array, train: bool) -> jax.Array:
        """x: [B, H, W, C], time: [B, E] -> [B, H, W, channels]."""
        h = nn.swish(nn.GroupNorm(self.groups, epsilon=EPSILON, dtype=self.dtype)(x))
        h = Conv(self.channels, kernel_init=GLOROT, dtype=self.dtype)(h)
        h += nn.Dense(self.channels, kernel_init=GLOROT, dtype=self.dtype)(nn.swish(time))[:, None, None]
        h = nn.swish(nn.GroupNorm(self.groups, epsilon=EPSILON, dtype=self.dtype)(h))
        h = Dropout(self.dropout)(h, train)
        h = Conv(self.channels, kernel_init=ZERO, dtype=self.dtype)(h)
        if x.shape[-1] != self.channels:
            x = nn.Dense(self.channels, kernel_init=GLOROT, dtype=self.dtype, name="shortcut")(x)
        return x + h


class Attention(nn.Module):
    """x + self-attention over all positions, of one head."""

    groups: Size
    dtype: Any

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """x: [B, H, W, C] -> the same shape."""
        rows, height, width, channels = x.shape
        h = nn.GroupNorm(self.groups, epsilon=EPSILON, dtype=self.dtype)(x).reshape(rows, height * width, 1, channels)
        query, key, value = (
            nn.Dense(channels, kernel_init=GLOROT, dtype=self.dtype, name=name)(h) for name in ("query", "key", "value")
        )
        h = jax.nn.dot_product_attention(query, key, value).reshape(x.shape)
        return x + nn.Dense(channels, kernel_init=ZERO, dtype=self.dtype, name="out")(h)


class UNet(ReadsLabels, nn.Module):
    """The network that predicts; its output is zero before training. Height and width halve at each level but one."""

    channels: Annotated[int, at_least(4)]  # of the finest level
    multipliers: Sizes  # of `channels`, one a level, from fine to coarse
    blocks: Count  # residual blocks a level on the way down; one more on the way up
    attention: tuple[Size, ...]  # heights at which attention follows each block; the middle always has it
    dropout: Part  # share of a block's values that are zeroed in training
    groups: Size  # of the normalization; divides `channels`
    label_classes: Count  # of the labels that it reads; 0 = it reads none
    dtype: Any = jnp.float32
    patch: Size = 1  # height and width of what becomes one position, its pixels channels (Hoogeboom et al. 2023)
    remat: bool = False  # compute each block again for its gradient, instead of keeping what is inside

    @nn.compact
    def __call__(
        self,
        x: jax.Array,
        t: jax.Array,
        given: Mapping[str, jax.Array] | None = None,
        kept: jax.Array | None = None,
        *,
        train: bool,
    ) -> jax.Array:
        """x: float [B, H, W, C], t: [B] in steps, integer or float -> float32 [B, H, W, C].

        given: "label", int [B], where it reads that. kept: bool [B], whether to read it; None = of all examples.
        """
        self._check_fit(x.shape[1:])
        common = dict(groups=self.groups, dtype=self.dtype)
        residual = nn.remat(ResBlock, static_argnums=(3,)) if self.remat else ResBlock  # 3: train

        def block(h: jax.Array, channels: int, attend: bool, name: str) -> jax.Array:
            h = residual(channels, self.dropout, **common, name=name)(h, time, train)
            return Attention(**common, name=f"{name}_attention")(h) if attend else h

        time = embed_time(t, self.channels).astype(self.dtype)
        time = nn.Dense(4 * self.channels, kernel_init=GLOROT, dtype=self.dtype, name="time_1")(time)
        time = nn.Dense(4 * self.channels, kernel_init=GLOROT, dtype=self.dtype, name="time_2")(nn.swish(time))
        if given:
            label = nn.Embed(self.label_classes, 4 * self.channels, dtype=self.dtype, name="label")(given["label"])
            time += label if kept is None else jnp.where(kept[:, None], label, 0)

        h = Conv(self.channels, kernel_init=GLOROT, dtype=self.dtype, name="in")(_folded(x, self.patch))
        skips = [h]
        for level, multiplier in enumerate(self.multipliers):
            if level:
                h = nn.Conv(h.shape[-1], (3, 3), 2, kernel_init=GLOROT, dtype=self.dtype, name=f"shrink_{level}")(h)
                skips.append(h)
            for i in range(self.blocks):
                attend = h.shape[1] in self.attention
                h = block(h, multiplier * self.channels, attend, f"down_{level}_{i}")
                skips.append(h)

        h = block(h, h.shape[-1], True, "middle_0")
        h = block(h, h.shape[-1], False, "middle_1")

        for level, multiplier in reversed(list(enumerate(self.multipliers))):
            for i in range(self.blocks + 1):
                attend = h.shape[1] in self.attention
                h = jnp.concatenate([h, skips.pop()], axis=-1)
                h = block(h, multiplier * self.channels, attend, f"up_{level}_{i}")
            if level:
                h = h.repeat(2, axis=1).repeat(2, axis=2)
                h = Conv(h.shape[-1], kernel_init=GLOROT, dtype=self.dtype, name=f"grow_{level}")(h)

        h = nn.swish(nn.GroupNorm(epsilon=EPSILON, num_groups=self.groups, dtype=self.dtype)(h))
        h = Conv(x.shape[-1] * self.patch**2, kernel_init=ZERO, dtype=self.dtype, name="out")(h)
        return _unfolded(h, self.patch).astype(jnp.float32)

    def _check_fit(self, shape: tuple[int, ...]) -> None:
        """Raises Unfit. shape: (H, W, C) of the images."""
        check_divides("groups", self.groups, "the channels of the finest level", self.channels)
        if shape[0] % self.patch or shape[1] % self.patch:
            raise Unfit("patch", self.patch, f"divides not both sides of images of {shape[0]} x {shape[1]}")
        shape = (shape[0] // self.patch, shape[1] // self.patch, shape[2])
        check_halvings("multipliers", self.multipliers, shape, len(self.multipliers) - 1)
        heights = [shape[0] >> level for level in range(len(self.multipliers))]
        if not set(self.attention) <= set(heights):
            known = ", ".join(map(str, heights))
            raise Unfit("attention", self.attention, f"names heights, of which there are {known}; () = the middle's")


def _folded(x: jax.Array, patch: int) -> jax.Array:
    """[B, H, W, C] -> [B, H / patch, W / patch, patch² C]."""
    rows, height, width, channels = x.shape
    x = x.reshape(rows, height // patch, patch, width // patch, patch, channels)
    return x.transpose(0, 1, 3, 2, 4, 5).reshape(rows, height // patch, width // patch, -1)


def _unfolded(x: jax.Array, patch: int) -> jax.Array:
    """The inverse."""
    rows, height, width, _ = x.shape
    x = x.reshape(rows, height, width, patch, patch, -1).transpose(0, 1, 3, 2, 4, 5)
    return x.reshape(rows, height * patch, width * patch, -1)
