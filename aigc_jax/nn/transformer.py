"""The transformer of GPT-2, in parts that encoders and masked models share.

Vaswani et al. 2017, Attention is all you need; Radford et al. 2019, Language models are
unsupervised multitask learners: layer normalisation before each branch and after the last block,
learned positions, GELU, and weights that write to the residual stream scaled by 1 / sqrt(2 layers).

A block adds two branches to x [B, T, width]:

    x + attention(norm(x), mask)      mask: which keys each query may read
    x + mlp(norm(x))

The caller decides what a block attends to. A decoder asks for causal attention, or gives a memory of earlier keys and
values. An encoder or a masked model gives the mask of its padding.
"""

from typing import Any, ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.linen.dtypes import promote_dtype

from aigc_jax.errors import Unfit
from aigc_jax.nn.layers.dropout import Dropout
from aigc_jax.nn.layers.fit import check_divides
from aigc_jax.ops.kernels.attention import (
    attention_weights,
    causal_attention,
    causal_mask,
    heads_first,
    newest_attention,
)
from aigc_jax.ops.kernels.matmul import columns_dot, rows_dot
from aigc_jax.ops.platform import gpu_in_half
from aigc_jax.ranges import Amount, Part, Size

Memory = tuple[jax.Array, jax.Array]  # the keys and values of one block, each [B, heads, room, width / heads]
Cache = tuple[Memory, ...]  # one memory a block
ROOM = 2  # the axis of a memory that counts tokens

EXPANSION = 4  # width of the MLP's hidden layer / width
INIT_STD = 0.02  # of embeddings and kernels
NORM_EPSILON = 1e-5
GELU = jax.checkpoint(nn.gelu)  # computes the tanh again for its gradient: kept, it is a ninth of a step's memory


def _dense(features: int | tuple[int, ...], std: float, dtype: Any, name: str) -> nn.DenseGeneral:
    init = nn.initializers.normal(std)
    return nn.DenseGeneral(features, kernel_init=init, dtype=dtype, name=name, dot_general=rows_dot)


def _norm(dtype: Any, name: str, drawing: bool) -> nn.LayerNorm:
    """drawing: one token a text. There XLA fuses a variance of deviations into one kernel, one of squares into two."""
    return nn.LayerNorm(NORM_EPSILON, use_fast_variance=not (drawing and gpu_in_half(dtype)), dtype=dtype, name=name)


class SelfAttention(nn.Module):
    """Multi-head attention of a sequence to itself, or to the past that a memory holds."""

    heads: Size
    dropout: Part
    out_std: Amount  # of the initial weights that write to the residual stream
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(
        self,
        x: jax.Array,
        mask: jax.Array | None,
        train: bool,
        causal: bool = False,
        memory: Memory | None = None,
        index: jax.Array | int = 0,
    ) -> tuple[jax.Array, Memory]:
        """x: [B, T, width] -> the same shape, and the keys and values that it read.

        mask: bool, broadcast to [B, heads, queries, keys]; False = not read. None = everything is read.
        causal: of those, each position reads the keys up to its own; without a memory only.
        With a memory, the keys and values of x are written to it from position `index` on before they are read; without
        a mask each token reads it up to its own.
        """
        batch, time, width = x.shape
        qkv = _dense((3, self.heads, width // self.heads), INIT_STD, self.dtype, "qkv")(x)
        query, key, value = heads_first(qkv)
        if memory is not None:
            key, value = (
                jax.lax.dynamic_update_slice_in_dim(old, new.astype(old.dtype), index, axis=ROOM)
                for old, new in zip(memory, (key, value), strict=True)
            )
        if memory is not None and mask is None:
            read = newest_attention(query, key, value, index)
        elif causal and mask is None and not (train and self.dropout):
            read = causal_attention(query, key, value)
        else:
            if causal:
                mask = causal_mask(time, time) & (True if mask is None else mask)
            weights = attention_weights(query, key, mask).astype(self.dtype)
            read = Dropout(self.dropout)(weights, train) @ value
        read = jnp.moveaxis(read, 1, 2).reshape(batch, time, width)
        return _dense(width, self.out_std, self.dtype, "out")(read), (key, value)


class Block(nn.Module):
    """Attention and an MLP, each on the normalised stream and added to it."""

    heads: Size
    dropout: Part
    out_std: Amount
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(
        self,
        x: jax.Array,
        mask: jax.Array | None,
        train: bool,
        causal: bool = False,
        memory: Memory | None = None,
        index: jax.Array | int = 0,
    ) -> tuple[jax.Array, Memory]:
        """As `SelfAttention`."""
        width = x.shape[-1]
        drop = Dropout(self.dropout)
        drawing = memory is not None
        normed = _norm(self.dtype, "attention_norm", drawing)(x)
        attention = SelfAttention(self.heads, self.dropout, self.out_std, self.dtype, name="attention")
        found, memory = attention(normed, mask, train, causal, memory, index)
        x = x + drop(found, train)
        hidden = _norm(self.dtype, "mlp_norm", drawing)(x)
        hidden = GELU(_dense(EXPANSION * width, INIT_STD, self.dtype, "mlp_in")(hidden))
        return x + drop(_dense(width, self.out_std, self.dtype, "mlp_out")(hidden), train), memory


class Transformer(nn.Module):
    """Tokens [B, T] int32 -> logits [B, T, vocabulary] float32; T <= length."""

    vocabulary: Size
    length: Size  # the most tokens that it reads
    layers: Size  # blocks of attention and an MLP
    width: Size  # of the residual stream
    heads: Size  # of the attention; they divide `width`
    dropout: Part  # share of the values that are zeroed in training
    tied: bool  # the output layer is the embedding, transposed (Press & Wolf 2017)
    dtype: Any = jnp.float32
    remat: bool = False  # compute each block again for its gradient, instead of keeping what is inside

    TENSOR_RULES: ClassVar = (  # each branch splits its hidden axis (Shoeybi et al. 2019, Megatron-LM)
        ("qkv/kernel", 2),  # heads, whole ones
        ("mlp_in/kernel", 1),
        ("(attention/out|mlp_out)/kernel", 0),
        ("head/kernel", 1),
    )

    def setup(self) -> None:
        check_divides("heads", self.heads, "the width", self.width)
        init = nn.initializers.normal(INIT_STD)
        out_std = INIT_STD / (2 * self.layers) ** 0.5
        self.embedding = nn.Embed(self.vocabulary, self.width, embedding_init=init, dtype=self.dtype)
        self.positions = nn.Embed(self.length, self.width, embedding_init=init, dtype=self.dtype)
        kind = nn.remat(Block, static_argnums=(3, 4)) if self.remat else Block  # train, causal
        self.blocks = [kind(self.heads, self.dropout, out_std, self.dtype) for _ in range(self.layers)]
        self.norm = nn.LayerNorm(NORM_EPSILON, dtype=self.dtype)
        self.drop = Dropout(self.dropout)
        if not self.tied:
            self.head = nn.Dense(
                self.vocabulary, use_bias=False, kernel_init=init, dtype=self.dtype, dot_general=columns_dot
            )

    def __call__(self, tokens: jax.Array, *, causal: bool, train: bool, mask: jax.Array | None = None) -> jax.Array:
        """Whole sequences. mask: [B, T], 1 or True where a token may be read; None = everywhere."""
        if tokens.shape[1] > self.length:
            raise Unfit("length", self.length, f"the sequences have {tokens.shape[1]} tokens")
        readable = None if mask is None else (mask != 0)[:, None, None, :]
        x = self._embed(tokens, 0, train)
        for block in self.blocks:
            x, _ = block(x, readable, train, causal)
        return self._logits(x)

    def decode(self, tokens: jax.Array, cache: Cache, index: jax.Array | int) -> tuple[jax.Array, Cache]:
        """The causal logits of tokens [B, P] at the positions index .. index + P - 1 <= length - 1.

        cache: what `empty_cache`, `longer` or the last call gave, filled up to `index`, with room for these tokens.
        """
        rows = len(tokens)
        x = self._embed(jnp.repeat(tokens, cache[0][0].shape[0] // rows, axis=0), index, train=False)
        filled = []
        for block, memory in zip(self.blocks, cache, strict=True):
            x, memory = block(x, None, False, False, memory, index)
            filled.append(memory)
        return self._logits(x)[:rows], tuple(filled)

    @nn.nowrap
    def example(self) -> tuple[tuple, dict]:
        """The inputs of a call, to make variables from."""
        return (jnp.zeros((1, self.length), jnp.int32),), {"causal": True, "train": False}

    @nn.nowrap
    def empty_cache(self, batch: int, room: int) -> Cache:
        """The cache before the first token of `batch` sequences, with room for as many tokens, at most `length`."""
        if batch == 1 and gpu_in_half(self.dtype):
            batch = 2  # see `gpu_in_half`: `decode` repeats its row
        zeros = jnp.zeros((batch, self.heads, room, self.width // self.heads), self.dtype)
        return ((zeros, zeros),) * self.layers

    @nn.nowrap
    def longer(self, cache: Cache, room: int) -> Cache:
        """The same cache with room for more tokens. `decode` reads all the room that there is, filled or not."""
        return jax.tree.map(lambda x: jnp.pad(x, ((0, 0), (0, 0), (0, room - x.shape[ROOM]), (0, 0))), cache)

    def _embed(self, tokens: jax.Array, index: jax.Array | int, train: bool) -> jax.Array:
        x = self.embedding(tokens) + self.positions(index + jnp.arange(tokens.shape[1]))
        return self.drop(x, train)

    def _logits(self, x: jax.Array) -> jax.Array:
        rows = self.norm(x).reshape(-1, self.width)  # see `rows_dot`
        if self.tied:
            rows, table = promote_dtype(rows, self.embedding.embedding, dtype=self.dtype)
            logits = columns_dot(rows, table.T, (((1,), (0,)), ((), ())))
        else:
            logits = self.head(rows)
        return logits.reshape(*x.shape[:-1], self.vocabulary).astype(jnp.float32)
