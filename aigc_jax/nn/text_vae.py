"""The encoder and decoder of a sentence VAE (Bowman et al. 2016, arXiv:1511.06349, section 2).

An LSTM reads a text, and its state after the last token gives the mean and the log-variance of z. Another one is the
language model given z: z gives its first state by an affine function, and stands beside the embedding of each token
that it reads. Both share the embedding.
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

EMBEDDING_BOUND = 0.1  # of the first embeddings


class TextVAE(nn.Module):
    """`encode` and `decode`, in one module, and `begin` and `extend` to draw a text token by token."""

    vocabulary: Size
    length: Size  # tokens of the data's rows; it reads any number
    layers: Size  # of the encoder, and as many of the decoder
    width: Size  # of the embedding and of each layer's states
    latent: Size  # dimensions of z
    dropout: Part  # share of the values between layers that are zeroed in training
    tied: bool  # the output layer's matrix is the embedding, transposed
    dtype: Any = jnp.float32

    TENSOR_RULES: ClassVar = (("head", 1),)

    def setup(self) -> None:
        init = uniform(EMBEDDING_BOUND)
        self.embedding = nn.Embed(self.vocabulary, self.width, embedding_init=init, dtype=self.dtype)
        self.reader = [LSTMLayer(self.width, self.dtype) for _ in range(self.layers)]
        self.posterior = nn.Dense(2 * self.latent, dtype=self.dtype)
        self.first = nn.Dense(2 * self.layers * self.width, dtype=self.dtype)
        self.writer = [LSTMLayer(self.width, self.dtype) for _ in range(self.layers)]
        self.drop = Dropout(self.dropout)
        if not self.tied:
            self.head = self.param("head", init, (self.width, self.vocabulary))
        self.bias = self.param("bias", nn.initializers.zeros, (self.vocabulary,))

    def encode(self, tokens: jax.Array, mask: jax.Array, train: bool = False) -> tuple[jax.Array, jax.Array]:
        """Tokens int32 [B, T] -> mean and log-variance of q(z | text), float32 [B, latent] each.

        mask: [B, T], 1 where there is a token, and 0 where a row is filled up after its last one.
        """
        x = self.drop(self.embedding(tokens), train)
        for layer in self.reader:
            x = self.drop(layer(x)[0], train)
        last = jnp.maximum(jnp.sum(mask != 0, axis=1) - 1, 0)
        x = jnp.take_along_axis(x, last[:, None, None], axis=1)[:, 0]
        mean, log_variance = jnp.split(self.posterior(x).astype(jnp.float32), 2, axis=-1)
        return mean, log_variance

    def decode(self, z: jax.Array, tokens: jax.Array, kept: jax.Array | None = None, train: bool = False) -> jax.Array:
        """The logits of each next token, float32 [B, T, vocabulary], given z [B, latent] and the tokens before.

        kept: [B, T], 0 where a token is hidden, and its embedding is 0; None = nowhere.
        """
        return self._write(z, tokens, self.begin(z), kept, train)[0]

    def begin(self, z: jax.Array) -> tuple[States, ...]:
        """The states before the first token: h and c of each layer, [B, width] each."""
        parts = jnp.split(self.first(z), 2 * self.layers, axis=-1)
        return tuple((jnp.tanh(h), c.astype(jnp.float32)) for h, c in zip(parts[::2], parts[1::2], strict=True))

    def extend(
        self, z: jax.Array, tokens: jax.Array, states: tuple[States, ...]
    ) -> tuple[jax.Array, tuple[States, ...]]:
        """One more token of each text, int32 [B] -> the logits of the next, float32 [B, vocabulary], and the states."""
        logits, states = self._write(z, tokens[:, None], states, None, False)
        return logits[:, 0], states

    def __call__(self, tokens: jax.Array) -> jax.Array:
        """The logits of a text given the mean of its own z, to make variables from."""
        return self.decode(self.encode(tokens, jnp.ones(tokens.shape))[0], tokens)

    @nn.nowrap
    def example(self) -> tuple[tuple, dict]:
        """The inputs of a call, to make variables from."""
        return (jnp.zeros((1, self.length), jnp.int32),), {}

    def _write(
        self, z: jax.Array, tokens: jax.Array, states: tuple[States, ...], kept: jax.Array | None, train: bool
    ) -> tuple[jax.Array, tuple[States, ...]]:
        """(logits [B, T, vocabulary], the states after the last token)."""
        x, after = self.embedding(tokens), []
        if kept is not None:
            x = x * kept[:, :, None].astype(x.dtype)
        beside = jnp.broadcast_to(z.astype(x.dtype)[:, None], (*tokens.shape, self.latent))
        x = jnp.concatenate([self.drop(x, train), beside], axis=-1)
        for layer, before in zip(self.writer, states, strict=True):
            h, c = layer(x, before)
            after.append((h[:, -1], c[:, -1]))
            x = self.drop(h, train)
        table = self.embedding.embedding.T if self.tied else self.head
        return logits(x, by_table(table, self.dtype, self.bias)), tuple(after)
