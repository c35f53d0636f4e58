"""Perceiver AR (Hawthorne et al. 2022, arXiv:2202.07765): a long context, read once by few positions.

Of T tokens, a window of N neighbouring positions are latents. With e the embedded tokens and i a latent's position,

    z_i = e_i + attention(norm(e_i); norm(e_1) .. norm(e_i)),   z_i = z_i + mlp(norm(z_i))         (section 3.1)

and a causal transformer of the latents alone makes the logits of the next token from them. The first line costs N T
products, and each block N^2, not T^2. It reads N tokens at a time, and again for its gradient (`ops.kernels.online`).
So a step keeps the embedded tokens and what a decoder of N tokens keeps.

A latent reads all tokens before it in the first line, and those of its own window in the blocks. A step of training
predicts one window of each text, which is drawn. A whole text is predicted window after window, each from all tokens
before it: the windows begin at the multiples of N, in training and afterwards.

The interface is that of `methods.autoregressive`, for a network with a field `latents`. The cache has the keys and
values of all tokens for the first line and for the blocks, where a mask leaves those of the token's own window.
"""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from aigc_jax.errors import Unfit
from aigc_jax.nn.layers.attention import memory_layer, pair_first
from aigc_jax.nn.layers.block import TENSOR_RULES, Block
from aigc_jax.nn.layers.cache import ROOM, Cache, Memory, empty, in_rows, longer
from aigc_jax.nn.layers.dropout import Dropout
from aigc_jax.nn.layers.feed_forward import feed_forward
from aigc_jax.nn.layers.fit import check_divides
from aigc_jax.nn.layers.style import GPT2, INIT_STD, branch_std, dense, embedding, norm
from aigc_jax.nn.layers.vocabulary import by_table, logits, output_layer
from aigc_jax.ops import windows
from aigc_jax.ops.kernels.attention import causal_mask, newest_attention
from aigc_jax.ops.kernels.online import SoFar, begin, end, more
from aigc_jax.ranges import Amount, Part, Size


class FeedForward(nn.Module):
    """An MLP on the normalised stream, added to it."""

    dropout: Part
    out_std: Amount
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        hidden = feed_forward(norm(GPT2, self.dtype, "mlp_norm")(x), self.out_std, self.dtype, GPT2)
        return x + Dropout(self.dropout)(hidden, train)


class Reading(nn.Module):
    """The attention of latents to all tokens, and an MLP, each added to the latents."""

    heads: Size
    width: Size
    dropout: Part  # of what is added; no weight of the attention is dropped
    out_std: Amount
    dtype: Any = jnp.float32

    def setup(self) -> None:
        self.query_norm = norm(GPT2, self.dtype)
        self.query = dense((self.heads, self.width // self.heads), INIT_STD, self.dtype)
        self.memory_norm = norm(GPT2, self.dtype)
        self.memory_layer = memory_layer(self.heads, self.width, self.dtype, GPT2)
        self.out = dense(self.width, self.out_std, self.dtype)
        self.drop = Dropout(self.dropout)
        self.feed_forward = FeedForward(self.dropout, self.out_std, self.dtype)

    def __call__(self, latents: jax.Array, x: jax.Array, mask: jax.Array, train: bool) -> jax.Array:
        """latents: [B, Q, width], x: [B, T, width] -> the shape of latents.

        mask: bool [parts, B or 1, 1, Q, T / parts], which tokens each latent reads. A part of x is read at a time, and
        again for its gradient.
        """
        query = jnp.moveaxis(self.query(self.query_norm(latents)), 1, 2)

        def turn(module: "Reading", so_far: SoFar, part: tuple[jax.Array, jax.Array]) -> tuple[SoFar, None]:
            return more(so_far, query, *module.memory(part[0]), part[1]), None

        parts = jnp.moveaxis(x.reshape(len(x), len(mask), -1, self.width), 1, 0)
        scan = nn.scan(nn.remat(turn), variable_broadcast="params", split_rngs={"params": False, "dropout": False})
        read, _ = scan(self, begin(query), (parts, mask))
        return self.added(latents, end(read), train)

    def memory(self, x: jax.Array) -> Memory:
        """Tokens [B, T, width] -> their keys and values."""
        return pair_first(self.memory_layer(self.memory_norm(x)))

    def newest(self, latents: jax.Array, memory: Memory, index: jax.Array | int) -> jax.Array:
        """Latents [B, P, width] at the positions from `index` on, which read the keys and values up to their own."""
        query = jnp.moveaxis(self.query(self.query_norm(latents)), 1, 2)
        return self.added(latents, newest_attention(query, *memory, index), False)

    def added(self, latents: jax.Array, read: jax.Array, train: bool) -> jax.Array:
        """The latents with what they read, and the MLP. read: [B, heads, Q, d]."""
        found = jnp.moveaxis(read, 1, 2).reshape(latents.shape).astype(self.dtype)
        return self.feed_forward(latents + self.drop(self.out(found), train), train)


class PerceiverAR(nn.Module):
    """Tokens [B, T] int32 -> logits [B, T, vocabulary] float32, or those of one window; T <= length."""

    vocabulary: Size
    length: Size  # the most tokens that it reads
    latents: Size  # positions of a window; they divide `length`
    layers: Size  # blocks of the latents, after the one that reads all tokens
    width: Size  # of the residual stream
    heads: Size  # of the attention; they divide `width`
    dropout: Part  # share of the values that are zeroed in training
    tied: bool  # the output layer is the embedding, transposed (Press & Wolf 2017)
    dtype: Any = jnp.float32

    TENSOR_RULES = (("memory_layer/kernel", 2), ("reading/query/kernel", 1), ("reading/out/kernel", 0), *TENSOR_RULES)

    def setup(self) -> None:
        check_divides("heads", self.heads, "the width", self.width)
        check_divides("latents", self.latents, "the length", self.length)
        self.embedding = embedding(self.vocabulary, self.width, self.dtype)
        self.places = embedding(self.length, self.width, self.dtype)
        self.drop = Dropout(self.dropout)
        sizes = self.heads, self.dropout, branch_std(2 * self.layers + 2), self.dtype
        self.reading = Reading(self.heads, self.width, *sizes[1:])
        self.blocks = [Block(*sizes) for _ in range(self.layers)]
        self.norm = norm(GPT2, self.dtype)
        if not self.tied:
            self.head = output_layer(self.vocabulary, self.dtype)

    def __call__(
        self,
        tokens: jax.Array,
        *,
        causal: bool,
        train: bool,
        mask: jax.Array | None = None,
        positions: jax.Array | None = None,
        first: jax.Array | None = None,
    ) -> jax.Array:
        """Whole sequences, or one window of each.

        first: int [B], the first position of a window, whose logits [B, latents, vocabulary] are computed alone;
        None = those of all windows. causal: True: it can do nothing else. mask: [B, T], 1 or True where a token may be
        read, or [B, T, T], where each row may read; None = everywhere. positions: int [B, T], each below `length`;
        None = 0, 1, 2, ….
        """
        rows, time = tokens.shape
        if time > self.length:
            raise Unfit("length", self.length, f"the sequences have {time} tokens")
        if first is None:
            count = -(-time // self.latents)
            firsts = jnp.tile(self.latents * jnp.arange(count), rows)
        else:
            count, firsts = 1, first
        size, room = self.latents, -(-time // self.latents) * self.latents
        x = self._embed(tokens, jnp.arange(time) if positions is None else positions, train)
        x = jnp.pad(x, ((0, 0), (0, room - time), (0, 0)))  # after the end, where nothing reads it
        if mask is not None:
            mask = (jnp.broadcast_to(mask[:, None], (rows, time, time)) if mask.ndim == 2 else mask) != 0
            mask = jnp.pad(mask, ((0, 0), (0, room - time), (0, room - time)))

        window = x if first is None else windows.within(x, first, size)
        places = jnp.arange(room)[None] if first is None else first[:, None] + jnp.arange(size)
        readable = jnp.arange(room) <= places[:, :, None]
        if mask is not None:
            readable &= mask if first is None else windows.within(mask, first, size)
        parts = jnp.moveaxis(readable.reshape(*readable.shape[:2], -1, size), 2, 0)[:, :, None]
        x = self.reading(window, x, parts, train).reshape(rows * count, size, self.width)
        own = None
        if mask is not None:
            each = windows.within(jnp.repeat(mask, count, axis=0), firsts, size)
            own = jnp.swapaxes(windows.within(jnp.swapaxes(each, 1, 2), firsts, size), 1, 2)[:, None]
        for block in self.blocks:
            x, _ = block(x, own, train, True)
        x = x.reshape(rows, count * size, self.width)
        return self._logits(x if first is not None else x[:, :time])

    def decode(self, tokens: jax.Array, cache: Cache, index: jax.Array | int) -> tuple[jax.Array, Cache]:
        """The causal logits of tokens [B, P] at the positions index .. index + P - 1 <= length - 1.

        cache: what `empty_cache`, `longer` or the last call gave, filled up to `index`, with room for these tokens.
        """
        rows, places = len(tokens), index + jnp.arange(tokens.shape[1])
        x = self._embed(in_rows(tokens, rows, cache), places, train=False)
        written = self.reading.memory(x)
        key, value = (
            jax.lax.dynamic_update_slice_in_dim(old, new.astype(old.dtype), index, axis=ROOM)
            for old, new in zip(cache[0], written, strict=True)
        )
        x, filled = self.reading.newest(x, (key, value), index), [(key, value)]
        mask = causal_mask(len(places), key.shape[ROOM], index)
        mask &= (jnp.arange(key.shape[ROOM]) // self.latents == places[:, None] // self.latents)[None, None]
        for block, memory in zip(self.blocks, cache[1:], strict=True):
            x, memory = block(x, mask, False, False, memory, index)
            filled.append(memory)
        return self._logits(x)[:rows], tuple(filled)

    @nn.nowrap
    def example(self) -> tuple[tuple, dict]:
        """The inputs of a call, to make variables from."""
        return (jnp.zeros((1, self.length), jnp.int32),), {"causal": True, "train": False}

    @nn.nowrap
    def empty_cache(self, batch: int, room: int) -> Cache:
        """The cache before the first token of `batch` sequences, with room for as many tokens, at most `length`."""
        return empty(batch, room, 1 + self.layers, self.heads, self.width // self.heads, self.dtype)

    @nn.nowrap
    def longer(self, cache: Cache, room: int) -> Cache:
        """The same cache with room for more tokens. `decode` reads all the room that there is, filled or not."""
        return longer(cache, room)

    def _embed(self, tokens: jax.Array, places: jax.Array, train: bool) -> jax.Array:
        return self.drop(self.embedding(tokens) + self.places(places), train)

    def _logits(self, x: jax.Array) -> jax.Array:
        return logits(self.norm(x), by_table(self.embedding.embedding.T, self.dtype) if self.tied else self.head)
