"""Ranks of true replies, against all orders of the candidates."""

import itertools

import numpy as np
import pytest

from aigc_jax.errors import UserError
from aigc_jax.metrics.bootstrap import interval
from aigc_jax.metrics.ranking import candidates, hits, reciprocal_rank


def test_ranks_without_ties():
    scores = np.array([[-1.0, -2, -3, -4], [-3, -2, -1, -4], [-9, -2, -1, -4]])  # ranks 1, 3, 4
    assert [hits(scores, k).value for k in (1, 2, 3, 4)] == pytest.approx([1 / 3, 1 / 3, 2 / 3, 1])
    assert reciprocal_rank(scores).value == pytest.approx((1 + 1 / 3 + 1 / 4) / 3)


def test_ties_are_the_mean_over_all_orders():
    scores = np.random.RandomState(0).randint(0, 3, (20, 5)).astype(float)
    for row in scores:
        ranks = []
        for order in itertools.permutations(range(5)):
            ranks.append(1 + sorted(range(5), key=lambda i: (-row[i], order[i])).index(0))
        ranks = np.array(ranks)
        assert reciprocal_rank(row[None]).value == pytest.approx(np.mean(1 / ranks))
        for k in (1, 2, 5):
            assert hits(row[None], k).value == pytest.approx(np.mean(ranks <= k))


def test_a_model_that_knows_nothing_is_at_chance():
    for scores in (np.zeros((50, 20)), np.random.RandomState(0).randn(20000, 20)):
        for figure, chance in ((hits(scores, 1), 1 / 20), (hits(scores, 5), 5 / 20)):
            value, low, high = interval(figure, 0, 100)
            assert value == pytest.approx(chance, abs=0.01) and low <= value <= high
        assert reciprocal_rank(scores).value == pytest.approx(np.mean(1 / np.arange(1, 21)), abs=0.01)


def test_candidates():
    replies = ["yes", "no", *map(str, range(30)), "yes"]
    found = candidates(replies)
    assert found.shape == (33, 20) and (found[:, 0] == np.arange(33)).all()
    for row in found:
        assert len({replies[number] for number in row}) == 20, "all of them differ"
    assert (candidates(replies) == found).all() and (candidates(replies, seed=1) != found).any()
    often = np.bincount(found[2:-1, 1:].ravel(), minlength=33)
    assert often[-1] == 0 and (often[:-1] > 0).all(), "a reply that stands twice is drawn by its first place"
    with pytest.raises(UserError, match="2 different replies are too few to choose among 3"):
        candidates(["a", "b", "a"], 3)


def test_what_are_no_scores_is_refused():
    for wrong in (np.zeros(3), np.zeros((0, 20)), np.array([[np.nan, 1]])):
        with pytest.raises(UserError, match="Ranks need scores"):
            hits(wrong, 1)
