"""Strengths from votes are those of the model that the votes are drawn from."""

import numpy as np
import pytest
from scipy.special import expit, logit
from scipy.stats import binom
from sklearn.linear_model import LogisticRegression

from aigc_jax.errors import UserError
from aigc_jax.preference.bradley_terry import Tally, log_strengths, preference, unbeaten

NAMES = ["one", "two", "three", "four"]
TRUTH = np.array([0.9, 0.3, -0.2, -1.0])


def rated(random, strengths, votes, ties=0.0):
    """Votes that give i over j sigmoid(s_i - s_j) points on average. ties: 0 ... 1, how readily raters tie."""
    pairs = np.array([random.permutation(len(strengths))[:2] for _ in range(votes)])
    first, second = pairs.T
    chance = expit(strengths[first] - strengths[second])
    tie = ties * 2 * np.minimum(chance, 1 - chance)
    drawn = random.rand(votes)
    outcome = np.where(drawn < chance - tie / 2, 1, np.where(drawn < chance + tie / 2, 0, -1))
    return Tally.of(first, second, outcome, len(strengths))


def counted(wins, ties=None):
    wins = np.array(wins)
    return Tally(wins, np.zeros_like(wins) if ties is None else np.array(ties))


def test_votes_are_counted():
    first, second, outcome = np.array([[0, 1, 1], [1, 0, 1], [0, 1, 0], [2, 0, 0], [1, 2, -1]]).T
    tally = Tally.of(first, second, outcome, 3)
    np.testing.assert_array_equal(tally.wins, [[0, 1, 0], [1, 0, 0], [0, 1, 0]])
    np.testing.assert_array_equal(tally.ties, [[0, 1, 1], [1, 0, 0], [1, 0, 0]])
    np.testing.assert_array_equal(tally.points, [[0, 1.5, 0.5], [1.5, 0, 0], [0.5, 1, 0]])


@pytest.mark.parametrize(("won", "tied", "lost"), [(30, 0, 10), (7, 6, 20), (500, 0, 0), (0, 4, 0)])
def test_of_two_items_it_is_the_logarithm_of_the_odds(won, tied, lost):
    odds = np.log((won + tied / 2 + 0.5) / (lost + tied / 2 + 0.5))
    tally = counted([[0, won], [lost, 0]], [[0, tied], [tied, 0]])
    found = preference(tally, NAMES[:2], seed=0, replicates=50)
    assert [each.value for each in found.strengths] == pytest.approx([odds / 2, -odds / 2])
    assert found.chances[0][1].value == pytest.approx(expit(odds))
    assert found.chances[0][0].value == 0.5


def test_it_is_logistic_regression_on_the_votes_and_one_tie():
    tally = rated(np.random.RandomState(0), TRUTH, 300, ties=0.4)
    rows, wins, weights = [], [], []
    for i in range(4):
        for j in range(4):
            if i != j:
                rows.append(np.eye(4)[i] - np.eye(4)[j])
                wins.append(True)
                weights.append(tally.points[i, j] + 1 / 12)
    rows, wins, weights = np.array([*rows, *-np.array(rows)]), [*wins, *[False] * len(wins)], [*weights, *weights]
    peer = LogisticRegression(C=1e12, fit_intercept=False, tol=1e-12, max_iter=1000)
    peer.fit(rows[:, :3], wins, weights)  # the last item's is 0
    expected = np.array([*peer.coef_[0], 0.0])
    np.testing.assert_allclose(log_strengths(tally.points), expected - expected.mean(), atol=1e-5)


def test_votes_are_as_likely_as_they_can_be():
    """Of any strengths near by, none gives the votes and the added tie more probability."""
    points = rated(np.random.RandomState(1), TRUTH, 100).points
    found = log_strengths(points)

    def likelihood(strengths):
        return np.sum((points + 1 / 12) * np.log(expit(strengths[:, None] - strengths)))

    assert found.sum() == pytest.approx(0, abs=1e-9)
    for change in np.random.RandomState(2).randn(50, 4):
        assert likelihood(found + 1e-3 * (change - change.mean())) < likelihood(found)


LOPSIDED = [  # Newton's method at its full steps diverges here
    [0, 63, 0, 0, 0, 0],
    [0, 0, 0, 0, 178495, 0],
    [0, 0, 0, 2, 340, 0],
    [90583, 143957, 0, 0, 0, 0],
    [0, 0, 0, 137, 0, 0],
    [116, 0, 1, 0, 0, 0],
]
EXTREMES = {
    "always": np.array([[0, 1e6], [0, 0]]),
    "chain": np.diag([1e5] * 7, 1),  # each is always preferred over the next
    "bridge": np.kron(np.eye(2), 1e5 * (1 - np.eye(3))) + np.diag([0, 0, 1, 0, 0], 1),  # one vote between two groups
    "lopsided": np.array(LOPSIDED, float),
}


@pytest.mark.parametrize("points", EXTREMES.values(), ids=EXTREMES)
def test_extreme_votes_have_finite_strengths_that_explain_them(points):
    found = log_strengths(points)
    k = len(points)
    points = points + (1 - np.eye(k)) / k / (k - 1)
    expected = (points + points.T) * expit(found[:, None] - found)
    np.testing.assert_allclose(expected.sum(1), points.sum(1), rtol=1e-6)


def test_of_many_tallies_at_once_it_is_that_of_each():
    points = np.stack([rated(np.random.RandomState(seed), TRUTH, 60).points for seed in range(5)])
    np.testing.assert_allclose(log_strengths(points), [log_strengths(each) for each in points], atol=1e-7)


def test_the_ranking_is_recovered():
    found = preference(rated(np.random.RandomState(3), TRUTH, 2000, ties=0.3), NAMES, seed=0, replicates=200)
    values = [each.value for each in found.strengths]
    assert values == sorted(values, reverse=True)
    np.testing.assert_allclose(values, TRUTH, atol=0.2)
    for i in range(3):
        assert found.chances[i][i + 1].low > 0.5


def test_the_same_seed_gives_the_same_intervals():
    tally = rated(np.random.RandomState(4), TRUTH, 100)
    assert preference(tally, NAMES, seed=1) == preference(tally, NAMES, seed=1)
    assert preference(tally, NAMES, seed=1) != preference(tally, NAMES, seed=2)


def test_an_interval_of_two_items_is_the_textbooks():
    """Wald's for the logarithm of odds."""
    found = preference(counted([[0, 240], [160, 0]]), NAMES[:2], seed=0).chances[0][1]
    half = 1.96 * np.sqrt(1 / 240 + 1 / 160)
    assert logit([found.low, found.high]) == pytest.approx(np.log(240 / 160) + np.array([-half, half]), abs=0.03)


@pytest.mark.parametrize("ties", [0.0, 0.5])
def test_intervals_hold_the_truth_in_95_of_100_experiments(ties):
    random, inside = np.random.RandomState(5), []
    for seed in range(400):
        found = preference(rated(random, TRUTH, 200, ties), NAMES, seed, replicates=300)
        inside.append([each.low <= truth <= each.high for each, truth in zip(found.strengths, TRUTH, strict=True)])
    print(np.mean(inside, 0))
    assert 0.92 <= np.mean(inside) <= 0.98


def test_an_item_that_always_wins_has_a_finite_strength_and_an_interval_with_width():
    """Votes that are drawn anew hold the added tie as often as a binomial has it."""
    tally = counted([[0, 20], [0, 0]])
    chance = preference(tally, NAMES[:2], seed=0).chances[0][1]
    ties = binom.ppf(0.975, 20, 1 / 21)
    assert chance == pytest.approx((20.5 / 21, (20.5 - ties / 2) / 21, 20.5 / 21))
    assert chance.low < chance.high


@pytest.mark.parametrize(
    ("wins", "ties", "groups"),
    [
        ([[0, 1], [1, 0]], None, []),
        ([[0, 3], [0, 0]], [[0, 1], [1, 0]], []),  # a tie is half a point for both
        ([[0, 3, 2], [3, 0, 1], [0, 0, 0]], None, [(0, 1)]),
        ([[0, 0, 2], [0, 0, 1], [0, 0, 0]], None, [(0,), (1,)]),
    ],
)
def test_who_never_lost_is_named(wins, ties, groups):
    assert unbeaten(counted(wins, ties)) == groups


def test_items_that_no_vote_connects_are_not_compared():
    wins = np.zeros((4, 4), int)
    wins[0, 1] = wins[2, 3] = 5
    with pytest.raises(UserError, match="No vote connects one and two with three and four.*collect votes"):
        preference(counted(wins), NAMES, seed=0)
    with pytest.raises(UserError, match="one with two with three"):
        preference(counted(np.zeros((3, 3), int)), NAMES[:3], seed=0)
