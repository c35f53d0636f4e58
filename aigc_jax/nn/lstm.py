"""A language model of long short-term memory (Hochreiter & Schmidhuber 1997, Long short-term memory).

Layers read the states h of the layer below, and the logits are an affine function of the last layer's
(`ops.kernels.lstm` has the equations). Dropout is on what goes up, and not on what goes on in time: on the embedding,
between layers and before the logits (Zaremba et al. 2014, arXiv:1409.2329, section 3.1).

The interface is that of `methods.autoregressive`. Its cache has the states before each token, and not the last one
alone: a text may be read again from any token on, after a prompt that other texts know further.
"""

from typing import Any, ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp

from aigc_jax.nn.layers.dropout import Dropout
from aigc_jax.nn.layers.lstm import LSTMLayer, uniform
from aigc_jax.nn.layers.vocabulary import by_table, logits
from aigc_jax.ops.kernels.lstm import States
from aigc_jax.ranges import Part, Size

Cache = tuple[States, ...]  # a layer's h and c before each token, each [B, room + 1, width]
EMBEDDING_BOUND = 0.1  # of the first embeddings (Merity et al. 2018, arXiv:1708.02182, section 5)


class LSTM(nn.Module):
    """Tokens [B, T] int32 -> logits [B, T, vocabulary] float32."""

    vocabulary: Size
    length: Size  # tokens of the data's rows; it reads any number
    layers: Size  # one above the other
    width: Size  # of the embedding and of each layer's states
    dropout: Part  # share of the values that are zeroed in training
    tied: bool  # the output layer's matrix is the embedding, transposed (Press & Wolf 2017)
    dtype: Any = jnp.float32

    TENSOR_RULES: ClassVar = (("head", 1),)

    def setup(self) -> None:
        init = uniform(EMBEDDING_BOUND)
        self.embedding = nn.Embed(self.vocabulary, self.width, embedding_init=init, dtype=self.dtype)
        self.stack = [LSTMLayer(self.width, self.dtype) for _ in range(self.layers)]
        self.drop = Dropout(self.dropout)
        if not self.tied:
            self.head = self.param("head", init, (self.width, self.vocabulary))
        self.bias = self.param("bias", nn.initializers.zeros, (self.vocabulary,))

    def __call__(
        self,
        tokens: jax.Array,
        *,
        causal: bool,
        train: bool,
        mask: jax.Array | None = None,
        positions: jax.Array | None = None,
    ) -> jax.Array:
        """Whole sequences.

        causal: True: it can do nothing else. positions: int [B, T], of each token in its text; where it is 0, what was
        read is forgotten; None = a row is one text. mask: what of a row belongs to which text, as the positions say.
        """
        begins = None if positions is None else positions == 0
        x = self.drop(self.embedding(tokens), train)
        for layer in self.stack:
            x = self.drop(layer(x, begins=begins)[0], train)
        return self._logits(x)

    def decode(self, tokens: jax.Array, cache: Cache, index: jax.Array | int) -> tuple[jax.Array, Cache]:
        """The logits of tokens [B, P] at the positions index .. index + P - 1.

        cache: what `empty_cache`, `longer` or the last call gave, filled up to `index`, with room for these tokens.
        """
        x, filled = self.embedding(tokens), []
        for layer, kept in zip(self.stack, cache, strict=True):
            h, c = (jax.lax.dynamic_index_in_dim(state, index, axis=1, keepdims=False) for state in kept)
            x, c = layer(x, (h, c))
            after = zip(kept, (x, c), strict=True)
            h, c = (jax.lax.dynamic_update_slice_in_dim(old, new, index + 1, axis=1) for old, new in after)
            filled.append((h, c))
        return self._logits(x), tuple(filled)

    @nn.nowrap
    def example(self) -> tuple[tuple, dict]:
        """The inputs of a call, to make variables from."""
        return (jnp.zeros((1, self.length), jnp.int32),), {"causal": True, "train": False}

    @nn.nowrap
    def empty_cache(self, batch: int, room: int) -> Cache:
        """The cache before the first token of `batch` sequences, with room for as many tokens."""
        shape = (batch, room + 1, self.width)
        return ((jnp.zeros(shape, self.dtype), jnp.zeros(shape)),) * self.layers

    @nn.nowrap
    def longer(self, cache: Cache, room: int) -> Cache:
        """The same cache with room for more tokens."""
        return jax.tree.map(lambda x: jnp.pad(x, ((0, 0), (0, room + 1 - x.shape[1]), (0, 0))), cache)

    def _logits(self, x: jax.Array) -> jax.Array:
        table = self.embedding.embedding.T if self.tied else self.head
        return logits(x, by_table(table, self.dtype, self.bias))
