"""Scores of a classifier's answers in closed form."""

import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon

from aigc_jax.errors import UserError
from aigc_jax.metrics.scores import (
    accuracy,
    histogram_divergences,
    inception_score,
    jensen_shannon,
    kullback_leibler,
    macro_f1,
)

RANDOM = np.random.RandomState(0)


def test_inception_score_between_its_bounds():
    sure = np.eye(10)[np.arange(100) % 10]
    assert inception_score(sure, 5).value == pytest.approx(10)  # sure of each, all classes alike
    assert inception_score(np.full((100, 10), 0.1), 5).value == pytest.approx(1)
    assert inception_score(np.eye(10)[np.zeros(100, int)], 5).value == pytest.approx(1)  # one class only
    half = np.array([[0.9, 0.1], [0.1, 0.9]])
    assert inception_score(half, 1).value == pytest.approx(np.exp(np.log(2) + 0.9 * np.log(0.9) + 0.1 * np.log(0.1)))
    with pytest.raises(UserError, match="over 10 parts"):
        inception_score(half, 10)


def test_divergences():
    p, q = RANDOM.rand(8), RANDOM.rand(8)
    p_, q_ = p / p.sum(), q / q.sum()
    assert kullback_leibler(p, q) == pytest.approx((p_ * np.log(p_ / q_)).sum())
    assert jensen_shannon(p, q) == pytest.approx(jensenshannon(p, q) ** 2)
    assert jensen_shannon([1, 0], [0, 1]) == pytest.approx(np.log(2))
    assert kullback_leibler([1, 1], [1, 0]) == np.inf
    assert kullback_leibler([1, 0], [1, 1]) == pytest.approx(np.log(2))
    with pytest.raises(UserError, match="has to hold counts"):
        jensen_shannon([0, 0], [1, 1])


def test_the_divergences_of_drawn_classes_with_their_influences():
    """Against leaving each sample out."""
    chosen = RANDOM.randint(0, 4, 300)
    p = np.array([10.0, 20, 30, 40])

    def values(drawn):
        q = np.bincount(drawn, minlength=4)
        return np.array([kullback_leibler(q, p), jensen_shannon(q, p)])

    found = histogram_divergences(p, np.bincount(chosen, minlength=4), chosen)
    np.testing.assert_allclose([each.value for each in found], values(chosen))
    for i in range(10):
        without = 299 * (values(chosen) - values(np.delete(chosen, i)))
        np.testing.assert_allclose([each.influence[i] for each in found], without, rtol=0.05, atol=0.02)


def test_the_mean_f1_of_classes_by_hand_and_with_its_influences():
    """A class that is never true counts where it is said, one that is neither does not. Against leaving one out."""
    true, said = np.array([0, 0, 0, 1, 1, 5]), np.array([0, 0, 1, 1, 7, 5])
    assert accuracy(said, true).value == pytest.approx(4 / 6)
    assert macro_f1(said, true).value == pytest.approx(np.mean([2 * 2 / 5, 2 * 1 / 4, 1, 0]))
    true, said = RANDOM.randint(0, 3, 400), RANDOM.randint(0, 3, 400)
    said[:250] = true[:250]
    found = macro_f1(said, true)
    for i in range(0, 400, 40):
        without = macro_f1(np.delete(said, i), np.delete(true, i)).value
        assert found.influence[i] == pytest.approx(399 * (found.value - without), rel=0.05, abs=0.02)
