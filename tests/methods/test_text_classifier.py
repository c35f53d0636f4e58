"""Labels of texts: what is read, what is said, and what is learnt."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from aigc_jax.learner import Learner
from aigc_jax.method import Batch
from aigc_jax.methods.text_classifier import text_classifier
from aigc_jax.nn.bert import Bert

PAD, BOS, EOS = 0, 1, 2
V, T, CLASSES = 12, 8, 3
KEY = jax.random.key(0)


@functools.cache
def method(pooling="first", pad=PAD):
    net = Bert(V, T, 1, 16, 2, 0.0, "classes", CLASSES, pooling, types=0)
    return text_classifier({"net": Learner("net", net, optax.adam(1e-2), {}, 1)}, classes=CLASSES, text_pad=pad)


def batch(seed=0, rows=32):
    """Texts of one to seven letters; the label is the residue of the sum of the first and the last."""
    random = np.random.default_rng(seed)
    tokens, labels = np.full((rows, T + 1), PAD, np.int32), np.zeros(rows, np.int32)
    for i, row in enumerate(tokens):
        text = random.integers(3, V, random.integers(1, T))
        row[: len(text) + 2] = [BOS, *text, EOS]
        labels[i] = text[0] % CLASSES
    return Batch(jnp.asarray(labels), {"text": jnp.asarray(tokens)})


@functools.cache
def start(pooling="first"):
    return jax.jit(lambda key: method(pooling).init(key, batch(), {}))(KEY)


@pytest.mark.parametrize("pooling", ["first", "mean"])
def test_padding_is_not_read(pooling):
    """Whatever stands there, and whether labels are told from the first token or from all."""
    rows, family = batch(), method(pooling)
    without = Batch(rows.target, {"text": jnp.where(rows.given["text"] == PAD, -1, rows.given["text"])})
    other = method(pooling, pad=-1)
    one = jax.jit(family.evaluate)(KEY, start(pooling), rows)["cross_entropy"].total
    two = jax.jit(other.evaluate)(KEY, start(pooling), without)["cross_entropy"].total
    np.testing.assert_allclose(one, two, atol=1e-5)


def test_it_learns_the_labels_and_says_what_it_measures():
    family, state = method(), start()
    step = jax.jit(family.step)
    for i in range(150):
        state, _ = step(jax.random.fold_in(KEY, i), state, batch(i))
    held = batch(1000)
    right = jax.jit(family.evaluate)(KEY, state, held)["accuracy"].total
    assert np.mean(right) > 0.9
    said = jax.jit(lambda state, given: family.sample(jax.random.split(KEY, 32), state, given, {}))(state, held.given)
    assert said.dtype == jnp.int32
    np.testing.assert_array_equal(np.asarray(said == held.target), np.asarray(right, bool))
