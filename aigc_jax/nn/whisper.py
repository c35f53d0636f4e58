"""Whisper: a text from the spectrogram of speech (Radford et al. 2022, arXiv:2212.04356, section 2.2).

Two convolutions with GELU make a vector of every two frames; the positions of these are sines. An encoder and a decoder
follow, with norms before each branch, learned positions of the tokens, and an output layer that is the embedding,
transposed. The decoder is that of `nn/encoder_decoder`: what it reads of the spectrogram is computed once a clip.

The sines are among the weights, as in published files. `optimizers.<network>.trainable` can leave them as they are.
Keys have a bias here, as all else has; it adds the same to all scores of a query, which a softmax does not see.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from aigc_jax.errors import Unfit
from aigc_jax.nn.layers import block
from aigc_jax.nn.layers.attention import memory_layer, pair_first
from aigc_jax.nn.layers.cache import Cache, empty, in_rows, longer
from aigc_jax.nn.layers.dropout import Dropout
from aigc_jax.nn.layers.feed_forward import EXACT_GELU
from aigc_jax.nn.layers.stack import Stack
from aigc_jax.nn.layers.style import Positions, Style, branch_std, embedding
from aigc_jax.nn.layers.vocabulary import by_table, logits
from aigc_jax.ops.positions import line_sines
from aigc_jax.ranges import Count, Part, Size

STRIDE = 2  # frames of a spectrogram that become one vector


class Whisper(nn.Module):
    """Tokens [B, T] int32 and spectrograms [B, F, mels] float32 -> logits [B, T, vocabulary] float32; T <= length."""

    vocabulary: Size
    length: Size  # the most tokens of a text
    source_length: Size  # the most vectors of a spectrogram, of two frames each
    mels: Size  # filters of a spectrogram
    layers: Size  # blocks of the decoder
    width: Size  # of the residual stream; an even one
    heads: Size  # of the attention; they divide `width`
    dropout: Part  # share of the values that are zeroed in training
    encoder_layers: Count = 0  # blocks of the encoder; 0 = as many as `layers`
    mlp_width: Count = 0  # of the MLP's hidden layer; 0 = 4 `width`
    dtype: Any = jnp.float32
    remat: bool = False  # compute each block again for its gradient, instead of keeping what is inside

    TENSOR_RULES = block.TENSOR_RULES

    reads = ("source",)

    @property
    def style(self) -> Style:
        """Of the blocks."""
        return Style(activation="gelu", mlp_width=self.mlp_width)

    def setup(self) -> None:
        if self.width % 2:
            raise Unfit("width", self.width, "sines and cosines need an even one")
        depth = self.encoder_layers or self.layers
        convolution = partial(nn.Conv, self.width, (3,), padding=1, dtype=self.dtype)
        self.stem = [convolution(), convolution(strides=STRIDE)]
        self.sines = self.param("sines", lambda _: line_sines(jnp.arange(self.source_length), self.width, closed=True))
        self.encoder = self._stack(self.source_length, depth, 2 * depth, "none")
        self.embedding = embedding(self.vocabulary, self.width, self.dtype)
        self.decoder = self._stack(self.length, self.layers, 3 * self.layers, "learned")
        self.key_value = [memory_layer(self.heads, self.width, self.dtype, self.style) for _ in range(self.layers)]
        self.drop = Dropout(self.dropout)

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
        """Whole sequences. given: "source", float32 [B, F <= 2 source_length, mels], as `ops.mel.log_mel` makes it.

        mask, positions: of the tokens, as of `transformer.Transformer`. causal: each token reads those up to its own.
        """
        source = self.read(given, train=train)
        x = self.embedding(tokens)
        x = self.decoder(x, causal=causal, train=train, mask=mask, positions=positions, source=source)
        return self._logits(x)

    def encode(self, source: jax.Array, *, train: bool = False) -> jax.Array:
        """A spectrogram [B, F, mels] -> a vector for every two frames, [B, ceil(F / 2), width]."""
        x = source.astype(self.dtype)
        for layer in self.stem:
            x = EXACT_GELU(layer(x))
        time = x.shape[1]
        if time > self.source_length:
            raise Unfit("source_length", self.source_length, f"the spectrograms make {time} vectors")
        x = self.drop(x + self.sines[:time].astype(self.dtype), train)
        return self.encoder(x, causal=False, train=train)

    def read(self, given: Mapping[str, jax.Array], *, train: bool = False) -> Cache:
        """What decoding reads of the given "source": keys and values for each block. Silence is read too."""
        hidden = self.encode(given["source"], train=train)
        return tuple(pair_first(layer(hidden)) for layer in self.key_value)

    def decode(
        self,
        tokens: jax.Array,
        cache: Cache,
        index: jax.Array | int,
        read: Cache,
        mask: jax.Array | None = None,
        positions: jax.Array | None = None,
    ) -> tuple[jax.Array, Cache]:
        """As of `transformer.Transformer`, of tokens [B, P] beside what was `read` of their spectrograms."""
        rows = len(tokens)
        tokens, read, mask, positions = in_rows((tokens, read, mask, positions), rows, cache)
        x, filled = self.decoder.decode(self.embedding(tokens), cache, index, mask, positions, read)
        return self._logits(x)[:rows], filled

    @nn.nowrap
    def example(self) -> tuple[tuple, dict]:
        """The inputs of a call, to make variables from."""
        given = {"source": jnp.zeros((1, STRIDE * self.source_length, self.mels))}
        return (jnp.zeros((1, self.length), jnp.int32),), {"given": given, "train": False}

    @nn.nowrap
    def empty_cache(self, batch: int, room: int) -> Cache:
        """The cache before the first token of `batch` sequences, with room for as many tokens, at most `length`."""
        return empty(batch, room, self.layers, self.heads, self.width // self.heads, self.dtype)

    @nn.nowrap
    def longer(self, cache: Cache, room: int) -> Cache:
        """The same cache with room for more tokens. `decode` reads all the room that there is, filled or not."""
        return longer(cache, room)

    @nn.nowrap
    def _stack(self, length: int, layers: int, branches: int, positions: Positions) -> Stack:
        sizes = length, layers, self.width, self.heads, self.dropout, self.style, positions, self.dtype, self.remat
        return Stack(*sizes, branch_std(branches))

    def _logits(self, x: jax.Array) -> jax.Array:
        return logits(x, by_table(self.embedding.embedding.T, self.dtype))
