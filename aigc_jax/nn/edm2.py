"""The U-Net of EDM2 (Karras et al. 2024, arXiv:2312.02696, section 2, configuration G): magnitudes stay as they are.

An image and its time -> an image, as with `unet.UNet`. Nothing normalizes over groups and nothing has a bias: layers
keep the magnitude of what passes (`layers.magnitude`), and the blocks of the way down divide each pixel by its own. A
channel of ones beside the image stands for all biases. What is known of time and label scales the channels inside a
block. With the settings of EDM2-S for ImageNet-64 (channels 192, multipliers (1, 2, 3, 4), 3 blocks, attention at 16
and 8, 1000 classes) it has 280.2 million weights, the paper's 280.

The paper trains it with `optimizers.*.unit_norm="kernel"` and `schedule="inverse_sqrt"`.
"""

import math
from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from aigc_jax.errors import Unfit
from aigc_jax.nn.layers.dropout import Dropout
from aigc_jax.nn.layers.fit import check_halvings
from aigc_jax.nn.layers.labels import ReadsLabels
from aigc_jax.nn.layers.magnitude import Conv, Dense, Fourier, blend, join, silu, unit
from aigc_jax.ranges import Count, Part, Size, Sizes

CLOCK = 1000  # steps for 1 of the paper's c_noise, log(σ) / 4: the clock of the process is 250 log(σ)
BRANCH = 0.3  # share of a residual branch in its sum (appendix B)
LABEL = 0.5  # share of the label in its sum with time
LARGEST = 256.0  # of an activation


class Attention(nn.Module):
    """Self-attention over all positions, of heads whose queries, keys and values have magnitude 1."""

    head_width: Size
    dtype: Any

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """x: [B, H, W, C] -> the same shape."""
        rows, height, width, channels = x.shape
        heads = (rows, height * width, channels // self.head_width, self.head_width)
        query, key, value = (
            unit(Dense(channels, self.dtype, name=name)(x).reshape(heads)) for name in ("query", "key", "value")
        )
        y = jax.nn.dot_product_attention(query, key, value).reshape(x.shape)
        return blend(x, Dense(channels, self.dtype, name="out")(y), BRANCH)


class Block(nn.Module):
    """A residual block, with attention after it where that is asked for (appendix B, figure 21)."""

    channels: Size
    down: bool  # on the way down, where each pixel is divided by its magnitude
    attend: bool
    head_width: Size
    dropout: Part
    dtype: Any

    @nn.compact
    def __call__(self, x: jax.Array, known: jax.Array, train: bool) -> jax.Array:
        """x: [B, H, W, C], known: [B, E], of time and label -> [B, H, W, channels]."""
        shortcut = Dense(self.channels, self.dtype, name="shortcut") if x.shape[-1] != self.channels else None
        if self.down:
            x = unit(shortcut(x) if shortcut else x)
        y = Conv(self.channels, self.dtype, name="first")(silu(x))
        gain = self.param("gain", nn.initializers.zeros, ())
        y *= 1 + Dense(self.channels, self.dtype, name="known")(known, gain)[:, None, None]
        y = Conv(self.channels, self.dtype, name="second")(Dropout(self.dropout)(silu(y), train))
        if shortcut and not self.down:
            x = shortcut(x)
        x = blend(x, y, BRANCH)
        if self.attend:
            x = Attention(self.head_width, self.dtype, name="attention")(x)
        return jnp.clip(x, -LARGEST, LARGEST)


class UNet(ReadsLabels, nn.Module):
    """The network that predicts; its output is zero before training. Height and width halve at each level but one."""

    channels: Size  # of the finest level
    multipliers: Sizes  # of `channels`, one a level, from fine to coarse
    blocks: Count  # blocks a level on the way down, besides the one that halves; one more on the way up
    attention: tuple[Size, ...]  # heights at which attention follows each block; the middle always has it
    head_width: Size  # channels of a head of attention; divides those of every level that has it. The paper's is 64
    dropout: Part  # share of a block's values that are zeroed in training
    label_classes: Count  # of the labels that it reads; 0 = it reads none
    dtype: Any = jnp.float32
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
        """x: float [B, H, W, C] of magnitude 1, t: [B] in steps, integer or float -> float32 [B, H, W, C].

        given: "label", int [B], where it reads that. kept: bool [B], whether to read it; None = of all examples.
        """
        self._check_fit(x.shape[1:])
        kind = nn.remat(Block, static_argnums=(3,)) if self.remat else Block  # 3: train
        known = self._known(t, given, kept)

        def block(h: jax.Array, channels: int, down: bool, attend: bool, name: str) -> jax.Array:
            return kind(channels, down, attend, self.head_width, self.dropout, self.dtype, name=name)(h, known, train)

        h = jnp.concatenate([x, jnp.ones_like(x[..., :1])], axis=-1)
        h = Conv(self.channels, self.dtype, name="in")(h)
        skips = [h]
        for level, multiplier in enumerate(self.multipliers):
            if level:
                rows, height, width, channels = h.shape
                h = h.reshape(rows, height // 2, 2, width // 2, 2, channels).mean((2, 4))
                h = block(h, channels, True, False, f"shrink_{level}")
                skips.append(h)
            for i in range(self.blocks):
                h = block(h, multiplier * self.channels, True, h.shape[1] in self.attention, f"down_{level}_{i}")
                skips.append(h)

        h = block(h, h.shape[-1], False, True, "middle_0")
        h = block(h, h.shape[-1], False, False, "middle_1")

        for level, multiplier in reversed(list(enumerate(self.multipliers))):
            for i in range(self.blocks + 1):
                h = join(h, skips.pop())
                h = block(h, multiplier * self.channels, False, h.shape[1] in self.attention, f"up_{level}_{i}")
            if level:
                h = h.repeat(2, axis=1).repeat(2, axis=2)
                h = block(h, h.shape[-1], False, False, f"grow_{level}")

        gain = self.param("gain", nn.initializers.zeros, ())
        return Conv(x.shape[-1], self.dtype, name="out")(h, gain).astype(jnp.float32)

    def _known(self, t: jax.Array, given: Mapping[str, jax.Array] | None, kept: jax.Array | None) -> jax.Array:
        """What is known of time and label: [B, E], E of the widest level. A label that is not read is 0."""
        width = self.channels * max(self.multipliers)
        time = Fourier(self.channels, name="clock")(t.astype(jnp.float32) / CLOCK)
        known = Dense(width, self.dtype, name="time")(time)
        if self.label_classes:
            label = jnp.zeros((t.shape[0], self.label_classes))
            if given:
                label = math.sqrt(self.label_classes) * jax.nn.one_hot(given["label"], self.label_classes)
                label = label if kept is None else jnp.where(kept[:, None], label, 0)
            known = blend(known, Dense(width, self.dtype, name="label")(label), LABEL)
        return silu(known)

    def _check_fit(self, shape: tuple[int, ...]) -> None:
        """Raises Unfit. shape: (H, W, C) of the images."""
        check_halvings("multipliers", self.multipliers, shape, len(self.multipliers) - 1)
        heights = [shape[0] >> level for level in range(len(self.multipliers))]
        if not set(self.attention) <= set(heights):
            known = ", ".join(map(str, heights))
            raise Unfit("attention", self.attention, f"names heights, of which there are {known}; () = the middle's")
        attentive = [multiplier for multiplier, height in zip(self.multipliers, heights, strict=True)
                     if height in self.attention]  # fmt: skip
        for channels in sorted({self.channels * multiplier for multiplier in (*attentive, self.multipliers[-1])}):
            if channels % self.head_width:
                why = f"has to divide the channels of every level with attention, of which one has {channels}"
                raise Unfit("head_width", self.head_width, why)
