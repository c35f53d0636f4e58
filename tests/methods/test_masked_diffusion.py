"""The bound against sums over all masks, and samples against the probabilities of a density that is known."""

import functools
import itertools
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from aigc_jax.errors import ConfigError
from aigc_jax.learner import Learner
from aigc_jax.method import KNOWN, Batch
from aigc_jax.methods.masked_diffusion import masked_diffusion
from aigc_jax.nn.transformer import Transformer
from aigc_jax.ops import absorbing
from aigc_jax.ops.bits import Unit

PAD, BOS, EOS, A, B, MASK = range(6)
V, T = 6, 3
KEY = jax.random.key(3)
FACTS = dict(pad=PAD, bos=BOS, eos=EOS, mask=MASK, packed=False, units=(Unit("char", (1,) * V),))
# Every row of two letters that there can be, by what follows BOS.
TEXTS = [(EOS, PAD, PAD), *((a, EOS, PAD) for a in (A, B)), *((a, b, c) for a, b in itertools.product((A, B), repeat=2)
         for c in (EOS, A, B))]  # fmt: skip


class Table(nn.Module):
    """A row of logits for each place of each text with masks."""

    vocabulary: int = V
    length: int = T
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, tokens, *, causal, train):
        assert not causal
        table = self.param("table", nn.initializers.normal(), (V**T, T, V))
        return table[tokens @ (V ** jnp.arange(T))]


def family(net=None, terms=2, **facts):
    learner = Learner("net", net or Table(), optax.sgd(1.0), {}, 1)
    return masked_diffusion({"net": learner}, bound_terms=terms, length=T, **{**FACTS, **facts})


def number(seen):
    return int(np.array(seen) @ (V ** np.arange(T)))


def hide(text, masked):
    return tuple(MASK if place in masked else token for place, token in enumerate(text))


@functools.cache
def density():
    """p of each of TEXTS."""
    weights = np.random.default_rng(1).exponential(size=len(TEXTS))
    return dict(zip(TEXTS, weights / weights.sum(), strict=True))


@functools.cache
def perfect():
    """The state whose network knows the density: logits of p(x_l | what is seen)."""
    table = np.zeros((V**T, T, V), np.float32)
    for seen in {
        hide(text, masked) for text in TEXTS for k in range(T + 1) for masked in itertools.combinations(range(T), k)
    }:
        agree = {
            text: p for text, p in density().items() if all(s in (MASK, t) for s, t in zip(seen, text, strict=True))
        }
        for place, token in itertools.product(range(T), range(V)):
            p = sum(p for text, p in agree.items() if text[place] == token)
            table[number(seen), place, token] = np.log(max(p, 1e-30))
    return state({"table": jnp.asarray(table)})


@functools.cache
def fresh():
    return family().init(KEY, {}, {})


def state(params):
    return fresh().replace(params={"net": params})


@functools.cache
def far():
    """A state whose predictions are far from uniform, and of no density."""
    return state({"table": 2 * jax.random.normal(jax.random.key(9), (V**T, T, V))})


@functools.cache
def laws(state):
    """log p of each place of each text with masks, float64 [V^T, T, V], without what cannot be. state: gives it."""
    logits = state().params["net"]["table"]
    seen = jnp.arange(V**T)[:, None] // V ** jnp.arange(T) % V
    options = dict(mask=MASK, pad=PAD, eos=EOS, never=(BOS,))
    found = np.asarray(absorbing.possible(logits, seen, **options), np.float64)
    return found - np.log(np.exp(found).sum(-1, keepdims=True))


def log_p(state, seen):
    return laws(state)[number(seen)]


def bound(state, text):
    """∫ 1/t E[...] dt in nats, by Gauss's rule and the sum over all 2^T masks."""
    nodes, weights = np.polynomial.legendre.leggauss(8)
    total = 0.0
    for t, w in zip((nodes + 1) / 2, weights / 2, strict=True):
        for k in range(1, T + 1):
            for masked in itertools.combinations(range(T), k):
                found = log_p(state, hide(text, masked))
                total -= w / t * t**k * (1 - t) ** (T - k) * sum(found[place, text[place]] for place in masked)
    return total


def rows(texts):
    return jnp.array([(BOS, *text) for text in texts])


@functools.cache
def evaluating(terms=T):
    return jax.jit(family(terms=terms).evaluate)


@functools.cache
def sampling():
    return jax.jit(family().sample)


def draw(n, state, known=None, **settings):
    given = {} if known is None else {KNOWN: known}
    plan = family().plan(**{"steps": T, **settings})
    found = np.asarray(sampling()(jax.random.split(KEY, n), state, given, plan))
    assert found.shape == (n, T + 1) and (found[:, 0] == BOS).all()
    return found[:, 1:]


def test_the_bound_is_the_integral_over_all_masks():
    repeats = len(TEXTS) * 300
    for text in [(A, B, EOS), (B, EOS, PAD), (A, A, B)]:
        batch = Batch(jnp.tile(rows([text]), (repeats, 1)), {})
        measure = evaluating()(KEY, far(), batch)["bits_per_char"]
        nats = np.asarray(measure.total) * np.log(2)
        assert nats.mean() == pytest.approx(bound(far, text), abs=4 * nats.std() / np.sqrt(repeats))
        np.testing.assert_array_equal(measure.weight, sum(token != PAD for token in text))


def test_the_bound_is_tight_for_one_who_knows_the_density():
    for text, p in density().items():
        assert bound(perfect, text) == pytest.approx(-np.log(p), rel=1e-5)
    repeats = 300
    batch = Batch(jnp.repeat(rows(TEXTS), repeats, axis=0), {})
    bits = np.asarray(evaluating()(KEY, perfect(), batch)["bits_per_char"].total).reshape(len(TEXTS), repeats)
    errors = bits.std(1) / np.sqrt(repeats)
    assert (np.abs(bits.mean(1) + np.log2([*density().values()])) < 4 * errors + 1e-4).all()


def test_no_model_gives_texts_more_than_all_probability():
    """Whatever the network says: the bound is one on probabilities of texts, and those of others are 0."""
    total = sum(np.exp(-bound(far, text)) for text in TEXTS)
    assert 0.1 < total < 1
    even = lambda: state({"table": jnp.zeros((V**T, T, V))})  # noqa: E731
    assert sum(np.exp(-bound(even, text)) for text in TEXTS) < 1


def test_training_is_the_gradient_of_the_bound():
    """Over many rows of one text the mean loss is the bound by its tokens, and so is its slope."""
    text, count = (A, B, EOS), 6000
    batch = Batch(jnp.tile(rows([text]), (count, 1)), {})
    stepped, metrics = jax.jit(family().step)(KEY, far(), batch)
    assert float(metrics["loss"]) == pytest.approx(bound(far, text) / 3, rel=0.01)
    assert float(metrics["bits_per_char"]) == pytest.approx(float(metrics["loss"]) / np.log(2), rel=1e-5)
    slope = np.asarray(far().params["net"]["table"] - stepped.params["net"]["table"])  # of a rate of 1
    all_masked = number((MASK,) * T)
    p = np.exp(log_p(far, (MASK,) * T))
    expected = (p - np.eye(V)[list(text)]) * (1 / T) / 3  # k = T for a third of the rows, each of weight T / k = 1
    np.testing.assert_allclose(slope[all_masked], expected, atol=1e-3)
    assert (slope[number(text)] == 0).all()  # nothing is asked where nothing is hidden


def test_samples_one_by_one_have_the_density():
    n = 20_000
    found = draw(n, perfect())
    counts = {text: (found == text).all(1).mean() for text in TEXTS}
    assert sum(counts.values()) == pytest.approx(1)
    for text, p in density().items():
        assert counts[text] == pytest.approx(p, abs=5 * np.sqrt(p / n))


def test_samples_in_one_step_do_not_know_of_each_other():
    n = 20_000
    found = draw(n, perfect(), steps=1)
    p = np.exp(log_p(perfect, (MASK,) * T))
    going_on = np.isin(found[:, 0], (A, B))
    assert np.mean(found[:, 0] == A) == pytest.approx(p[0, A], abs=0.02)
    assert np.mean(found[going_on, 1] == B) == pytest.approx(p[1, B], abs=0.02)  # whatever the first is
    assert (found[~going_on] == (EOS, PAD, PAD)).all()


def test_what_is_known_stays_and_decides():
    n = 20_000
    found = draw(n, perfect(), jnp.tile(jnp.array([[BOS, PAD, B]]), (n, 1)))  # a gap, and what follows it
    assert (found[:, 1] == B).all()
    given = {text: p for text, p in density().items() if text[1] == B}
    for text, p in given.items():
        share = p / sum(given.values())
        assert (found == text).all(1).mean() == pytest.approx(share, abs=5 * np.sqrt(share / n))
    np.testing.assert_array_equal(draw(2, perfect(), jnp.array([[BOS, A, EOS]] * 2)), [(A, EOS, PAD)] * 2)


@pytest.mark.parametrize("order", ["random", "confident"])
def test_cold_samples_follow_the_most_probable_token(order):
    found = draw(50, far(), temperature=0.0, order=order)
    results = set()
    for places in itertools.permutations(range(T)) if order == "random" else [None]:
        seen = (MASK,) * T
        for i in range(T):
            p = log_p(far, seen)
            hidden = [place for place in range(T) if seen[place] == MASK]
            place = places[i] if places else max(hidden, key=lambda place: p[place].max())
            seen = (*seen[:place], int(p[place].argmax()), *seen[place + 1 :])
        results.add(seen)
    assert {tuple(row) for row in found.tolist()} == results
    assert len(results) > 1 or order == "confident"
    np.testing.assert_array_equal(draw(50, far(), temperature=1e-4, top_p=1e-6, order=order), found)


def test_a_text_depends_on_its_key_alone():
    together = draw(8, far())
    alone = [sampling()(jax.random.split(KEY, 8)[i : i + 1], far(), {}, family().plan(steps=T))[0] for i in range(8)]
    np.testing.assert_array_equal(together, np.stack(alone)[:, 1:])
    assert len({tuple(row) for row in together.tolist()}) > 1
    np.testing.assert_array_equal(draw(8, far(), steps=1000), together)  # no more steps than tokens
    assert (draw(200, far(), steps=2) != draw(200, far())).any()


def test_what_a_text_cannot_have():
    seen = jnp.array([[MASK, MASK, EOS, MASK, MASK], [MASK, MASK, MASK, PAD, MASK], [MASK, A, MASK, MASK, MASK]])
    found = np.isfinite(absorbing.possible(jnp.zeros((3, 5, V)), seen, mask=MASK, pad=PAD, eos=EOS, never=(BOS,)))
    letters, end, both = {A, B}, {EOS, PAD}, {A, B, EOS, PAD}
    expected = [
        [letters, letters, letters | {EOS, PAD}, {PAD}, {PAD}],
        [letters | {EOS}, both, end, both, {PAD}],
        [letters, both, both, both, both],
    ]
    for i, j in itertools.product(range(3), range(5)):
        if seen[i, j] == MASK:
            assert set(np.flatnonzero(found[i, j]).tolist()) == expected[i][j], (i, j)
    # Filled up with the end itself, and without an end.
    filled = np.isfinite(absorbing.possible(jnp.zeros((3, 5, V)), seen, mask=MASK, pad=EOS, eos=EOS))
    assert set(np.flatnonzero(filled[0, 0])) == {PAD, BOS, EOS, A, B} and set(np.flatnonzero(filled[0, 3])) == {EOS}
    assert set(np.flatnonzero(filled[2, 0])) == {PAD, BOS, A, B}
    endless = np.isfinite(absorbing.possible(jnp.zeros((3, 5, V)), seen, mask=MASK, pad=PAD, eos=-1))
    assert (endless == (np.arange(V) != MASK)).all()


def test_texts_without_a_token_that_pads_are_filled_up_with_their_end():
    method = family(pad=-1)
    batch = Batch(jnp.array([[BOS, A, EOS, -1], [BOS, A, B, EOS]]), {})
    measure = jax.jit(method.evaluate)(KEY, far(), batch)["bits_per_char"]
    np.testing.assert_array_equal(measure.weight, [2, 3])
    assert np.isfinite(measure.total).all()
    found = np.asarray(jax.jit(method.sample)(jax.random.split(KEY, 300), far(), {}, method.plan(steps=T)))
    short = found[(found == EOS).any(1)]
    assert len(short) and all((row[list(row).index(EOS) + 1 :] == -1).all() for row in short)


def test_what_is_seen_is_certain():
    seen = jnp.array([[A, MASK, MASK]])
    found = np.asarray(family().parts["denoise"](far(), seen))[0]
    np.testing.assert_array_equal(np.exp(found[0]), np.eye(V)[A])
    np.testing.assert_allclose(found[1:], log_p(far, (A, MASK, MASK))[1:], atol=1e-5)


def test_what_it_needs():
    with pytest.raises(ConfigError, match="extra_tokens=1"):
        family(mask=-1)
    with pytest.raises(ConfigError, match="pack=False"):
        family(packed=True)


def test_a_transformer_learns_texts_by_heart():
    net = Learner("net", Transformer(V, T, 1, 16, 2, 0.0, False), optax.adam(1e-2), {}, 1)
    method = masked_diffusion({"net": net}, bound_terms=T, length=T, **FACTS)
    known = [(A, B, EOS), (B, EOS, PAD), (B, B, A), (EOS, PAD, PAD)]
    batch = Batch(rows(known * 8), {})
    state, step = jax.jit(lambda key: method.init(key, {}, {}))(KEY), jax.jit(method.step)
    for i in range(300):
        state, _ = step(jax.random.fold_in(KEY, i), state, batch)
    bits = np.asarray(jax.jit(method.evaluate)(KEY, state, batch)["bits_per_char"].total)
    assert bits.mean() == pytest.approx(2, abs=0.15)  # which of the four it is
    found = np.asarray(jax.jit(method.sample)(jax.random.split(KEY, 64), state, {}, method.plan(steps=T)))
    right = [tuple(row) in known for row in found[:, 1:].tolist()]
    assert np.mean(right) > 0.85 and len({tuple(row) for row in found[right].tolist()}) == 4
