"""Intervals hold what they are said to hold as often as they are said to."""

import numpy as np
import pytest

from aigc_jax.metrics.bootstrap import bootstrapped, interval
from aigc_jax.metrics.frechet import frechet_distance, moments


def test_of_a_mean_it_is_the_textbooks():
    samples = np.random.RandomState(0).randn(400)
    found = bootstrapped(np.mean, samples, 2000, seed=0)
    half = 1.96 * samples.std() / np.sqrt(400)
    assert found.value == samples.mean()
    assert (found.high - found.low) / 2 == pytest.approx(half, rel=0.08)


def test_it_lies_around_the_value_though_the_replicates_do_not():
    found = interval(1.0, np.random.RandomState(0).randn(10_000) * 0.1 + 5)
    assert (found.low, found.high) == pytest.approx((1 - 0.196, 1 + 0.196), abs=0.01)


@pytest.mark.slow
def test_coverage_for_a_measure_that_depends_on_the_number_of_samples():
    """A Fréchet distance of 300 samples, over 200 draws: its mean lies inside 95 % of the intervals."""
    random = np.random.RandomState(0)
    reference = moments(random.randn(5000, 4))

    def measure(samples):
        return frechet_distance(moments(samples), reference)

    draws = [random.randn(300, 4) * 1.2 + 0.1 for _ in range(200)]
    truth = np.mean([measure(random.randn(300, 4) * 1.2 + 0.1) for _ in range(3000)])
    found = [bootstrapped(measure, samples, 100, seed) for seed, samples in enumerate(draws)]
    inside = np.mean([each.low <= truth <= each.high for each in found])
    assert 0.90 <= inside <= 0.985
