"""Copies are found where they were planted, and exchangeable scores are called copies as rarely as promised."""

from itertools import combinations

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from scipy.stats import entropy
from sklearn.datasets import load_digits

from aigc_jax.errors import UserError
from aigc_jax.metrics.memorisation import LEVEL, NEIGHBOURS, excess, nearest, nearest_images

RANDOM = np.random.RandomState(0)


def digits():
    return np.round(load_digits().images * (255 / 16)).astype(np.uint8)[..., None]


def planted(images, random, moved=False):
    """Copies with a little noise or, `moved`, shifted by a pixel and filled with black."""
    if moved:
        return np.stack([np.roll(image, random.choice([-1, 1]), axis=random.randint(2)) for image in images])
    return np.clip(np.rint(images + 8 * random.randn(*images.shape)), 0, 255).astype(np.uint8)


def p_value(copies, random, moved=False, size=500):
    """Of 500 real digits as samples, of which `copies` are replaced by copies of 500 training digits."""
    images = digits()[random.permutation(1797)]
    train, unseen, made = images[:size], images[2 * size :], images[size : 2 * size].copy()
    made[:copies] = planted(train[random.choice(size, copies, replace=False)], random, moved)
    near = nearest_images(train, np.concatenate([made, unseen]))
    return excess(near.scores[size:], near.scores[:size], seed=0, orders=499).p_value


def test_every_distance_in_turn():
    train, queries = RANDOM.randn(70, 3), RANDOM.randn(20, 3)
    found = nearest(train, queries)
    apart = cdist(queries, train)
    np.testing.assert_array_equal(found.examples[:, 0], apart.argmin(1))
    np.testing.assert_allclose(found.distances, np.sort(apart)[:, :NEIGHBOURS])
    np.testing.assert_allclose(found.scores, apart.min(1) / np.sort(apart)[:, :NEIGHBOURS].mean(1))
    assert nearest(np.ones((9, 2)), np.ones((3, 2))).scores.tolist() == [0, 0, 0]


def test_a_moved_copy_is_a_copy():
    train = RANDOM.randint(0, 256, (60, 9, 7, 3)).astype(np.uint8)
    chosen = RANDOM.choice(60, 8, replace=False)
    for down in (-1, 0, 1):
        for right in (-1, 0, 1):
            moved = np.roll(train[chosen], (down, right), (1, 2))
            found = nearest_images(train, moved)
            np.testing.assert_array_equal(found.examples[:, 0], chosen)
            np.testing.assert_array_equal(found.distances[:, 0], 0)
    found = nearest_images(train, np.minimum(train[chosen], 252) + np.uint8(3))
    assert (found.distances[:, 0] <= 3).all() and (found.distances[:, 0] > 2.5).all(), "in grey levels"
    np.testing.assert_array_equal(found.examples[:, 0], chosen)


def by_enumeration(unseen, made):
    """The p-value from all assignments of the scores, and the statistic written out."""
    scores = np.sort(np.concatenate([made, unseen]))
    share = len(made) / len(scores)

    def statistic(chosen):
        best = 0.0
        for depth in range(1, len(scores) // 4 + 1):
            if scores[depth - 1] < scores[depth]:  # ties go together
                found = np.isin(np.arange(depth), chosen).mean()
                if found > share:
                    best = max(best, depth * entropy([found, 1 - found], [share, 1 - share]))
        return best

    ranks = np.argsort(np.argsort(np.concatenate([made, unseen]), kind="stable"))[: len(made)]
    every = [statistic(chosen) for chosen in combinations(range(len(scores)), len(made))]
    return np.mean(np.array(every) >= statistic(ranks) - 1e-12)


@pytest.mark.parametrize("made", [[0.1, 0.2, 0.3, 0.9], [0.1, 0.2, 0.2, 0.7], [0.2, 0.3, 0.7, 0.8]])
def test_the_p_value_is_that_of_all_orders(made):
    unseen = np.array([0.2, 0.4, 0.5, 0.55, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 0.97])
    exact = by_enumeration(unseen, np.array(made))
    assert excess(unseen, np.array(made), seed=1, orders=20_000).p_value == pytest.approx(exact, abs=0.012)


@pytest.mark.parametrize("levels", [6, 10**6])
def test_exchangeable_scores_are_called_copies_no_more_often_than_promised(levels):
    """Of 600 draws of one law, with and without ties; 0.05 + 3 standard errors."""
    draws = [RANDOM.randint(0, levels, 90) for _ in range(600)]
    p_values = np.array([excess(each[:60], each[60:], seed=i, orders=199).p_value for i, each in enumerate(draws)])
    assert np.mean(p_values <= LEVEL) <= LEVEL + 3 * np.sqrt(LEVEL * (1 - LEVEL) / 600)
    assert np.mean(p_values <= 0.5) <= 0.5 + 3 * np.sqrt(0.25 / 600)


def test_as_many_copies_as_are_called_detectable_are_found():
    unseen, made = RANDOM.rand(400), RANDOM.rand(300) + 0.2
    needed = excess(unseen, made, seed=0).detectable
    made[:needed] = 0
    found = excess(unseen, made, seed=0)
    assert found.p_value <= LEVEL
    assert set(range(needed)) <= set(found.lowest.tolist())


def test_copies_among_digits_are_found_and_their_absence_too():
    random = np.random.RandomState(1)
    assert sum(p_value(10, random) <= LEVEL for _ in range(6)) >= 5
    assert sum(p_value(0, random) <= LEVEL for _ in range(12)) <= 2


@pytest.mark.long(part="statistics")
def test_rates_on_digits():
    """2 % of noisy copies nearly always, of moved ones mostly; clean runs at most as often as promised."""
    random = np.random.RandomState(2)
    assert np.mean([p_value(10, random) <= LEVEL for _ in range(50)]) >= 0.9
    assert np.mean([p_value(10, random, moved=True) <= LEVEL for _ in range(50)]) >= 0.8
    false = np.mean([p_value(0, random) <= LEVEL for _ in range(200)])
    assert false <= LEVEL + 3 * np.sqrt(LEVEL * (1 - LEVEL) / 200)


def test_what_cannot_be_looked_at_is_refused():
    with pytest.raises(UserError, match="two training examples"):
        nearest(np.zeros((1, 2)), np.zeros((3, 2)))
    with pytest.raises(UserError, match="more than 2 pixels"):
        nearest_images(np.zeros((9, 2, 8, 1), np.uint8), np.zeros((3, 2, 8, 1), np.uint8))
    with pytest.raises(UserError, match="unseen examples"):
        excess(np.zeros(0), np.zeros(3), seed=0)
