"""The bound against the likelihood by quadrature over z and by summing over all texts, and the terms of the loss."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from aigc_jax.errors import ConfigError
from aigc_jax.learner import Learner
from aigc_jax.method import Batch
from aigc_jax.methods.text_vae import UNUSED, at_no_cost, diagnose, plan, text_vae, weight_at
from aigc_jax.nn.text_vae import TextVAE
from aigc_jax.ops.bits import Unit

PAD, BOS, EOS, V, T = 0, 1, 2, 5, 3
UNITS = (Unit("char", (0, 0, 1, 1, 1)), Unit("byte", (0, 0, 1, 1, 3)))
KEY = jax.random.key(2)
NODES = 80  # of the quadrature


def method(net=None, tx=None, **changes):
    settings = dict(annealing="none", annealing_steps=0, word_dropout=0.0, free_bits=0.0, importance_samples=(1, 500))
    net = net or TextVAE(V, T, 2, 6, 1, 0.0, True)
    facts = dict(length=net.length, pad=PAD, bos=BOS, eos=EOS, packed=False, units=UNITS)
    learner = Learner("net", net, tx or optax.sgd(1.0), {}, 1)
    return text_vae({"net": learner}, **{**facts, **settings, **changes})


def rows(texts):
    """Texts as targets are."""
    table = np.full((len(texts), T + 1), PAD, np.int32)
    for row, text in zip(table, texts, strict=True):
        row[: len(text) + 1] = [BOS, *text]
    return jnp.asarray(table)


def every_text():
    """All that the model can write: those that end, and those of three characters, whose end is not read."""
    return [(*text, EOS) if n < T else text for n in range(T + 1) for text in itertools.product(range(3, V), repeat=n)]


TEXTS = every_text()
ROWS = rows(TEXTS)
MASK = (ROWS[:, 1:] != PAD).astype(jnp.float32)


@functools.cache
def start():
    """A state in which z matters, and all of the probability is on `TEXTS`."""
    state = jax.jit(lambda key: method().init(key, Batch(ROWS, {}), {}))(KEY)
    params = jax.tree.map(lambda x: 4 * x, state.params["net"])
    params["bias"] = jnp.array([-40.0, -40.0, 0.3, 0.0, -0.2])
    # Wider than the true posterior, so that the weights of importance sampling have a small variance.
    params["posterior"] = {"kernel": 0.1 * params["posterior"]["kernel"], "bias": jnp.array([0.8, 0.3])}
    return state.replace(params={"net": params})


@functools.cache
def applied(name):
    """A method of the network, compiled, with the weights of `start`."""
    net = TextVAE(V, T, 2, 6, 1, 0.0, True)
    return functools.partial(jax.jit(functools.partial(net.apply, method=name)), {"params": start().params["net"]})


@functools.cache
def measured():
    measures = jax.jit(method().evaluate)
    return [jax.device_get(measures(jax.random.key(i), start(), Batch(ROWS, {}))) for i in range(8)]


def log_likelihoods(z):
    """log p(text | z) of all TEXTS, float64 [15, len(z)], by sums in numpy of the network's logits."""
    found = np.zeros((len(TEXTS), len(z)))
    for number, (text, row) in enumerate(zip(TEXTS, ROWS, strict=True)):
        logits = np.float64(applied("decode")(jnp.asarray(z, jnp.float32)[:, None], jnp.tile(row[:-1], (len(z), 1))))
        log_p = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
        found[number] = sum(log_p[:, t, token] for t, token in enumerate(text))
    return found


@functools.cache
def sampler():
    return jax.jit(method().sample)


@functools.cache
def likelihood():
    """log p(text) = log of the integral of N(z; 0, 1) p(text | z), by Gauss and Hermite."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(NODES)
    return np.log(np.exp(log_likelihoods(nodes)) @ weights / np.sqrt(2 * np.pi))


def bits(name):
    return np.mean([np.float64(each[name].total) for each in measured()], axis=0)


def test_all_texts_together_have_the_probability_one():
    assert np.exp(likelihood()).sum() == pytest.approx(1, abs=1e-5)
    assert np.exp(likelihood()).max() < 0.5
    assert np.exp(log_likelihoods([-2.0, 2.0])).std(axis=1).max() > 0.02, "z has to matter"


def test_many_importance_samples_reach_the_likelihood_and_one_stays_below():
    np.testing.assert_allclose(-bits("bits_per_char_500") * np.log(2), likelihood(), atol=0.05)  # of 4000 draws
    total = np.exp(-bits("bits_per_char_500") * np.log(2)).sum()
    assert total == pytest.approx(1, abs=0.02)
    assert np.exp(-bits("bits_per_char_1") * np.log(2)).sum() < 0.9


def test_the_bound_is_the_likelihood_less_the_divergence_of_the_posterior():
    """log p(x) - ELBO = KL(q(z|x) || p(z|x)), each by quadrature."""
    mean, log_variance = map(np.float64, applied("encode")(ROWS[:, 1:], MASK))
    nodes, weights = np.polynomial.hermite_e.hermegauss(30)
    weights = weights / weights.sum()
    z = mean + np.exp(log_variance / 2) * nodes  # [15, 30]
    found = log_likelihoods(z.reshape(-1)).reshape(len(TEXTS), len(TEXTS), len(nodes))
    given = found[np.arange(len(TEXTS)), np.arange(len(TEXTS))]  # of each text at its own z
    log_q = -0.5 * (nodes**2 + np.log(2 * np.pi) + log_variance)
    log_prior = -0.5 * (z**2 + np.log(2 * np.pi))
    gap = (log_q - log_prior - given) @ weights + likelihood()
    assert gap.min() > 0
    np.testing.assert_allclose(bits("rate"), (log_q - log_prior) @ weights, rtol=1e-4)
    np.testing.assert_allclose(bits("bits_per_char_1") * np.log(2), gap - likelihood(), atol=0.08)  # of 4000 draws
    np.testing.assert_allclose(bits("bits_per_char") * np.log(2), bits("rate") + bits("distortion"), rtol=1e-5)


def test_bits_are_counted_by_unit():
    one = measured()[0]
    np.testing.assert_array_equal(one["bits_per_char"].weight, [len(text) for text in TEXTS])
    np.testing.assert_array_equal(
        one["bits_per_byte"].weight, [sum(UNITS[1].counts[t] for t in text) for text in TEXTS]
    )
    np.testing.assert_array_equal(one["bits_per_byte"].total, one["bits_per_char"].total)


def test_weights_of_the_rate():
    steps = np.array([0, 25, 50, 75, 99, 100, 500])
    weight = lambda kind, total=100: [float(weight_at(kind, total, jnp.int32(step))) for step in steps]  # noqa: E731
    assert weight("none") == weight("linear", 0) == [1] * 7
    np.testing.assert_allclose(weight("linear"), [0, 0.25, 0.5, 0.75, 0.99, 1, 1], rtol=1e-6)
    expected = 1 / (1 + np.exp(5 - steps[:5] / 10))
    np.testing.assert_allclose(weight("sigmoid"), [*expected, 1, 1], rtol=1e-5)


def test_free_bits():
    rates = jnp.array([[0.1, 2.0, 0.9], [0.3, 1.0, 0.3]])
    np.testing.assert_allclose(jnp.mean(at_no_cost(rates, 0.5)), 0.5 + 1.5 + 0.6, rtol=1e-6)
    slope = jax.grad(lambda rates: jnp.mean(at_no_cost(rates, 0.5)))(rates)
    np.testing.assert_allclose(slope, [[0, 0.5, 0.5]] * 2)
    np.testing.assert_allclose(at_no_cost(rates, 0.0), rates.sum(1), rtol=1e-6)


@pytest.mark.parametrize("step", [0, 5])
def test_the_loss_is_distortion_and_the_weighted_rate_a_token(step):
    family = method(annealing="linear", annealing_steps=10, free_bits=0.25)
    state = start().replace(step=jnp.int32(step))
    _, found = jax.jit(family.step)(KEY, state, Batch(ROWS, {}))
    tokens = np.mean([len(text) for text in TEXTS])
    assert float(found["rate"]) > 0.25 * np.log(2), "of one dimension, above what is free"
    expected = found["distortion"] + step / 10 * found["rate"]
    assert float(found["loss"]) == pytest.approx(float(expected) / tokens, rel=1e-5)
    both = float(found["distortion"] + found["rate"]) / np.log(2)
    assert float(found["bits_per_char"]) == pytest.approx(both / tokens, rel=1e-5)


def test_a_hidden_token_is_not_read_and_the_first_is_never_hidden():
    decode, others = applied("decode"), jnp.where(ROWS == 3, 4, ROWS)
    z, kept = jnp.ones((len(ROWS), 1)), jnp.tile(jnp.array([1.0, 0, 0]), (len(ROWS), 1))
    np.testing.assert_array_equal(decode(z, ROWS[:, :-1], kept), decode(z, others[:, :-1], kept))
    assert (decode(z, ROWS[:, :-1]) != decode(z, others[:, :-1])).any(axis=(0, 2)).tolist() == [False, True, True]

    _, found = jax.jit(method(word_dropout=0.9999999).step)(KEY, start(), Batch(ROWS, {}))
    mean, log_variance = applied("encode")(ROWS[:, 1:], MASK)
    z = mean + jnp.exp(log_variance / 2) * jax.random.normal(jax.random.split(KEY, 3)[0], mean.shape)
    log_p = jax.nn.log_softmax(decode(z, ROWS[:, :-1], kept))
    expected = -np.sum(np.take_along_axis(np.asarray(log_p), np.asarray(ROWS[:, 1:, None]), axis=2)[..., 0] * MASK)
    assert float(found["distortion"]) == pytest.approx(float(expected) / len(ROWS), rel=1e-5)


def test_padding_is_not_read():
    filled = jnp.where(MASK == 1, ROWS[:, 1:], 4)
    before, after = (applied("encode")(tokens, MASK) for tokens in (ROWS[:, 1:], filled))
    jax.tree.map(np.testing.assert_array_equal, before, after)
    assert len(np.unique(np.asarray(before[0]))) == len(TEXTS)


def test_a_text_token_by_token_has_the_logits_of_the_whole():
    z = jax.random.normal(KEY, (len(ROWS), 1))
    states, found = applied("begin")(z), []
    for t in range(T):
        logits, states = applied("extend")(z, ROWS[:, t], states)
        found.append(logits)
    np.testing.assert_allclose(np.stack(found, 1), applied("decode")(z, ROWS[:, :-1]), atol=1e-5)


def test_samples_have_the_probabilities_of_the_model():
    """Of all 15 texts, against the integral over z."""
    n = 20_000
    keys = jax.random.split(KEY, n)
    samples = np.asarray(sampler()(keys, start(), {}, plan()))
    numbers = {tuple(row): i for i, row in enumerate(np.asarray(ROWS).tolist())}
    shares = np.bincount([numbers[tuple(row)] for row in samples.tolist()], minlength=len(TEXTS)) / n
    assert np.abs(shares - np.exp(likelihood())).max() < 5 * 0.5 / np.sqrt(n)


def test_a_walk_is_the_most_probable_texts_from_one_z_to_another():
    family, n = method(), 5
    write = jax.jit(family.parts["write"])
    texts = jax.jit(family.parts["walk"], static_argnums=2)(KEY, start(), n, {})
    z = jnp.cos(jnp.linspace(0, jnp.pi / 2, n))[:, None] * jax.random.normal(KEY, (2, 1))[0]
    z += jnp.sin(jnp.linspace(0, jnp.pi / 2, n))[:, None] * jax.random.normal(KEY, (2, 1))[1]
    np.testing.assert_array_equal(texts, write(jax.random.split(KEY, n), start(), z, plan(temperature=0.0)))
    still = np.asarray(sampler()(jax.random.split(KEY, 8), start(), {}, plan(temperature=0.0, spread=0.0)))
    assert (still == still[0]).all()


def test_active_units_are_the_dimensions_that_tell_texts_apart():
    net = TextVAE(V, T, 1, 6, 3, 0.0, True)
    family = method(net, importance_samples=(1,))
    state = jax.jit(lambda key: family.init(key, Batch(ROWS, {}), {}))(KEY)
    kernel = 30 * state.params["net"]["posterior"]["kernel"]
    evaluate, found = jax.jit(family.evaluate), []
    for off in ([1], [0, 1, 2]):
        state.params["net"]["posterior"]["kernel"] = kernel.at[:, jnp.array(off)].set(0)
        found.append(np.asarray(evaluate(KEY, state, Batch(ROWS, {}))["active_units"].total))
    np.testing.assert_array_equal(found, [[2] * len(TEXTS), [0] * len(TEXTS)])
    assert (
        list(diagnose({"active_units": 0.0})) == [UNUSED] and not diagnose({"active_units": 2.0}) and not diagnose({})
    )


def test_four_texts_are_learned_through_z():
    """A bound is at least the entropy, log 4 nats; with all tokens hidden what is told comes through z."""
    net = TextVAE(V, T, 1, 16, 2, 0.0, True)
    family = method(net, optax.adam(2e-2), word_dropout=0.9, importance_samples=(1,))
    batch = Batch(jnp.tile(rows([(3, 3, 3), (4, 4, 4), (3, 4, 3), (4, 3, 4)]), (8, 1)), {})
    state = jax.jit(lambda key: family.init(key, batch, {}))(KEY)
    turn = lambda i, state: family.step(jax.random.fold_in(KEY, i), state.replace(step=i), batch)[0]  # noqa: E731
    state = jax.jit(lambda state: jax.lax.fori_loop(0, 500, turn, state))(state)
    found = {name: float(jnp.mean(each.total)) for name, each in jax.jit(family.evaluate)(KEY, state, batch).items()}
    assert found["rate"] > 1 and found["active_units"] >= 1
    assert np.log(4) - 0.1 < found["rate"] + found["distortion"] < np.log(4) + 0.5


def test_packed_rows_are_refused():
    with pytest.raises(ConfigError, match=r"set data\.pack=False"):
        method(packed=True)
