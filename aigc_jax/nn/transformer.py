"""One transformer of tokens, whose options make the layouts of GPT-2, Llama, Qwen and others.

Vaswani et al. 2017, Attention is all you need; Radford et al. 2019, Language models are
unsupervised multitask learners: layer normalisation before each branch and after the last block,
learned positions, GELU, and weights that write to the residual stream scaled by 1 / sqrt(2 layers). These are the
defaults. What others have in their place:

    Llama   positions="rotary", norm="rms", activation="swiglu", bias="none"     Touvron et al. 2023, arXiv:2302.13971
    Llama 2 and 3   the same with fewer `kv_heads`                               Touvron et al. 2023, arXiv:2307.09288
    Qwen2   as Llama 2, with bias="qkv"                                          Yang et al. 2024, arXiv:2407.10671
    Qwen3   as Llama 2, with query_key_norm=True and a `head_width`              Yang et al. 2025, arXiv:2505.09388

The blocks are `layers/block`.
"""

from typing import Annotated, Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from aigc_jax.nn.layers import block
from aigc_jax.nn.layers.cache import Cache, empty, in_rows, longer
from aigc_jax.nn.layers.stack import Stack
from aigc_jax.nn.layers.style import (
    NORM_EPSILON,
    Activation,
    Bias,
    Epsilon,
    Norm,
    Positions,
    Style,
    branch_std,
    embedding,
)
from aigc_jax.nn.layers.vocabulary import by_table, logits, output_layer
from aigc_jax.ops.positions import PERIOD
from aigc_jax.ranges import Count, Part, Size, above, at_least


class Transformer(nn.Module):
    """Tokens [B, T] int32 -> logits [B, T, vocabulary] float32; T <= length."""

    vocabulary: Size
    length: Size  # the most tokens that it reads
    layers: Size  # blocks of attention and an MLP
    width: Size  # of the residual stream
    heads: Size  # of the attention; they divide `width`, where `head_width` is 0
    dropout: Part  # share of the values that are zeroed in training
    tied: bool  # the output layer is the embedding, transposed (Press & Wolf 2017)
    dtype: Any = jnp.float32
    remat: bool = False  # compute each block again for its gradient, instead of keeping what is inside
    positions: Positions = "learned"  # sinusoidal: of 2017; rotary: turn queries and keys; relative: of T5, in scores
    norm: Norm = "layer"  # rms: without a mean and a shift
    activation: Activation = "gelu_tanh"  # of the MLP; swiglu and geglu have a gate
    bias: Bias = "all"  # which linear layers add one; all: with the norm, where it is "layer"
    kv_heads: Count = 0  # of keys and values, which groups of heads share; 0 = as many as `heads`
    head_width: Count = 0  # of a head; 0 = `width` / `heads`
    mlp_width: Count = 0  # of the MLP's hidden layer; 0 = 4 `width`
    query_key_norm: bool = False  # queries and keys are normalised in each head
    norm_epsilon: Epsilon = NORM_EPSILON  # added to the variance
    rope_theta: Annotated[float, above(0)] = float(PERIOD)  # of rotary positions: the longest period, over 2π
    buckets: Annotated[int, at_least(4)] = 32  # of relative positions
    farthest: Size = 128  # distance from which on relative positions have one bucket; above `buckets` / 2

    TENSOR_RULES = block.TENSOR_RULES

    @property
    def style(self) -> Style:
        """Of the blocks."""
        return Style(
            norm=self.norm,
            epsilon=self.norm_epsilon,
            activation=self.activation,
            bias=self.bias,
            kv_heads=self.kv_heads,
            head_width=self.head_width,
            mlp_width=self.mlp_width,
            query_key_norm=self.query_key_norm,
            scaled=self.positions != "relative",
        )

    def setup(self) -> None:
        self.embedding = embedding(self.vocabulary, self.width, self.dtype)
        self.stack = Stack(
            self.length,
            self.layers,
            self.width,
            self.heads,
            self.dropout,
            self.style,
            self.positions,
            self.dtype,
            self.remat,
            branch_std(2 * self.layers),
            theta=self.rope_theta,
            buckets=self.buckets,
            farthest=self.farthest,
        )
        nn.share_scope(self, self.stack)  # its weights have no longer paths
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
        at: jax.Array | None = None,
    ) -> jax.Array:
        """Whole sequences.

        mask: [B, T], 1 or True where a token may be read, or [B, T, T], where each row may read; None = everywhere.
        positions: int [B, T], each below `length`; None = 0, 1, 2, …. Relative ones are those of the columns.
        at: int [B, K], the places whose logits [B, K, vocabulary] are wanted; None = all.
        """
        x = self.stack(self.embedding(tokens), causal=causal, train=train, mask=mask, positions=positions)
        return self._logits(x if at is None else jnp.take_along_axis(x, at[..., None], axis=1))

    def decode(
        self,
        tokens: jax.Array,
        cache: Cache,
        index: jax.Array | int,
        mask: jax.Array | None = None,
        positions: jax.Array | None = None,
    ) -> tuple[jax.Array, Cache]:
        """The causal logits of tokens [B, P] in the columns index .. index + P - 1 of a cache.

        cache: what `empty_cache`, `longer` or the last call gave, filled up to `index`, with room for these tokens.
        mask: [B, room], 1 or True where a column may be read; None = everywhere up to each token's own.
        positions: int [B, P], each below `length`; None = the columns. Relative ones are those of the columns.
        """
        rows = len(tokens)
        tokens, mask, positions = in_rows((tokens, mask, positions), rows, cache)
        x, filled = self.stack.decode(self.embedding(tokens), cache, index, mask, positions)
        return self._logits(x)[:rows], filled

    @nn.nowrap
    def example(self) -> tuple[tuple, dict]:
        """The inputs of a call, to make variables from."""
        return (jnp.zeros((1, self.length), jnp.int32),), {"causal": True, "train": False}

    @nn.nowrap
    def empty_cache(self, batch: int, room: int) -> Cache:
        """The cache before the first token of `batch` sequences, with room for as many tokens, at most `length`."""
        each = self.head_width or self.width // self.heads
        return empty(batch, room, self.layers, self.kv_heads or self.heads, each, self.dtype)

    @nn.nowrap
    def longer(self, cache: Cache, room: int) -> Cache:
        """The same cache with room for more tokens. `decode` reads all the room that there is, filled or not."""
        return longer(cache, room)

    def _logits(self, x: jax.Array) -> jax.Array:
        return logits(x, by_table(self.embedding.embedding.T, self.dtype) if self.tied else self.head)
