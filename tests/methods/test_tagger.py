"""Tags of words: which tokens count, what is said of each, and what is learnt."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from aigc_jax.learner import Learner
from aigc_jax.method import Batch
from aigc_jax.methods.tagger import tagger
from aigc_jax.nn.bert import Bert

PAD, BOS, EOS, NONE = 0, 1, 2, -1
V, T, TAGS = 12, 10, 3
LENGTHS = (5, 2, 8, 1)
KEY = jax.random.key(0)


def method(accumulate=1, tx=None):
    net = Bert(V, T, 1, 16, 2, 0.0, "tokens", TAGS, types=0)
    return tagger({"net": Learner("net", net, tx or optax.sgd(0.1), {}, accumulate)}, ignored=NONE, text_pad=PAD)


def batch(lengths=LENGTHS, seed=0):
    """Every second letter begins a word; its tag is the residue of the letter before it."""
    random = np.random.default_rng(seed)
    tokens, tags = np.full((len(lengths), T + 1), PAD, np.int32), np.full((len(lengths), T + 1), NONE, np.int32)
    for row, tag, n in zip(tokens, tags, lengths, strict=True):
        row[: n + 2] = [BOS, *random.integers(3, V, n), EOS]
        for place in range(1, n + 1, 2):
            tag[place] = row[place - 1] % TAGS
    return Batch(jnp.asarray(tags), {"text": jnp.asarray(tokens)})


@functools.cache
def start():
    state = jax.jit(lambda key: method().init(key, batch(), {}))(KEY)
    return state.replace(params=jax.tree.map(lambda x: x + 0.3 * jax.random.normal(KEY, x.shape), state.params))


def words(lengths=LENGTHS):
    return (np.array(lengths) + 1) // 2


def test_words_count_and_nothing_else():
    zero = jax.tree.map(jnp.zeros_like, start())
    found = jax.jit(method().evaluate)(KEY, zero, batch())
    for measure in found.values():
        np.testing.assert_array_equal(measure.weight, words())
    np.testing.assert_allclose(found["cross_entropy"].total, words() * np.log(TAGS), rtol=1e-5)


def test_the_loss_is_a_mean_over_words_whatever_the_parts():
    (one, metrics), (two, same) = (jax.jit(method(parts).step)(KEY, start(), batch()) for parts in (1, 2))
    jax.tree.map(functools.partial(np.testing.assert_allclose, atol=2e-6), one.params, two.params)
    found = jax.jit(method().evaluate)(KEY, start(), batch())
    for name, measure in (("loss", "cross_entropy"), ("accuracy", "accuracy")):
        expected = found[measure].total.sum() / words().sum()
        assert float(metrics[name]) == pytest.approx(float(expected), rel=1e-5)
        assert float(same[name]) == pytest.approx(float(expected), rel=1e-5)


def test_a_batch_without_a_word_teaches_nothing():
    rows = batch()
    empty = Batch(jnp.full_like(rows.target, NONE), rows.given)
    state, metrics = jax.jit(method().step)(KEY, start(), empty)
    assert float(metrics["loss"]) == 0
    jax.tree.map(np.testing.assert_array_equal, state.params, start().params)


def test_it_learns_the_tags_and_says_one_of_each_token():
    family = method(tx=optax.adam(1e-2))
    state, step = jax.jit(lambda key: family.init(key, batch(), {}))(KEY), jax.jit(family.step)
    lengths = [1 + i % (T - 2) for i in range(32)]
    for i in range(200):
        state, _ = step(jax.random.fold_in(KEY, i), state, batch(lengths, i))
    held = batch(lengths, 1000)
    said = family.sample(jax.random.split(KEY, 32), state, held.given, {})
    assert said.shape == held.target.shape and said.dtype == jnp.int32
    np.testing.assert_array_equal(said[:, :-1] == NONE, held.given["text"][:, :-1] == PAD)
    there = np.asarray(held.target != NONE)
    share = np.mean(np.asarray(said == held.target)[there])
    found = jax.jit(family.evaluate)(KEY, state, held)["accuracy"]
    assert share == pytest.approx(float(found.total.sum() / found.weight.sum())) and share > 0.9
