"""An encoder of one text and a decoder of another, which reads it by attention (Vaswani et al. 2017, arXiv:1706.03762).

As it stands it is T5 (Raffel et al. 2020, arXiv:1910.10683, section 2.1): relative positions that all blocks share,
root-mean-square norms before each branch, no biases, and scores that are not divided by sqrt(d). What others have in
their place:

    T5 v1.1          activation="geglu", tied=False, scaled_output=False             Shazeer 2020, arXiv:2002.05202
    Transformer      positions="sinusoidal", norm="layer", bias="all", after=True    Vaswani et al. 2017
    BART             positions="learned", norm="layer", bias="all", after=True, activation="gelu", normed=True
                                                                                     Lewis et al. 2019, arXiv:1910.13461

Keys and values of the source are computed once a text, by one layer for each block of the decoder.
"""

from collections.abc import Mapping
from typing import Annotated, Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from aigc_jax.errors import Unfit
from aigc_jax.nn.layers import block
from aigc_jax.nn.layers.attention import memory_layer, pair_first
from aigc_jax.nn.layers.cache import Cache, empty, in_rows, longer
from aigc_jax.nn.layers.dropout import Dropout
from aigc_jax.nn.layers.stack import Stack
from aigc_jax.nn.layers.style import (
    INIT_STD,
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

Read = tuple[Cache, jax.Array]  # keys and values of a source for each block, and which tokens may be read, [B, M]


class EncoderDecoder(nn.Module):
    """Tokens [B, T] int32 and a source [B, M] int32 -> logits [B, T, vocabulary] float32; T <= length."""

    vocabulary: Size
    length: Size  # the most tokens of a text
    source_vocabulary: Size
    source_length: Size  # the most tokens of a source but the first
    source_pad: Annotated[int, at_least(0, besides=-1)]  # the token of a source that is not read; -1 = none
    layers: Size  # blocks of the decoder
    width: Size  # of the residual stream
    heads: Size  # of the attention; they divide `width`, where `head_width` is 0
    dropout: Part  # share of the values that are zeroed in training
    tied: bool  # the output layer is the embedding, transposed (Press & Wolf 2017)
    encoder_layers: Count = 0  # blocks of the encoder; 0 = as many as `layers`
    shared: bool = False  # source and text have one embedding; then they have one vocabulary
    positions: Positions = "relative"  # sinusoidal: of 2017; rotary: turn queries and keys; relative: of T5, in scores
    norm: Norm = "rms"  # layer: with a mean, and a shift
    activation: Activation = "relu"  # of the MLP; swiglu and geglu have a gate
    bias: Bias = "none"  # which linear layers add one; all: with the norm, where it is "layer"
    after: bool = False  # the norm is of the sum of stream and branch, and not of what the branch reads
    normed: bool = False  # the embeddings are normalised
    kv_heads: Count = 0  # of keys and values, which groups of heads share; 0 = as many as `heads`
    head_width: Count = 0  # of a head; 0 = `width` / `heads`
    mlp_width: Count = 0  # of the MLP's hidden layer; 0 = 4 `width`
    norm_epsilon: Epsilon = 1e-6  # added to the variance
    scaled_output: bool = False  # what a tied output layer reads is divided by sqrt(`width`), as by T5 v1.0
    rope_theta: Annotated[float, above(0)] = float(PERIOD)  # of rotary positions: the longest period, over 2π
    buckets: Annotated[int, at_least(4)] = 32  # of relative positions
    farthest: Size = 128  # distance from which on relative positions have one bucket; above `buckets` / 2
    dtype: Any = jnp.float32
    remat: bool = False  # compute each block again for its gradient, instead of keeping what is inside

    TENSOR_RULES = block.TENSOR_RULES

    reads = ("source",)

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
            after=self.after,
            scaled=self.positions != "relative",
        )

    def setup(self) -> None:
        if self.shared and self.source_vocabulary != self.vocabulary:
            why = f"the source has {self.source_vocabulary} tokens, the text {self.vocabulary}"
            raise Unfit("shared", self.shared, why)
        self.embedding = embedding(self.vocabulary, self.width, self.dtype)
        if not self.shared:
            self.source_embedding = embedding(self.source_vocabulary, self.width, self.dtype)
        depth = self.encoder_layers or self.layers
        self.encoder = self._stack(self.source_length + 1, depth, 2 * depth)
        self.decoder = self._stack(self.length, self.layers, 3 * self.layers)
        self.key_value = [memory_layer(self.heads, self.width, self.dtype, self.style) for _ in range(self.layers)]
        self.drop = Dropout(self.dropout)
        if not self.tied:
            self.head = output_layer(self.vocabulary, self.dtype)

    def __call__(
        self,
        tokens: jax.Array,
        *,
        given: Mapping[str, jax.Array],
        train: bool,
        causal: bool = True,
        mask: jax.Array | None = None,
        positions: jax.Array | None = None,
    ) -> jax.Array:
        """Whole sequences. given: "source", int [B, M <= source_length + 1].

        mask, positions: of the tokens, as of `transformer.Transformer`. causal: each token reads those up to its own.
        """
        source, readable = self.read(given, train=train)
        x = self.decoder(
            self.embedding(tokens),
            causal=causal,
            train=train,
            mask=mask,
            positions=positions,
            source=source,
            source_mask=readable,
        )
        return self._logits(self.drop(x, train))

    def encode(
        self, source: jax.Array, *, train: bool, mask: jax.Array | None = None, positions: jax.Array | None = None
    ) -> jax.Array:
        """A source int [B, M] -> a vector a token, [B, M, width]. mask, positions: as of a call."""
        table = self.embedding if self.shared else self.source_embedding
        x = self.encoder(table(source), causal=False, train=train, mask=mask, positions=positions)
        return self.drop(x, train)

    def read(self, given: Mapping[str, jax.Array], *, train: bool = False) -> Read:
        """What decoding reads of the given "source", int [B, M]: everything but its padding."""
        source = given["source"]
        if source.shape[1] > self.source_length + 1:
            raise Unfit("source_length", self.source_length, f"the sources have {source.shape[1] - 1} tokens")
        readable = source != self.source_pad
        hidden = self.encode(source, train=train, mask=readable)
        return tuple(pair_first(layer(hidden)) for layer in self.key_value), readable

    def decode(
        self,
        tokens: jax.Array,
        cache: Cache,
        index: jax.Array | int,
        read: Read,
        mask: jax.Array | None = None,
        positions: jax.Array | None = None,
    ) -> tuple[jax.Array, Cache]:
        """As of `transformer.Transformer`, of tokens [B, P] beside what was `read` of their sources."""
        rows = len(tokens)
        tokens, read, mask, positions = in_rows((tokens, read, mask, positions), rows, cache)
        x, filled = self.decoder.decode(self.embedding(tokens), cache, index, mask, positions, *read)
        return self._logits(x)[:rows], filled

    @nn.nowrap
    def example(self) -> tuple[tuple, dict]:
        """The inputs of a call, to make variables from."""
        given = {"source": jnp.zeros((1, self.source_length + 1), jnp.int32)}
        return (jnp.zeros((1, self.length), jnp.int32),), {"given": given, "train": False}

    @nn.nowrap
    def empty_cache(self, batch: int, room: int) -> Cache:
        """The cache before the first token of `batch` sequences, with room for as many tokens, at most `length`."""
        each = self.head_width or self.width // self.heads
        return empty(batch, room, self.layers, self.kv_heads or self.heads, each, self.dtype)

    @nn.nowrap
    def longer(self, cache: Cache, room: int) -> Cache:
        """The same cache with room for more tokens. `decode` reads all the room that there is, filled or not."""
        return longer(cache, room)

    @nn.nowrap
    def _stack(self, length: int, layers: int, branches: int) -> Stack:
        return Stack(
            length,
            layers,
            self.width,
            self.heads,
            self.dropout,
            self.style,
            self.positions,
            self.dtype,
            self.remat,
            INIT_STD if self.after else branch_std(branches),
            self.dropout,
            self.normed,
            self.rope_theta,
            self.buckets,
            self.farthest,
        )

    def _logits(self, x: jax.Array) -> jax.Array:
        if self.scaled_output:
            x = x * self.width**-0.5
        return logits(x, by_table(self.embedding.embedding.T, self.dtype) if self.tied else self.head)
