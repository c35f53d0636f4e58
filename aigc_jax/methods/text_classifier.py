"""Classification of texts: whose a text is, what it is about.

Devlin et al. 2019, BERT, arXiv:1810.04805, section 4.1: one layer more on what an encoder makes of a text,

    L = -log softmax(f(x))_y

with labels smoothed as in Szegedy et al. 2016 (arXiv:1512.00567), section 7. The text is a row without its last token,
as `masked` reads it, and padding is not read. What it generates is the most probable label.

    net(tokens [B, T], mask=bool [B, T], train=...) -> logits [B, classes]
"""

from collections.abc import Mapping

import jax.numpy as jnp
import optax

from aigc_jax.learner import Learner, initial_state
from aigc_jax.method import Array, Batch, Frozen, Given, Key, Method, PerExample, PyTree, State
from aigc_jax.ops import padding
from aigc_jax.ranges import Part, Size, Token

NETWORKS = ("net",)
ENCODES = "text"


def text_classifier(
    learners: Mapping[str, Learner], /, *, smoothing: Part = 0.0, classes: Size, text_pad: Token
) -> Method:
    """The method for data whose target is the label of what is given as "text", tokens [B, T + 1].

    smoothing: the share of a label's probability that is spread over all classes. text_pad: the token that stands for
    none; -1 = there is no such.
    """
    net = learners["net"]

    def read(given: Given) -> tuple[Array, Array]:
        """(the tokens that the network reads, which of them are no padding), [B, T] both."""
        return padding.split(given["text"][:, :-1], text_pad)

    def init(key: Key, batch: Batch, frozen: Frozen) -> State:
        tokens, mask = read(batch.given)
        return initial_state({"net": (net, net.init(key, tokens, train=False, mask=mask))}, frozen)

    def step(key: Key, state: State, batch: Batch) -> tuple[State, Mapping[str, Array]]:
        return net.update(key, state, loss, batch)

    def loss(params: PyTree, extra: PyTree, key: Key, batch: Batch) -> tuple[Array, tuple[PyTree, Mapping[str, Array]]]:
        tokens, mask = read(batch.given)
        logits, extra = net.apply(params, extra, tokens, train=True, mask=mask, key=key)
        labels = jnp.eye(classes)[batch.target]
        losses = optax.softmax_cross_entropy(logits, optax.smooth_labels(labels, smoothing))
        return losses, (extra, {"loss": jnp.mean(losses), "accuracy": jnp.mean(right(logits, batch.target))})

    def right(logits: Array, labels: Array) -> Array:
        """1 where the label is the most probable one. float32 [B]."""
        return (jnp.argmax(logits, axis=-1) == labels).astype(jnp.float32)

    def predicted(state: State, given: Given) -> Array:
        """Logits, float32 [B, classes]."""
        tokens, mask = read(given)
        return net.predict(state, tokens, train=False, mask=mask)

    def evaluate(key: Key, state: State, batch: Batch) -> Mapping[str, PerExample]:
        """The share of right answers, and nats a label."""
        logits = predicted(state, batch.given)
        nats = optax.softmax_cross_entropy_with_integer_labels(logits, batch.target)
        return {"accuracy": PerExample.of(right(logits, batch.target)), "cross_entropy": PerExample.of(nats)}

    def sample(keys: Array, state: State, given: Given, plan: PyTree) -> Array:
        """The most probable label of each text, int32 [n], whatever the key."""
        return jnp.argmax(predicted(state, given), axis=-1).astype(jnp.int32)

    return Method(init, step, evaluate, sample, reads=("text",))
