"""The Fréchet distance against its closed forms, and moments against NumPy."""

import numpy as np
import pytest

from aigc_jax.errors import UserError
from aigc_jax.metrics.frechet import Moments, frechet, frechet_distance, merged, moments


def gaussian(mean, covariance):
    """Moments that say exactly this."""
    mean, covariance = np.array(mean, float), np.array(covariance, float)
    return Moments(10**6, mean, covariance * (10**6 - 1))


def test_closed_forms():
    # Diagonal covariances: |m|² + Σ (s₁ - s₂)².
    one, other = gaussian([0, 0, 0], np.diag([1.0, 4.0, 9.0])), gaussian([1, 2, 2], np.diag([4.0, 1.0, 0.0]))
    assert frechet_distance(one, other) == pytest.approx(9 + 1 + 1 + 9, rel=1e-12)
    assert frechet_distance(other, one) == pytest.approx(20, rel=1e-12)  # from a covariance that is singular
    assert frechet_distance(one, one) == pytest.approx(0, abs=1e-10)
    # It does not change under a rotation, and its value under scaling by a is a² times as large.
    random = np.random.RandomState(0)
    turn, _ = np.linalg.qr(random.randn(3, 3))
    c1, c2 = (a @ a.T for a in random.randn(2, 3, 3))
    plain = frechet_distance(gaussian([0, 0, 0], c1), gaussian([1, 0, 2], c2))
    turned = frechet_distance(
        gaussian([0, 0, 0], turn @ c1 @ turn.T), gaussian(turn @ np.array([1, 0, 2.0]), turn @ c2 @ turn.T)
    )
    assert turned == pytest.approx(plain, rel=1e-9)
    assert frechet_distance(gaussian([0, 0, 0], 9 * c1), gaussian([3, 0, 6], 9 * c2)) == pytest.approx(9 * plain)


def test_moments_add_up_whatever_the_parts_and_however_large_the_mean():
    features = np.random.RandomState(0).randn(100, 5).astype(np.float32) + 1e4
    found = moments(np.zeros((0, 5)))
    for part in np.split(features, [7, 8, 60]):
        found = merged(found, moments(part))
    assert found.n == 100
    np.testing.assert_allclose(found.mean, features.astype(np.float64).mean(0), rtol=1e-12)
    np.testing.assert_allclose(found.covariance, np.cov(features.astype(np.float64), rowvar=False), rtol=1e-8)


def test_a_samples_influence_is_that_of_leaving_it_out():
    random = np.random.RandomState(0)
    reference, features = moments(random.randn(500, 3)), random.randn(2000, 3) * 1.3 + 0.5
    features[:, 2] = 1  # a feature that never moves
    found = frechet(reference, features)
    assert found.value == frechet_distance(reference, moments(features))
    without = [frechet_distance(reference, moments(np.delete(features, i, 0))) for i in range(20)]
    np.testing.assert_allclose(found.influence[:20], 1999 * (found.value - np.array(without)), rtol=0.02, atol=0.02)


def test_too_few_samples_are_refused():
    few = moments(np.random.RandomState(0).randn(5, 5))
    with pytest.raises(UserError, match="needs more than 5 samples on each side, and there are 5"):
        frechet_distance(few, few)
