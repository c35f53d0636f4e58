"""What is hidden and counted, against numpy, and what is learnt by hiding."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from aigc_jax.errors import ConfigError
from aigc_jax.learner import Learner
from aigc_jax.method import Batch
from aigc_jax.methods.masked import masked
from aigc_jax.nn.transformer import Transformer

PAD, BOS, EOS, UNK, MASK = 0, 1, 2, 3, 12
V, T, LETTERS = 14, 12, np.arange(4, 12)
KEY = jax.random.key(3)
FACTS = dict(length=T, pad=PAD, bos=BOS, eos=EOS, unk=UNK, mask=MASK, sentinels=(13,))


class Echo(nn.Module):
    """Says that each token is the one that is read."""

    vocabulary: int = V

    @nn.compact
    def __call__(self, tokens, *, causal, train, mask, at=None):
        seen = tokens if at is None else jnp.take_along_axis(tokens, at, axis=1)
        return self.param("table", lambda key: 100 * jnp.eye(V))[seen]


def learner(accumulate=1, tx=None, width=8):
    return Learner("net", Transformer(V, T, 1, width, 2, 0.0, True), tx or optax.sgd(0.1), {}, accumulate)


def method(net=None, density=0.3, **facts):
    return masked({"net": net or learner()}, density=density, **{**FACTS, **facts})


def batch(lengths=(3, 10, 1, 7), seed=0):
    """Texts of so many letters."""
    random, tokens = np.random.default_rng(seed), np.full((len(lengths), T + 1), PAD, np.int32)
    for row, n in zip(tokens, lengths, strict=True):
        row[: n + 2] = [BOS, *random.choice(LETTERS, n), EOS]
    return Batch(jnp.asarray(tokens), {})


@functools.cache
def start():
    state = jax.jit(lambda key: method().init(key, {}, {}))(KEY)
    return state.replace(params=jax.tree.map(lambda x: x + 0.3 * jax.random.normal(KEY, x.shape), state.params))


def counts(lengths):
    return np.maximum(np.round(np.float32(0.3) * np.array(lengths, np.float32)), 1)


def test_bits_of_a_uniform_guess_and_tokens_that_count():
    state = jax.tree.map(jnp.zeros_like, start())
    found = jax.jit(method().evaluate)(KEY, state, batch())
    np.testing.assert_array_equal(found["bits_per_masked"].weight, counts((3, 10, 1, 7)))
    np.testing.assert_array_equal(found["accuracy"].weight, counts((3, 10, 1, 7)))
    np.testing.assert_allclose(found["bits_per_masked"].total, counts((3, 10, 1, 7)) * np.log2(V), rtol=1e-5)


def test_measures_are_of_the_chosen_tokens_alone():
    """A network that says what it reads is right of a tenth of the chosen tokens, and now and then by chance."""
    family, rows = method(learner()._replace(module=Echo())), batch([10] * 800)
    found = jax.jit(family.evaluate)(KEY, family.init(KEY, rows, {}), rows)["accuracy"]
    expected = 0.1 + 0.1 / len(LETTERS)
    share = float(found.total.sum() / found.weight.sum())
    assert share == pytest.approx(expected, abs=4 * np.sqrt(expected / 2400))


def test_a_measurement_depends_on_the_row_alone():
    evaluate = jax.jit(method().evaluate)
    one, same = (evaluate(jax.random.key(i), start(), batch())["bits_per_masked"].total for i in (0, 1))
    np.testing.assert_array_equal(one, same)
    turned = evaluate(KEY, start(), Batch(batch().target[::-1], {}))["bits_per_masked"].total
    np.testing.assert_allclose(turned[::-1], one, rtol=1e-5)


def test_padding_is_not_read():
    """Whatever stands there: of a tokenizer without padding it is -1."""
    rows = batch().target
    without = jnp.where(rows == PAD, -1, rows)
    one = jax.jit(method().parts["logits"])(start(), rows[:, :-1])
    two = jax.jit(method(pad=-1).parts["logits"])(start(), without[:, :-1])
    there = np.asarray(rows[:, :-1] != PAD)
    np.testing.assert_allclose(np.asarray(one)[there], np.asarray(two)[there], atol=1e-5)
    found = jax.jit(method(pad=-1).evaluate)(KEY, start(), Batch(without, {}))["bits_per_masked"]
    np.testing.assert_array_equal(found.weight, counts((3, 10, 1, 7)))


def test_the_loss_is_a_mean_over_tokens_whatever_the_parts():
    rows = batch()
    (one, metrics), (two, same) = (jax.jit(method(learner(parts)).step)(KEY, start(), rows) for parts in (1, 2))
    jax.tree.map(functools.partial(np.testing.assert_allclose, atol=2e-6), one.params, two.params)
    for name in ("loss", "accuracy"):
        assert float(metrics[name]) == pytest.approx(float(same[name]), rel=1e-5)
    zero = jax.tree.map(jnp.zeros_like, start())
    assert float(jax.jit(method().step)(KEY, zero, rows)[1]["loss"]) == pytest.approx(np.log(V), rel=1e-5)


def test_it_learns_what_stands_between():
    """Texts of a cycle of letters: each follows from its neighbours, and no letter is more frequent than another."""
    net = learner(tx=optax.adam(1e-2), width=32)
    family = method(net, density=0.15)
    random = np.random.default_rng(0)
    texts = np.stack([[BOS, *LETTERS[(np.arange(10) + random.integers(8)) % 8], EOS, PAD] for _ in range(32)])
    rows = Batch(jnp.asarray(texts, jnp.int32), {})
    state, step = jax.jit(lambda key: family.init(key, {}, {}))(KEY), jax.jit(family.step)
    for i in range(200):
        state, _ = step(jax.random.fold_in(KEY, i), state, rows)
    found = jax.jit(family.evaluate)(KEY, state, rows)
    assert float(found["accuracy"].total.sum() / found["accuracy"].weight.sum()) > 0.9
    assert float(found["bits_per_masked"].total.sum() / found["bits_per_masked"].weight.sum()) < 0.5
    gaps = rows.target[:8, :-1].at[:, 4].set(MASK).at[:4, 8].set(MASK)
    filled = np.asarray(jax.jit(family.parts["fill"])(state, gaps))
    assert np.mean(filled == texts[:8, :-1]) > 0.97 and not (filled == MASK).any()
    np.testing.assert_array_equal(filled[:, 5:8], gaps[:, 5:8])


def test_it_needs_a_mask():
    with pytest.raises(ConfigError, match="extra_tokens=1"):
        method(mask=-1)
