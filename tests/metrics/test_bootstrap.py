"""Intervals hold what they are said to hold as often as they are said to."""

import numpy as np
import pytest

from aigc_jax.metrics.bootstrap import interval, mean, ratio
from aigc_jax.metrics.frechet import frechet, moments
from aigc_jax.metrics.kernel import cmmd, cubic, kid, squared_mmd
from aigc_jax.metrics.manifold import density_coverage, precision_recall
from aigc_jax.metrics.scores import inception_score


def test_of_a_mean_it_is_the_textbooks():
    samples = np.random.RandomState(0).randn(400) + 3
    found = interval(mean(samples), seed=0)
    half = 1.96 * samples.std() / np.sqrt(400)
    assert found.value == samples.mean()
    assert (found.high - found.low) / 2 == pytest.approx(half, rel=0.05)
    assert found == interval(mean(samples), seed=0)


def test_a_ratios_influence_is_that_of_leaving_a_sample_out():
    random = np.random.RandomState(0)
    totals, weights = random.rand(500), random.randint(0, 5, 500)
    found = ratio(totals, weights)
    assert found.value == pytest.approx(totals.sum() / weights.sum())
    without = [np.delete(totals, i).sum() / np.delete(weights, i).sum() for i in range(500)]
    np.testing.assert_allclose(found.influence, 499 * (found.value - np.array(without)), atol=0.01)


RANDOM = np.random.RandomState(0)
REAL = RANDOM.randn(1500, 6)
REFERENCE = moments(REAL)


def features(random, count):
    return random.randn(count, 6) * 1.2 + 0.15


def probabilities(found):
    logits = np.exp(2 * found)
    return logits / logits.sum(1, keepdims=True)


MEASURES = {
    "frechet": lambda found: frechet(REFERENCE, found),
    "mmd": lambda found: squared_mmd(REAL, found, cubic, unbiased=True),
    "kid": lambda found: kid(REAL, found, subsets=10, size=100, seed=0),
    "cmmd": lambda found: cmmd(REAL, found),
    "inception_score": lambda found: inception_score(probabilities(found), 5),
    "precision": lambda found: precision_recall(REAL, found)["precision"],
    "recall": lambda found: precision_recall(REAL, found)["recall"],
    "density": lambda found: density_coverage(REAL, found)["density"],
    "coverage": lambda found: density_coverage(REAL, found)["coverage"],
}
DRAWS, COUNT = 200, 300


@pytest.mark.slow
@pytest.mark.parametrize("name", MEASURES)
def test_an_interval_holds_the_mean_of_its_measure_in_95_of_100_draws(name):
    """Over draws of 300 samples, held against one reference."""
    random = np.random.RandomState(1)
    estimates = [MEASURES[name](features(random, COUNT)) for _ in range(DRAWS)]
    truth = np.mean([estimate.value for estimate in estimates])
    found = [interval(estimate, seed, replicates=400) for seed, estimate in enumerate(estimates)]
    inside = np.mean([each.low <= truth <= each.high for each in found])
    print(name, inside)
    assert 0.90 <= inside <= 0.99
