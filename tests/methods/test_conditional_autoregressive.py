"""A model of tokens that reads what they are given with, in training, measuring and sampling."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from aigc_jax.learner import Learner
from aigc_jax.method import KNOWN, Batch
from aigc_jax.methods.autoregressive import autoregressive
from aigc_jax.ops.bits import Unit

KEY = jax.random.key(0)
PAD, BOS, EOS = 0, 1, 2
UNITS = (Unit("char", (0, 0, 1, 1, 1, 1)),)
TEXTS = {0: [BOS, 3, 4, 5, EOS], 1: [BOS, 5, 4, 3, EOS]}  # label -> the one text of it


class Chains(nn.Module):
    """A Markov chain a label: its logits are a row of the label's table."""

    vocabulary: int = 6
    reads: tuple[str, ...] = ("label",)
    dtype: Any = jnp.float32

    def setup(self):
        self.tables = self.param("tables", nn.initializers.zeros, (2, self.vocabulary, self.vocabulary))

    def __call__(self, tokens, *, causal, train, given):
        return self.decode(tokens, None, 0, self.read(given))[0]

    def read(self, given):
        return self.tables[given["label"]]

    def decode(self, tokens, cache, index, read):
        return jax.vmap(lambda table, row: table[row])(read, tokens), cache

    def empty_cache(self, batch, room):
        return ()

    def longer(self, cache, room):
        return cache


@pytest.fixture(scope="module")
def trained():
    learner = Learner("net", Chains(), optax.sgd(2.0), {}, 1)
    method = autoregressive({"net": learner}, length=4, pad=PAD, bos=BOS, eos=EOS, packed=False, units=UNITS)
    labels = np.array([0, 1, 1, 0], np.int32)
    batch = Batch(jnp.array([TEXTS[label] for label in labels]), {"label": jnp.asarray(labels)})
    first = state = method.init(KEY, batch, {})
    step = jax.jit(method.step)
    for _ in range(100):
        state, _ = step(KEY, state, batch)
    return method, batch, first, state


def test_it_learns_to_tell_by_the_label(trained):
    """Without it the first letter alone takes one bit, and all others one each, since 4 is what both go through."""
    method, batch, first, state = trained
    before, after = (method.evaluate(KEY, each, batch)["bits_per_char"] for each in (first, state))
    np.testing.assert_allclose(before.total, 4 * np.log2(6), rtol=1e-5)
    assert np.max(after.total) < 0.3
    wrong = batch.replace(given={"label": 1 - batch.given["label"]})
    assert np.min(method.evaluate(KEY, state, wrong)["bits_per_char"].total) > 4


def test_samples_are_of_the_label_that_is_asked_for(trained):
    method, _, _, state = trained
    labels, plan = np.array([1, 0, 1]), method.plan(temperature=0.0)
    found = method.sample(jax.random.split(KEY, 3), state, {"label": jnp.asarray(labels)}, plan)
    np.testing.assert_array_equal(found, [TEXTS[label] for label in labels])
    known = jnp.array([[BOS, 5], [BOS, 5], [BOS, PAD]])
    found = method.sample(jax.random.split(KEY, 3), state, {"label": jnp.asarray(labels), KNOWN: known}, plan)
    np.testing.assert_array_equal(found[0], TEXTS[1])
    np.testing.assert_array_equal(found[1], [BOS, 5, EOS, PAD, PAD])  # as 0's chain goes on after 5
    assert method.reads == (KNOWN, "label")


def test_the_part_gives_the_logits_of_both(trained):
    method, batch, _, state = trained
    logits = method.parts["logits"](state, batch.target[:, :-1], batch.given)
    np.testing.assert_array_equal(np.argmax(logits, -1), batch.target[:, 1:])
