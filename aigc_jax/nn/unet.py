"""The U-Net of Ho, Jain & Abbeel 2020 (arXiv:2006.11239, appendix B): an image and its time -> an image.

Down to the coarsest resolution, through a middle, and up again; every activation on the way down is
concatenated to one on the way up. With the settings for CIFAR-10 (channels 128, multipliers (1, 2, 2, 2),
2 blocks, attention at 16) it has 35,746,307 parameters, the 35.7 million of the paper. Where it is given classes, an
embedding of the label is added to that of time (Nichol & Dhariwal 2021, arXiv:2102.09672, section 5). Where it is
given an image, that stands beside x as further channels (`layers.given_image`).

ADM, the network of Dhariwal & Nichol 2021 (arXiv:2105.05233, section 3 and appendix), has `head_width=64`,
`modulation=True`, `resampling="block"`, `frequency_shift=0`, `epsilon=1e-5` and `learned_variance=True`.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp

from aigc_jax.errors import Unfit
from aigc_jax.nn.layers.convolution import Conv
from aigc_jax.nn.layers.fit import check_divides, check_halvings
from aigc_jax.nn.layers.given_image import beside
from aigc_jax.nn.layers.labels import ReadsLabels
from aigc_jax.nn.layers.residual import EPSILON, GLOROT, ZERO, Attention, ResBlock, double
from aigc_jax.ops.embedding import embed_time
from aigc_jax.ranges import Count, Part, Size, Sizes, above, at_least, between


class UNet(ReadsLabels, nn.Module):
    """The network that predicts; its output is zero before training. Height and width halve at each level but one."""

    channels: Annotated[int, at_least(4)]  # of the finest level
    multipliers: Sizes  # of `channels`, one a level, from fine to coarse
    blocks: Count  # residual blocks a level on the way down; one more on the way up
    attention: tuple[Count, ...]  # heights at which attention follows each block, or levels: see `attention_by`
    dropout: Part  # share of a block's values that are zeroed in training
    groups: Size  # of the normalization; divides `channels`
    label_classes: Count  # of the labels that it reads; 0 = it reads none
    dtype: Any = jnp.float32
    patch: Size = 1  # height and width of what becomes one position, its pixels channels (Hoogeboom et al. 2023)
    remat: bool = False  # compute each block again for its gradient, instead of keeping what is inside
    attention_by: Literal["height", "level"] = "height"  # what `attention` names; level 0 is the finest
    middle_attention: bool = True  # attention between the two blocks of the middle
    head_width: Count = 0  # channels of a head of the attention; 0 = one head of all
    modulation: bool = False  # time and label scale and shift normalised values; else they are added before
    resampling: Literal["convolution", "block"] = "convolution"  # block: a residual one halves or doubles, as in BigGAN
    rescale: bool = False  # divide sums of a block and its input by √2
    learned_variance: bool = False  # whether it has outputs for the variance too, as the weights of ADM
    frequency_shift: Annotated[int, between(0, 1)] = 1  # 1: the slowest frequency of time is 1 / 10,000; 0: one above
    cosines_first: bool = False  # of time, before the sines; only for weights from elsewhere
    border: Literal["before", "after"] = "after"  # where a halving convolution sees zeros; in PyTorch: before
    epsilon: Annotated[float, above(0)] = EPSILON  # of the normalisation
    shape: tuple[Count, Count, Count] = (0, 0, 0)  # of an image, for exports; 0 = not known; it computes any
    image: str = ""  # the given field whose image it sees beside x, enlarged where it is smaller; "" = none

    @property
    def reads(self) -> tuple[str, ...]:
        """The names of what it reads in `given`."""
        return super().reads + (self.image,) * bool(self.image)

    @nn.compact
    def __call__(
        self,
        x: jax.Array,
        t: jax.Array,
        given: Mapping[str, jax.Array] | None = None,
        kept: jax.Array | None = None,
        *,
        train: bool,
        variance: bool = False,
    ) -> jax.Array:
        """x: float [B, H, W, C], t: [B] in steps, integer or float -> float32 [B, H, W, C].

        given: "label", int [B], and the field `image`, float [B, h, w, c], where it reads them. kept: bool [B], whether
        to read them; None = of all examples.
        variance: also give the outputs for the variance (Nichol & Dhariwal 2021, arXiv:2102.09672, eq. 15), where they
        are learned: float32 [B, H, W, 2C].
        """
        levels = self._fitting(x.shape[1:])
        common = dict(groups=self.groups, dtype=self.dtype, rescale=self.rescale, epsilon=self.epsilon)
        residual = nn.remat(ResBlock, static_argnums=(3,)) if self.remat else ResBlock  # 3: train

        def block(h: jax.Array, channels: int, name: str, attend: bool = False, **options: Any) -> jax.Array:
            made = residual(channels, self.dropout, **common, modulation=self.modulation, name=name, **options)
            h = made(h, time, train)
            return Attention(**common, head_width=self.head_width, name=f"{name}_attention")(h) if attend else h

        def shrink(h: jax.Array, name: str) -> jax.Array:
            if self.resampling == "block":
                return block(h, h.shape[-1], name, resample="half")
            padding = "SAME" if self.border == "after" else ((1, 0), (1, 0))  # of even sides SAME is ((0, 1), (0, 1))
            return nn.Conv(h.shape[-1], (3, 3), 2, padding, kernel_init=GLOROT, dtype=self.dtype, name=name)(h)

        def grow(h: jax.Array, name: str) -> jax.Array:
            if self.resampling == "block":
                return block(h, h.shape[-1], name, resample="double")
            return Conv(h.shape[-1], kernel_init=GLOROT, dtype=self.dtype, name=name)(double(h))

        time = embed_time(t, self.channels, self.frequency_shift)
        if self.cosines_first:
            time = jnp.roll(time, self.channels // 2, axis=-1)
        time = time.astype(self.dtype)
        time = nn.Dense(4 * self.channels, kernel_init=GLOROT, dtype=self.dtype, name="time_1")(time)
        time = nn.Dense(4 * self.channels, kernel_init=GLOROT, dtype=self.dtype, name="time_2")(nn.swish(time))
        if given and self.label_classes:
            label = nn.Embed(self.label_classes, 4 * self.channels, dtype=self.dtype, name="label")(given["label"])
            time += label if kept is None else jnp.where(kept[:, None], label, 0)

        seen = _folded(beside(x, self.image, given, kept), self.patch)
        h = Conv(self.channels, kernel_init=GLOROT, dtype=self.dtype, name="in")(seen)
        skips = [h]
        for level, multiplier in enumerate(self.multipliers):
            if level:
                h = shrink(h, f"shrink_{level}")
                skips.append(h)
            for i in range(self.blocks):
                h = block(h, multiplier * self.channels, f"down_{level}_{i}", level in levels)
                skips.append(h)

        h = block(h, h.shape[-1], "middle_0", self.middle_attention)
        h = block(h, h.shape[-1], "middle_1")

        for level, multiplier in reversed(list(enumerate(self.multipliers))):
            for i in range(self.blocks + 1):
                h = jnp.concatenate([h, skips.pop()], axis=-1)
                h = block(h, multiplier * self.channels, f"up_{level}_{i}", level in levels)
            if level:
                h = grow(h, f"grow_{level}")

        h = nn.swish(nn.GroupNorm(epsilon=self.epsilon, num_groups=self.groups, dtype=self.dtype)(h))
        outputs = x.shape[-1] * (2 if self.learned_variance else 1)
        h = Conv(outputs * self.patch**2, kernel_init=ZERO, dtype=self.dtype, name="out")(h)
        h = _unfolded(h, self.patch).astype(jnp.float32)
        return h[..., : x.shape[-1]] if self.learned_variance and not variance else h

    @nn.nowrap
    def example(self) -> tuple[tuple, dict] | None:
        """The inputs of a call, to make variables from; None where it does not know the shape of an image."""
        if not all(self.shape):
            return None
        given = {"label": jnp.zeros(1, jnp.int32)} if self.label_classes else None
        return (jnp.zeros((1, *self.shape)), jnp.zeros(1), given), {"train": False}

    def _fitting(self, shape: tuple[int, ...]) -> set[int]:
        """The levels with attention in images of this shape, (H, W, C). Raises Unfit."""
        check_divides("groups", self.groups, "the channels of the finest level", self.channels)
        if shape[0] % self.patch or shape[1] % self.patch:
            raise Unfit("patch", self.patch, f"divides not both sides of images of {shape[0]} x {shape[1]}")
        shape = (shape[0] // self.patch, shape[1] // self.patch, shape[2])
        coarsest = len(self.multipliers) - 1
        check_halvings("multipliers", self.multipliers, shape, coarsest)
        heights = [shape[0] >> level for level in range(coarsest + 1)]
        names = heights if self.attention_by == "height" else list(range(coarsest + 1))
        if not set(self.attention) <= set(names):
            known = ", ".join(map(str, names))
            why = f"names {self.attention_by}s, of which there are {known}; () = the middle's"
            raise Unfit("attention", self.attention, why)
        levels = {names.index(name) for name in self.attention}
        for level in sorted(levels | ({coarsest} if self.middle_attention else set())) if self.head_width else ():
            width = self.multipliers[level] * self.channels
            check_divides("head_width", self.head_width, f"the channels of level {level}", width)
        return levels


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
