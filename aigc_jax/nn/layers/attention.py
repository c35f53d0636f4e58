"""Multi-head attention of a sequence to itself, and to another one (Vaswani et al. 2017, section 3.2).

With fewer heads of keys and values than of queries, each of them serves a group of neighbouring queries' heads (Ainslie
et al. 2023, arXiv:2305.13245). Queries and keys may be normalised in each head before they turn (Qwen3, Yang et al.
2025, arXiv:2505.09388, section 2). Rotary positions turn both (Su et al. 2021, arXiv:2104.09864).
"""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from aigc_jax.nn.layers.cache import ROOM, Memory
from aigc_jax.nn.layers.dropout import Dropout
from aigc_jax.nn.layers.fit import check_divides
from aigc_jax.nn.layers.style import GPT2, INIT_STD, Style, dense
from aigc_jax.ops.kernels.attention import (
    attention_weights,
    causal_attention,
    causal_mask,
    heads_first,
    newest_attention,
    repeated,
)
from aigc_jax.ops.positions import turned
from aigc_jax.ranges import Amount, Part, Size


class SelfAttention(nn.Module):
    """Multi-head attention of a sequence to itself, or to the past that a memory holds."""

    heads: Size
    dropout: Part
    out_std: Amount  # of the initial weights that write to the residual stream
    dtype: Any = jnp.float32
    style: Style = GPT2

    @nn.compact
    def __call__(
        self,
        x: jax.Array,
        mask: jax.Array | None,
        train: bool,
        causal: bool = False,
        memory: Memory | None = None,
        index: jax.Array | int = 0,
        angles: jax.Array | None = None,
        bias: jax.Array | None = None,
    ) -> tuple[jax.Array, Memory]:
        """x: [B, T, width] -> the same shape, and the keys and values that it read.

        mask: bool, broadcast to [B, heads, queries, keys]; False = not read. None = everything is read.
        causal: of those, each position reads the keys up to its own; without a memory only.
        With a memory, the keys and values of x are written to it from position `index` on before they are read; without
        a mask each token reads it up to its own.
        angles: float32 [B or 1, 1, T, d / 2], of rotary positions. bias: float32, added to scores, as `mask` broadcast.
        """
        batch, time, width = x.shape
        query, key, value = self._projected(x, width)
        if self.style.query_key_norm:
            query = nn.RMSNorm(self.style.epsilon, dtype=self.dtype, name="query_norm")(query)
            key = nn.RMSNorm(self.style.epsilon, dtype=self.dtype, name="key_norm")(key)
        if angles is not None:
            query, key = turned(query, angles), turned(key, angles)
        if memory is not None:
            key, value = (
                jax.lax.dynamic_update_slice_in_dim(old, new.astype(old.dtype), index, axis=ROOM)
                for old, new in zip(memory, (key, value), strict=True)
            )
        plain = mask is None and bias is None and self.style.scaled
        if memory is not None and plain:
            read = newest_attention(query, key, value, index)
        elif causal and plain and not (train and self.dropout):
            read = causal_attention(query, key, value)
        else:
            if memory is not None and mask is None:
                mask = causal_mask(time, key.shape[ROOM], index)
            if causal:
                mask = causal_mask(time, time) & (True if mask is None else mask)
            scale = None if self.style.scaled else 1.0
            weights = attention_weights(query, repeated(key, self.heads), mask, bias, scale).astype(self.dtype)
            read = Dropout(self.dropout)(weights, train) @ repeated(value, self.heads)
        read = jnp.moveaxis(read, 1, 2).reshape(batch, time, -1)
        out = dense(width, self.out_std, self.dtype, "out", self.style.bias == "all")
        return out(read), (key, value)

    def _projected(self, x: jax.Array, width: int) -> tuple[jax.Array, ...]:
        """Query, key and value, each [B, heads of it, T, d]."""
        each = self.style.head_width or width // self.heads
        kv_heads = self.style.kv_heads or self.heads
        biased = self.style.bias != "none"
        if kv_heads == self.heads:
            return heads_first(dense((3, self.heads, each), INIT_STD, self.dtype, "qkv", biased)(x))
        check_divides("kv_heads", kv_heads, "the heads", self.heads)
        query = dense((self.heads, each), INIT_STD, self.dtype, "query", biased)(x)
        memory = dense((2, kv_heads, each), INIT_STD, self.dtype, "key_value", biased)(x)
        return jnp.moveaxis(query, 1, 2), *pair_first(memory)


class CrossAttention(nn.Module):
    """Multi-head attention of a sequence to the keys and values of another."""

    heads: Size
    dropout: Part
    out_std: Amount
    dtype: Any = jnp.float32
    style: Style = GPT2

    @nn.compact
    def __call__(self, x: jax.Array, memory: Memory, mask: jax.Array | None, train: bool) -> jax.Array:
        """x: [B, T, width], memory: what `pair_first` gives, of M tokens -> the shape of x.

        mask: bool, broadcast to [B, heads, T, M]; False = not read. None = everything is read.
        """
        batch, time, width = x.shape
        each = self.style.head_width or width // self.heads
        query = dense((self.heads, each), INIT_STD, self.dtype, "query", self.style.bias != "none")(x)
        key, value = (repeated(part, self.heads) for part in memory)
        scale = None if self.style.scaled else 1.0
        weights = attention_weights(jnp.moveaxis(query, 1, 2), key, mask, scale=scale).astype(self.dtype)
        read = jnp.moveaxis(Dropout(self.dropout)(weights, train) @ value, 1, 2).reshape(batch, time, -1)
        return dense(width, self.out_std, self.dtype, "out", self.style.bias == "all")(read)


def memory_layer(heads: int, width: int, dtype: Any, style: Style) -> nn.DenseGeneral:
    """The layer of keys and values that `CrossAttention` reads: [B, M, …] -> [B, M, 2, heads of them, d]."""
    each = style.head_width or width // heads
    return dense((2, style.kv_heads or heads, each), INIT_STD, dtype, bias=style.bias != "none")


def pair_first(memory: jax.Array) -> Memory:
    """[B, T, 2, heads, d] -> key and value, each [B, heads, T, d]."""
    key, value = jnp.moveaxis(memory, (2, 3), (0, 2))
    return key, value
