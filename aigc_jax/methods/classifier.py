"""Classification: behind the features by which samples are judged, and the yardstick of what samples are good for.

    L = -log softmax(f(x))_y                                        (Bridle 1990, section 3; multinomial likelihood)

with labels smoothed as in Szegedy et al. 2016 (arXiv:1512.00567), section 7. It generates nothing.
"""

from collections.abc import Mapping

import jax.numpy as jnp
import optax

from aigc_jax.learner import Learner, initial_state
from aigc_jax.method import Array, Batch, Frozen, Key, Method, PerExample, PyTree, State
from aigc_jax.ranges import Part, Size

NETWORKS = ("net",)


def classifier(learners: Mapping[str, Learner], /, *, smoothing: Part, classes: Size) -> Method:
    """The method for data whose target is the label of what is given as "image".

    learners: "net" maps (images [B, H, W, C], train) to (features [B, F], logits [B, classes]).
    smoothing: the share of a label's probability that is spread over all classes.
    """
    net = learners["net"]

    def init(key: Key, batch: Batch, frozen: Frozen) -> State:
        return initial_state({"net": (net, net.init(key, batch.given["image"]))}, frozen)

    def step(key: Key, state: State, batch: Batch) -> tuple[State, Mapping[str, Array]]:
        return net.update(key, state, loss, batch)

    def loss(params: PyTree, extra: PyTree, key: Key, batch: Batch) -> tuple[Array, tuple[PyTree, Mapping[str, Array]]]:
        (_, logits), extra = net.apply(params, extra, batch.given["image"], train=True, key=key)
        labels = jnp.eye(classes)[batch.target]
        losses = optax.softmax_cross_entropy(logits, optax.smooth_labels(labels, smoothing))
        return losses, (extra, {"loss": jnp.mean(losses), "accuracy": jnp.mean(_correct(logits, batch.target))})

    def evaluate(key: Key, state: State, batch: Batch) -> Mapping[str, PerExample]:
        """The share of right answers, and nats a label."""
        _, logits = net.predict(state, batch.given["image"])
        nats = optax.softmax_cross_entropy_with_integer_labels(logits, batch.target)
        return {"accuracy": PerExample.of(_correct(logits, batch.target)), "cross_entropy": PerExample.of(nats)}

    return Method(init, step, evaluate)


def _correct(logits: Array, labels: Array) -> Array:
    return (jnp.argmax(logits, -1) == labels).astype(jnp.float32)
