"""A stack of blocks over embedded tokens, with positions before it or in it, and a norm behind it.

What a transformer is besides its embeddings and its head. `nn/transformer`, `nn/bert` and `nn/encoder_decoder` are made
of it.
"""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from aigc_jax.errors import Unfit
from aigc_jax.nn.layers import block
from aigc_jax.nn.layers.cache import ROOM, Cache
from aigc_jax.nn.layers.dropout import Dropout
from aigc_jax.nn.layers.fit import check_divides
from aigc_jax.nn.layers.relative import RelativeBias
from aigc_jax.nn.layers.style import INIT_STD, Positions, Style, embedding, norm
from aigc_jax.ops.kernels.attention import causal_mask
from aigc_jax.ops.positions import PERIOD, line_angles, line_sines
from aigc_jax.ranges import Amount, Count, Part, Size


class Stack(nn.Module):
    """x [B, T, width] -> the same shape; T <= length.

    Positions are added to x, turn queries and keys, or are added to scores; "none" leaves them to the caller. With
    `style.after` there is no norm behind the blocks, since the last of them ends with one.
    """

    length: Size  # the most tokens
    layers: Count
    width: Size
    heads: Size
    dropout: Part
    style: Style
    positions: Positions
    dtype: Any = jnp.float32
    remat: bool = False
    out_std: Amount = INIT_STD  # of the initial weights that write to the stream
    inner_dropout: Part = 0.0  # of the MLP's hidden layer
    normed: bool = False  # x is normalised before the blocks, after positions were added
    theta: Amount = PERIOD  # of rotary positions
    buckets: Size = 32  # of relative positions
    farthest: Size = 128

    def setup(self) -> None:
        self._check()
        if self.positions == "learned":
            self.places = embedding(self.length, self.width, self.dtype, "positions")
        elif self.positions == "relative":
            self.distances = RelativeBias(self.heads, self.buckets, self.farthest)
        if self.normed:
            self.embedding_norm = norm(self.style, self.dtype)
        kind = nn.remat(block.Block, static_argnums=block.STATIC) if self.remat else block.Block
        sizes = self.heads, self.dropout, self.out_std, self.dtype, self.style, self.inner_dropout
        self.blocks = [kind(*sizes) for _ in range(self.layers)]
        if not self.style.after:
            self.last_norm = norm(self.style, self.dtype, "norm")
        self.drop = Dropout(self.dropout)

    def __call__(
        self,
        x: jax.Array,
        *,
        causal: bool,
        train: bool,
        mask: jax.Array | None = None,
        positions: jax.Array | None = None,
        source: Cache | None = None,
        source_mask: jax.Array | None = None,
    ) -> jax.Array:
        """Whole sequences.

        mask: [B, T], 1 or True where a token may be read, or [B, T, T], where each row may read; None = everywhere.
        positions: int [B, T], each below `length`; None = 0, 1, 2, …. Relative ones are those of the columns.
        source: what the cross-attention of each block reads, where there is any. source_mask: as `mask`, [B, M].
        """
        readable = _for_heads(mask)
        time = x.shape[1]
        if time > self.length:
            raise Unfit("length", self.length, f"the sequences have {time} tokens")
        x, angles = self._placed(x, 0, positions, train)
        bias = None
        if self.positions == "relative":
            columns = jnp.arange(time)
            bias = self.distances(columns, columns, not causal)
        sources = (None,) * self.layers if source is None else source
        for each, there in zip(self.blocks, sources, strict=True):
            x, _ = each(x, readable, train, causal, None, 0, angles, bias, there, _for_heads(source_mask))
        return x if self.style.after else self.last_norm(x)

    def decode(
        self,
        x: jax.Array,
        cache: Cache,
        index: jax.Array | int,
        mask: jax.Array | None = None,
        positions: jax.Array | None = None,
        source: Cache | None = None,
        source_mask: jax.Array | None = None,
    ) -> tuple[jax.Array, Cache]:
        """Causally, x [B, P, width] in the columns index .. index + P - 1 of a cache, and the cache with them.

        mask: [B, room], 1 or True where a column may be read; None = everywhere up to each token's own.
        positions: int [B, P]; None = the columns. source, source_mask: as of a call.
        """
        time, room = x.shape[1], cache[0][0].shape[ROOM]
        x, angles = self._placed(x, index, positions, train=False)
        bias = None
        if self.positions == "relative":
            bias = self.distances(index + jnp.arange(time), jnp.arange(room), False)
        readable = _for_heads(mask)
        readable = None if readable is None else causal_mask(time, room, index) & readable
        sources = (None,) * self.layers if source is None else source
        filled = []
        for each, memory, there in zip(self.blocks, cache, sources, strict=True):
            x, memory = each(x, readable, False, False, memory, index, angles, bias, there, _for_heads(source_mask))
            filled.append(memory)
        return (x if self.style.after else self.last_norm(x)), tuple(filled)

    def _placed(
        self, x: jax.Array, index: jax.Array | int, positions: jax.Array | None, train: bool
    ) -> tuple[jax.Array, jax.Array | None]:
        """The stream before the first block, and the angles of rotary positions, [B or 1, 1, T, d / 2]."""
        places = index + jnp.arange(x.shape[1]) if positions is None else positions
        angles = None
        if self.positions == "learned":
            x = x + self.places(places)
        elif self.positions == "sinusoidal":  # the scale: Vaswani et al. 2017, section 3.4
            x = x * self.width**0.5 + line_sines(places, self.width).astype(self.dtype)
        elif self.positions == "rotary":
            angles = line_angles(places, self.style.head_width or self.width // self.heads, self.theta)
            angles = angles.reshape(-1, 1, *angles.shape[-2:])
        if self.normed:
            x = self.embedding_norm(x)
        return self.drop(x, train), angles

    def _check(self) -> None:
        if not self.style.head_width:
            check_divides("heads", self.heads, "the width", self.width)
        check_divides("kv_heads", self.style.kv_heads or self.heads, "the heads", self.heads)
        each = self.style.head_width or self.width // self.heads
        if self.positions == "rotary" and each % 2:
            raise Unfit("head_width", self.style.head_width, f"rotary positions turn pairs, and a head has {each}")
        if self.positions == "sinusoidal" and self.width % 2:
            raise Unfit("width", self.width, "sinusoidal positions need an even one")
        if self.positions == "relative" and self.farthest <= self.buckets // 2:
            raise Unfit("farthest", self.farthest, f"has to be above half the buckets, {self.buckets // 2}")


def _for_heads(mask: jax.Array | None) -> jax.Array | None:
    """A mask [B, K] or [B, Q, K] as one for all heads: bool [B, 1, 1 or Q, K]."""
    return None if mask is None else (mask != 0)[(slice(None), *(None,) * (4 - mask.ndim))]
