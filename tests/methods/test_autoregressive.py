"""The loss against numpy in float64, and what sampling does with prompts, ends and random numbers."""

import functools
from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from aigc_jax.learner import Learner
from aigc_jax.method import KNOWN, Batch
from aigc_jax.methods.autoregressive import autoregressive
from aigc_jax.nn.layers import cache
from aigc_jax.nn.transformer import Transformer
from aigc_jax.ops import generation as module
from aigc_jax.ops.bits import Unit
from aigc_jax.ops.generation import doublings
from aigc_jax.ops.next_token import plan

PAD, BOS, EOS = 0, 1, 2
V, T, B = 9, 7, 4
UNITS = (Unit("char", (0, 0, *[1] * (V - 2))),)
KEY = jax.random.key(3)


def learner(accumulate=1, dropout=0.0, tx=None, width=8):
    # Plain gradient descent, so that a step shows the gradient.
    return Learner("net", Transformer(V, T, 2, width, 2, dropout, True), tx or optax.sgd(1.0), {}, accumulate)


def method(net=None):
    return autoregressive({"net": net or learner()}, length=T, pad=PAD, bos=BOS, eos=EOS, packed=False, units=UNITS)


def batch(lengths=(3, 7, 1, 5), seed=0):
    """Texts with so many tokens to predict, the last of them EOS."""
    random, tokens = np.random.default_rng(seed), np.full((len(lengths), T + 1), PAD, np.int32)
    for row, n in zip(tokens, lengths, strict=True):
        row[: n + 1] = [BOS, *random.integers(3, V, n - 1), EOS]
    return Batch(jnp.asarray(tokens), {})


@functools.cache
def start():
    """A state whose predictions are far from uniform."""
    state = jax.jit(lambda key: method().init(key, {}, {}))(KEY)
    leaves, tree = jax.tree.flatten(state.params)
    keys = jax.random.split(jax.random.key(5), len(leaves))
    moved = [x + 0.3 * jax.random.normal(k, x.shape) for x, k in zip(leaves, keys, strict=True)]
    return state.replace(params=jax.tree.unflatten(tree, moved))


@functools.cache
def program():
    """The one program that all of these tests sample with, whatever the settings."""
    return jax.jit(method().sample)


def keys(n, key=KEY):
    return jax.random.split(key, n)


def sampler(n, **settings):
    """(key, the known beginnings) -> texts, without BOS."""

    def sample(key, known=None):
        given = {} if known is None else {KNOWN: known}
        texts = program()(keys(n, key), start(), given, plan(**settings))
        assert (np.asarray(texts)[:, 0] == BOS).all()
        return texts[:, 1:]

    return sample


@functools.cache
def logits_of():
    """tokens -> logits."""
    apply = jax.jit(functools.partial(learner().module.apply, causal=True, train=False))
    return functools.partial(apply, {"params": start().params["net"]})


def nats(rows):
    """-log p of each target that is no padding, in float64, by text."""
    logits = np.asarray(logits_of()(rows.target[:, :-1]), np.float64)
    targets = np.asarray(rows.target)[:, 1:]
    log_p = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    return [[-log_p[i, t, targets[i, t]] for t in range(T) if targets[i, t] != PAD] for i in range(len(targets))]


def test_loss_is_nats_per_token_of_the_batch():
    rows = batch()
    expected = np.mean(np.concatenate(nats(rows)))
    _, metrics = jax.jit(method().step)(KEY, start(), rows)
    assert float(metrics["loss"]) == pytest.approx(expected, rel=1e-5)
    assert float(metrics["bits_per_char"]) == pytest.approx(expected / np.log(2), rel=1e-5)
    assert abs(expected - np.mean([np.mean(row) for row in nats(rows)])) > 1e-2  # a mean of means is another thing


def test_evaluate_adds_up_bits_and_tokens():
    rows = batch()
    measure = jax.jit(method(learner(dropout=0.5)).evaluate)(KEY, start(), rows)["bits_per_char"]
    np.testing.assert_allclose(measure.total, [sum(row) / np.log(2) for row in nats(rows)], rtol=1e-5)
    np.testing.assert_array_equal(measure.weight, [3, 7, 1, 5])


def test_the_initial_loss_is_that_of_a_uniform_guess():
    state = jax.jit(lambda key: method().init(key, {}, {}))(KEY)
    measure = jax.jit(method().evaluate)(KEY, state, batch())["bits_per_char"]
    assert float(measure.total.sum() / measure.weight.sum()) == pytest.approx(np.log2(V), abs=0.05)


def test_padding_has_no_influence():
    rows = batch()
    inputs, after = rows.target[:, :-1], rows.target[:, 1:] == PAD
    one, two = (logits_of()(tokens) for tokens in (inputs, jnp.where(inputs == PAD, 5, inputs)))
    np.testing.assert_allclose(one[~after], two[~after], atol=1e-6)


def test_dropout_in_training_only():
    rows, net = batch(), learner(dropout=0.5)
    step, evaluate = jax.jit(method(net).step), jax.jit(method(net).evaluate)
    losses = [float(step(jax.random.key(i), start(), rows)[1]["loss"]) for i in (0, 1)]
    assert losses[0] != losses[1]
    totals = [np.asarray(evaluate(jax.random.key(i), start(), rows)["bits_per_char"].total) for i in (0, 1)]
    np.testing.assert_array_equal(*totals)


@pytest.mark.parametrize("lengths", [(4, 4, 4, 4), (3, 7, 1, 5)])
def test_accumulation_changes_nothing(lengths):
    """Also where the parts have different numbers of tokens: they are counted over the whole batch."""
    rows = batch(lengths)
    (one, metrics), (two, same) = (jax.jit(method(learner(parts)).step)(KEY, start(), rows) for parts in (1, 2))
    jax.tree.map(functools.partial(np.testing.assert_allclose, atol=2e-6), one.params, two.params)
    assert float(metrics["loss"]) == pytest.approx(float(same["loss"]), rel=1e-5)
    moved = jax.tree.map(lambda a, b: float(jnp.abs(a - b).max()), one.params, start().params)
    assert min(jax.tree.leaves(moved)) > 1e-4


def test_samples_are_texts_of_the_length_with_padding_after_their_end():
    n = 200
    samples = np.asarray(sampler(n)(KEY))
    assert samples.shape == (n, T) and samples.dtype == np.int32
    ended = 0
    for row in samples.tolist():
        assert BOS not in row
        text = row[: row.index(EOS)] if EOS in row else row
        assert PAD not in text
        if EOS in row:
            ended += 1
            assert set(row[row.index(EOS) + 1 :]) <= {PAD}
    assert 0 < ended < n


def test_samples_have_the_probabilities_of_the_model():
    """The first two tokens, against the model's own softmax without BOS and padding."""
    n = 20_000
    samples = np.asarray(sampler(n)(KEY))

    def law(*prefix):
        text = [BOS, *prefix] + [PAD] * (T - 1 - len(prefix))
        row = np.asarray(logits_of()(jnp.array([text])), np.float64)[0, len(prefix)]
        weights = np.exp(row - row.max()) * ~np.isin(np.arange(V), (PAD, BOS))
        return weights / weights.sum()

    first = np.bincount(samples[:, 0], minlength=V) / n
    assert np.abs(first - law()).max() < 5 * 0.5 / np.sqrt(n)
    common = int(np.where(np.arange(V) == EOS, 0, first).argmax())
    second = samples[samples[:, 0] == common, 1]
    found = np.bincount(second, minlength=V) / len(second)
    assert np.abs(found - law(common)).max() < 5 * 0.5 / np.sqrt(len(second))


def test_greedy_follows_the_most_probable_token():
    samples = np.asarray(sampler(2, temperature=0.0)(KEY))
    text = [BOS]
    for _ in range(T):
        row = np.array(logits_of()(jnp.array([text + [PAD] * (T - len(text))])))[0, len(text) - 1]
        row[[PAD, BOS]] = -np.inf
        text.append(int(row.argmax()) if EOS not in text else PAD)
    np.testing.assert_array_equal(samples, [text[1:]] * 2)
    np.testing.assert_array_equal(sampler(2, temperature=1e-5)(KEY), samples)
    np.testing.assert_array_equal(sampler(2, top_k=1)(KEY), samples)
    np.testing.assert_array_equal(sampler(2, top_p=1e-6)(KEY), samples)


@pytest.mark.parametrize("start_at", [1, 3, T - 1])
def test_a_text_goes_on_as_before_after_its_own_beginning(start_at):
    n = 6
    whole = sampler(n)(KEY)
    prompt = jnp.concatenate([jnp.full((n, 1), BOS), whole[:, :start_at]], axis=1)
    running = ~np.any((np.asarray(prompt) == PAD), axis=1)
    again = np.asarray(sampler(n)(KEY, prompt))
    np.testing.assert_array_equal(again[running], np.asarray(whole)[running])
    assert running.any()


def test_prompts_are_kept_and_rows_are_independent():
    prompt = jnp.array([[BOS, 3, 4], [BOS, 5, 6], [BOS, 7, EOS]])
    samples = np.asarray(sampler(3)(KEY, prompt))
    np.testing.assert_array_equal(samples[:, :2], prompt[:, 1:])
    assert (samples[2, 2:] == PAD).all()
    other = np.asarray(sampler(3)(KEY, prompt.at[1].set(jnp.array([BOS, 8, 8]))))
    np.testing.assert_array_equal(samples[[0, 2]], other[[0, 2]])


def test_a_key_gives_its_texts():
    one, same, other = (np.asarray(sampler(8)(jax.random.key(i))) for i in (0, 0, 1))
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()
    assert len({tuple(row) for row in one.tolist()}) > 1


def test_texts_with_beginnings_of_different_lengths_are_drawn_together():
    whole = np.asarray(program()(keys(6), start(), {}, plan()))
    known = np.where(np.arange(T + 1) < np.array([1, 2, 3, 4, T, T + 1])[:, None], whole, PAD)
    np.testing.assert_array_equal(sampler(6)(KEY, jnp.asarray(known)), whole[:, 1:])
    np.testing.assert_array_equal(sampler(6)(KEY, jnp.asarray(known[:, :5])), whole[:, 1:])


def test_a_text_does_not_depend_on_those_beside_it():
    together = np.asarray(program()(keys(8), start(), {}, plan()))
    for i in range(8):
        np.testing.assert_array_equal(program()(keys(8)[i : i + 1], start(), {}, plan())[0], together[i])


def test_one_program_samples_with_any_settings():
    traced = []

    def sample(*arguments):
        traced.append(arguments)
        return method().sample(*arguments)

    compiled = jax.jit(sample)
    for settings in ({}, {"temperature": 0.0}, {"temperature": 2.0, "top_k": 3}, {"top_p": 0.5}, {"top_k": V + 5}):
        compiled(keys(4), start(), {}, plan(**settings))
    assert len(traced) == 1


def test_four_texts_are_learned_by_heart():
    rows, net = batch((3, 7, 6, 5), seed=1), learner(tx=optax.adam(1e-2), width=32)
    family = method(net)
    step = jax.jit(family.step)
    state = jax.jit(lambda key: family.init(key, {}, {}))(KEY)
    for i in range(150):
        state, metrics = step(jax.random.fold_in(KEY, i), state, rows)
    # Which of the four it is takes log 4 nats, for each of them; together they have 21 tokens.
    assert float(metrics["loss"]) == pytest.approx(4 * np.log(4) / 21, abs=0.01)
    known = {tuple(row) for row in np.asarray(rows.target)[:, 1:].tolist()}
    found = {tuple(row[1:]) for row in np.asarray(jax.jit(family.sample)(keys(32), state, {}, plan())).tolist()}
    assert len(found & known) == 4


@pytest.mark.parametrize("prompt", [1, 2, 3, T])
def test_a_cache_that_grows_draws_the_same_texts(prompt, monkeypatch):
    condition = jnp.full((16, prompt), 4, jnp.int32).at[:, 0].set(BOS)
    expected = sampler(16)(KEY, condition)
    monkeypatch.setattr(module, "FIRST_ROOM", 2)
    grown = jax.jit(lambda *arguments: method().sample(*arguments))(keys(16), start(), {KNOWN: condition}, plan())
    np.testing.assert_array_equal(grown[:, 1:], expected)


@pytest.mark.parametrize("last", [1, 63, 64, 65, 256, 1000])
@pytest.mark.parametrize("first", [1, 64, 65, 200])
def test_rooms_double_from_what_holds_the_prompt_to_the_length(first, last):
    rooms = doublings(first, last)
    assert rooms[-1] == last and (rooms[0] >= first or first > last)
    assert all(room % module.FIRST_ROOM == 0 and after <= 2 * room for room, after in pairwise(rooms))


def test_on_a_gpu_a_text_alone_is_drawn_with_a_twin_and_is_the_same(monkeypatch):
    prompt = jnp.array([[BOS, 5, 4]])
    draw = lambda: jax.jit(lambda state: method().sample(keys(1), state, {KNOWN: prompt}, plan()))(start())  # noqa: E731
    expected = draw()
    monkeypatch.setattr(cache, "gpu_in_half", lambda dtype: True)
    assert learner().module.empty_cache(1, 4)[0][0].shape[0] == 2
    np.testing.assert_array_equal(draw(), expected)
    assert expected.shape == (1, T + 1)


def test_in_bfloat16_weights_are_converted_once_and_texts_are_the_same(monkeypatch):
    net = learner()._replace(module=Transformer(V, T, 2, 8, 2, 0.0, True, jnp.bfloat16))
    draw = lambda: jax.jit(lambda state: method(net).sample(keys(32), state, {}, plan()))(start())  # noqa: E731
    settled = net.settled(start())
    assert settled.params["net"]["embedding"]["embedding"].dtype == jnp.bfloat16
    assert settled.params["net"]["norm"]["scale"].dtype == jnp.float32
    found = draw()
    monkeypatch.setattr(Learner, "settled", lambda self, state: state)
    np.testing.assert_array_equal(found, draw())
