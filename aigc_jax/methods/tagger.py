"""Tagging: a tag for each word of a text, such as what names it is a part of.

Devlin et al. 2019, BERT, arXiv:1810.04805, section 5.3: the encoder's vector of the token with which a word begins goes
through one layer, and its tag is told from all others:

    L = mean over the words of -log softmax(f(x)_l)_y

in nats a word of the batch. Tokens with which no word begins have no tag, and count for nothing. The text is a row
without its last token, as `masked` reads it, and padding is not read. What it generates is the most probable tag of
every token, each on its own: no law of the tags' order is learnt.

    net(tokens [B, T], mask=bool [B, T], train=...) -> logits [B, T, classes]
"""

from collections.abc import Mapping

import jax.numpy as jnp

from aigc_jax.learner import Learner, initial_state
from aigc_jax.method import Array, Batch, Frozen, Given, Key, Method, PerExample, PyTree, State
from aigc_jax.ops import batch as whole
from aigc_jax.ops import padding
from aigc_jax.ops.cross_entropy import cross_entropy
from aigc_jax.ranges import Token

NETWORKS = ("net",)
ENCODES = "text"


def tagger(learners: Mapping[str, Learner], /, *, ignored: Token, text_pad: Token) -> Method:
    """The method for data whose target are the tags [B, T + 1] beside what is given as "text", tokens [B, T + 1].

    ignored: what stands where a token has no tag. text_pad: the token that stands for none; -1 = there is no such.
    """
    net = learners["net"]

    def read(given: Given) -> tuple[Array, Array]:
        """(the tokens that the network reads, which of them are no padding), [B, T] both."""
        return padding.split(given["text"][:, :-1], text_pad)

    def told(target: Array) -> tuple[Array, Array]:
        """(tags, which of them there are), [B, T] both."""
        return padding.split(target[:, :-1], ignored)

    def right(logits: Array, tags: Array, there: Array) -> Array:
        """How many tags are the most probable ones. float32 [B]."""
        return jnp.sum(there & (jnp.argmax(logits, axis=-1) == tags), axis=1).astype(jnp.float32)

    def init(key: Key, batch: Batch, frozen: Frozen) -> State:
        tokens, mask = read(batch.given)
        return initial_state({"net": (net, net.init(key, tokens, train=False, mask=mask))}, frozen)

    def step(key: Key, state: State, batch: Batch) -> tuple[State, Mapping[str, Array]]:
        tags, there = told(batch.target)
        # Counted over the whole batch, not within `loss`, which may see a part of it.
        per_text = jnp.maximum(whole.mean(jnp.mean(jnp.sum(there, axis=1))), 1e-6)  # of texts without a word

        def loss(params: PyTree, extra: PyTree, key: Key, part: tuple[Array, ...]) -> tuple[Array, tuple]:
            tokens, mask, tags, there = part
            logits, extra = net.apply(params, extra, tokens, train=True, mask=mask, key=key)
            losses = jnp.sum(there * cross_entropy(logits, tags), axis=1) / per_text
            accuracy = jnp.mean(right(logits, tags, there)) / per_text
            return losses, (extra, {"loss": jnp.mean(losses), "accuracy": accuracy})

        return net.update(key, state, loss, (*read(batch.given), tags, there))

    def predicted(state: State, given: Given) -> Array:
        """Logits, float32 [B, T, classes]."""
        tokens, mask = read(given)
        return net.predict(state, tokens, train=False, mask=mask)

    def evaluate(key: Key, state: State, batch: Batch) -> Mapping[str, PerExample]:
        """The share of words that are tagged rightly, and nats a word."""
        logits, (tags, there) = predicted(state, batch.given), told(batch.target)
        count = jnp.sum(there, axis=1).astype(jnp.float32)
        nats = jnp.sum(there * cross_entropy(logits, tags), axis=1)
        return {
            "accuracy": PerExample(right(logits, tags, there), count),
            "cross_entropy": PerExample(nats, count),
        }

    def sample(keys: Array, state: State, given: Given, plan: PyTree) -> Array:
        """The most probable tag of each token, int32 [n, T + 1]; none where there is none to read."""
        _, mask = read(given)
        tags = jnp.argmax(predicted(state, given), axis=-1).astype(jnp.int32)
        return jnp.pad(jnp.where(mask, tags, ignored), ((0, 0), (0, 1)), constant_values=ignored)

    return Method(init, step, evaluate, sample, reads=("text",))
