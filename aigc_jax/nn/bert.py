"""BERT, an encoder that reads every token from both sides (Devlin et al. 2019, arXiv:1810.04805).

The embeddings of token, position and type are added up and normalised. A block normalises each sum of stream and
branch, as in Vaswani et al. 2017. What comes out is one vector a token, and a head makes something of it:

    hidden    the vectors                                                 section 3
    words     logits of the vocabulary, for masked tokens                 section 3.1, task 1; the published code's head
    classes   logits of one label a text, from the pooled first token     section 4.1
              or from the mean of the vectors       Reimers & Gurevych 2019, arXiv:1908.10084, section 3
    tokens    logits of one label a token                                 section 5.3

The head of words goes through one more layer, GELU and norm, and its output layer is the embedding, transposed, with a
bias of its own.
"""

from typing import Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp

from aigc_jax.errors import Unfit
from aigc_jax.nn.layers import block
from aigc_jax.nn.layers.dropout import Dropout
from aigc_jax.nn.layers.feed_forward import PLAIN
from aigc_jax.nn.layers.stack import Stack
from aigc_jax.nn.layers.style import INIT_STD, Epsilon, Style, dense, embedding, norm
from aigc_jax.nn.layers.vocabulary import by_table, logits
from aigc_jax.ranges import Count, Part, Size

Head = Literal["words", "hidden", "classes", "tokens"]


class Bert(nn.Module):
    """Tokens [B, T] int32 -> what its head gives, float32; T <= length."""

    vocabulary: Size
    length: Size  # the most tokens that it reads
    layers: Size  # blocks of attention and an MLP
    width: Size  # of the residual stream
    heads: Size  # of the attention; they divide `width`
    dropout: Part  # share of the values that are zeroed in training
    head: Head = "words"  # hidden: a vector a token; classes: a label a text; tokens: a label a token
    classes: Count = 0  # labels of the heads classes and tokens
    pooling: Literal["first", "mean"] = "first"  # of a head classes: the first token's vector, or the mean of all read
    types: Count = 2  # of tokens: which of two texts they are of; 0 = none
    pooled: bool = False  # a head hidden has the layer that pools the first token, for `pool`
    mlp_width: Count = 0  # of the MLP's hidden layer; 0 = 4 `width`
    activation: Literal["gelu", "gelu_tanh", "relu"] = "gelu"  # of the MLP and of the head of words
    norm_epsilon: Epsilon = 1e-12  # added to the variance
    dtype: Any = jnp.float32
    remat: bool = False  # compute each block again for its gradient, instead of keeping what is inside

    TENSOR_RULES = block.TENSOR_RULES
    FILLED = ("classes",)  # which pretraining has none of

    @property
    def style(self) -> Style:
        """Of the blocks."""
        return Style(epsilon=self.norm_epsilon, activation=self.activation, mlp_width=self.mlp_width, after=True)

    def setup(self) -> None:
        if self.head in ("classes", "tokens") and not self.classes:
            raise Unfit("classes", self.classes, f'a head "{self.head}" has labels')
        self.embedding = embedding(self.vocabulary, self.width, self.dtype)
        if self.types:
            self.kinds = embedding(self.types, self.width, self.dtype, "types")
        self.stack = Stack(
            self.length,
            self.layers,
            self.width,
            self.heads,
            self.dropout,
            self.style,
            "learned",
            self.dtype,
            self.remat,
            normed=True,
        )
        nn.share_scope(self, self.stack)  # its weights have no longer paths
        self.drop = Dropout(self.dropout, name="head_drop")
        if self.head == "words":
            self.transform = dense(self.width, INIT_STD, self.dtype)
            self.transform_norm = norm(self.style, self.dtype)
            self.word_bias = self.param("word_bias", nn.initializers.zeros_init(), (self.vocabulary,))
        if self.pooled or (self.head == "classes" and self.pooling == "first"):
            self.pooler = dense(self.width, INIT_STD, self.dtype)
        if self.head in ("classes", "tokens"):
            self.labels = dense(self.classes, INIT_STD, self.dtype)

    def __call__(
        self,
        tokens: jax.Array,
        *,
        train: bool,
        causal: bool = False,
        mask: jax.Array | None = None,
        types: jax.Array | None = None,
        positions: jax.Array | None = None,
        at: jax.Array | None = None,
    ) -> jax.Array:
        """[B, T, width], [B, T, vocabulary], [B, classes] or [B, T, classes] float32: see `head`.

        mask: [B, T], 1 or True where a token may be read, or [B, T, T], where each row may read; None = everywhere.
        types: int [B, T], each below `types`; None = all 0. positions: int [B, T], each below `length`; None = 0, 1, ….
        causal: each token reads those up to its own only. at: int [B, K], the places that a head of words or tokens is
        for, which gives K in place of T; None = all.
        """
        x = self.embedding(tokens)
        if self.types:
            x = x + self.kinds(jnp.zeros_like(tokens) if types is None else types)
        x = self.stack(x, causal=causal, train=train, mask=mask, positions=positions)
        if at is not None:
            x = jnp.take_along_axis(x, at[..., None], axis=1)
        return self._headed(x, mask, train).astype(jnp.float32)

    def pool(self, hidden: jax.Array) -> jax.Array:
        """The first token's vector after one more layer, [B, width], of vectors [B, T, width]."""
        return jnp.tanh(self.pooler(hidden[:, 0]))

    @nn.nowrap
    def example(self) -> tuple[tuple, dict]:
        """The inputs of a call, to make variables from."""
        return (jnp.zeros((1, self.length), jnp.int32),), {"train": False}

    def _headed(self, x: jax.Array, mask: jax.Array | None, train: bool) -> jax.Array:
        if self.head == "words":
            return self._words(x)
        if self.head == "tokens":
            return self.labels(self.drop(x, train))
        if self.head == "classes":
            pooled = self.pool(x) if self.pooling == "first" else _mean(x, mask)
            return self.labels(self.drop(pooled, train))
        if self.pooled and self.is_initializing():
            self.pool(x)  # makes its weights, which no call reads
        return x

    def _words(self, x: jax.Array) -> jax.Array:
        x = self.transform_norm(PLAIN[self.activation](self.transform(x)))
        return logits(x, by_table(self.embedding.embedding.T, self.dtype, self.word_bias))


def _mean(x: jax.Array, mask: jax.Array | None) -> jax.Array:
    """The mean of vectors [B, T, width] over the tokens that are read. mask: [B, T]; None = all."""
    if mask is None:
        return jnp.mean(x, axis=1)
    weights = mask.astype(x.dtype)[..., None]
    return jnp.sum(weights * x, axis=1) / jnp.maximum(jnp.sum(weights, axis=1), 1)
