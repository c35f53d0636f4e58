"""Filters against a reference that sorts in Python, and draws against the probabilities."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from aigc_jax.ops.decoding import BLOCK, choose, filtered, largest

RNG = np.random.default_rng(0)
LOGITS = RNG.normal(0, 2, (20, 17)).astype(np.float32)


def softmax(x):
    e = np.exp(x.astype(np.float64) - x.max())
    return e / e.sum()


def top_k(logits, k):
    return filtered(logits, jnp.int32(k), jnp.float32(1))


def top_p(logits, p):
    return filtered(logits, jnp.int32(0), jnp.float32(p))


def kept(logits):
    return [set(np.flatnonzero(np.isfinite(row)).tolist()) for row in np.asarray(logits)]


def keys(n, seed=0):
    return jax.random.split(jax.random.key(seed), n)


@pytest.mark.parametrize("k", [1, 2, 5, 16])
def test_top_k_keeps_the_k_most_probable(k):
    found = np.asarray(top_k(jnp.asarray(LOGITS), k))
    for row, values in zip(kept(found), LOGITS, strict=True):
        assert row == set(sorted(range(17), key=lambda i: -values[i])[:k])
    finite = np.isfinite(found)
    np.testing.assert_array_equal(found[finite], LOGITS[finite])


@pytest.mark.parametrize("p", [0.05, 0.3, 0.7, 0.95, 0.999])
def test_top_p_keeps_the_smallest_set_of_that_mass(p):
    for row, values in zip(kept(top_p(jnp.asarray(LOGITS), p)), LOGITS, strict=True):
        probabilities, nucleus, mass = softmax(values), set(), 0.0
        for token in sorted(range(17), key=lambda i: -values[i]):
            nucleus.add(token)
            mass += probabilities[token]
            if mass >= p:
                break
        assert row == nucleus


def test_filters_that_are_off_change_nothing():
    logits = jnp.asarray(LOGITS)
    for found in (top_k(logits, 0), top_k(logits, 17), top_k(logits, 100), top_p(logits, 1.0)):
        np.testing.assert_array_equal(found, LOGITS)


def test_ties_stand_or_fall_together():
    logits = jnp.log(jnp.array([[0.4, 0.2, 0.2, 0.1, 0.1]]))
    assert kept(top_k(logits, 2)) == [{0, 1, 2}]
    assert kept(top_p(logits, 0.5)) == [{0, 1, 2}]
    assert kept(top_k(jnp.zeros((1, 4)), 1)) == [{0, 1, 2, 3}]
    assert kept(top_p(jnp.zeros((1, 4)), 0.1)) == [{0, 1, 2, 3}]


def test_at_least_one_token_is_kept():
    assert kept(top_p(jnp.array([[0.0, 5.0, 1.0]]), 1e-9)) == [{1}]
    assert kept(top_k(jnp.array([[0.0, 5.0, 1.0]]), 1)) == [{1}]
    assert kept(filtered(jnp.array([[0.0, 5.0, 1.0]]), 1, 0.9)) == [{1}]


def test_top_p_renormalises_after_top_k():
    logits = jnp.log(jnp.array([[0.3, 0.25, 0.2, 0.15, 0.1]]))
    # The three kept have mass 0.4, 0.333, 0.267 of what is left: 0.7 needs two of them, not three.
    assert kept(filtered(logits, 3, 0.7)) == [{0, 1}]
    assert kept(top_p(logits, 0.7)) == [{0, 1, 2}]


def test_low_temperatures_approach_the_most_probable_token():
    greedy = choose(keys(20), jnp.asarray(LOGITS), 0.0)
    np.testing.assert_array_equal(greedy, LOGITS.argmax(1))
    np.testing.assert_array_equal(choose(keys(20), jnp.asarray(LOGITS), 1e-4), greedy)
    assert greedy.dtype == jnp.int32


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_draws_have_the_tempered_and_filtered_probabilities(temperature):
    n, k = 20_000, 5
    logits = np.tile(LOGITS[0], (n, 1))
    tokens = np.asarray(choose(keys(n, 1), jnp.asarray(logits), temperature, k))
    largest = np.argsort(-LOGITS[0])[:k]
    expected = np.zeros(17)
    expected[largest] = softmax(LOGITS[0][largest] / temperature)
    found = np.bincount(tokens, minlength=17) / n
    assert (found[expected == 0] == 0).all()
    assert np.abs(found - expected).max() < 5 * 0.5 / np.sqrt(n)


def test_a_choice_is_its_own_key_s():
    logits = jnp.zeros((50, 17))
    together = choose(keys(50), logits, 1.0)
    assert len(set(np.asarray(together).tolist())) > 10
    np.testing.assert_array_equal(choose(keys(50)[7:9], logits[:2], 1.0), together[7:9])


@pytest.mark.parametrize("size", [3, BLOCK, 5 * BLOCK + 1])
@pytest.mark.parametrize("values", [3, 10**6])
def test_the_largest_are_those_of_top_k_and_of_equal_ones_the_first(size, values):
    scores = np.random.RandomState(size).randint(0, values, (20, size)).astype(np.float32)
    scores[:10][scores[:10] < values / 2] = -np.inf
    for k in (1, 3):
        for found, expected in zip(largest(jnp.asarray(scores), k), jax.lax.top_k(scores, k), strict=True):
            np.testing.assert_array_equal(found, expected)
