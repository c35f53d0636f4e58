"""Neighbourhoods against every pair looked at in turn, and against what the papers say of special cases."""

import tracemalloc

import numpy as np
import pytest
from sklearn import config_context

from aigc_jax.errors import UserError
from aigc_jax.metrics import manifold
from aigc_jax.metrics.manifold import balls, nearest_others

RANDOM = np.random.RandomState(0)


def precision_recall(real, generated, k=3):
    return manifold.precision_recall(real, nearest_others(real, k), generated)


def density_coverage(real, generated, k=5):
    return manifold.density_coverage(real, nearest_others(real, k), generated)


def in_turn(real, generated, k):
    """The four measures, from the papers' sums."""

    def radius(x, others):
        return sorted(np.linalg.norm(x - other) for other in others)[k]  # itself is first

    real_radii = [radius(x, real) for x in real]
    generated_radii = [radius(x, generated) for x in generated]
    inside = np.array([[np.linalg.norm(g - r) <= s for r, s in zip(real, real_radii, strict=True)] for g in generated])
    other = np.array(
        [[np.linalg.norm(r - g) <= s for g, s in zip(generated, generated_radii, strict=True)] for r in real]
    )
    return {
        "precision": inside.any(1).mean(),
        "recall": other.any(1).mean(),
        "density": inside.sum(1).mean() / k,
        "coverage": inside.any(0).mean(),
    }


def values(estimates):
    return {name: estimate.value for name, estimate in estimates.items()}


@pytest.mark.parametrize("k", [1, 3, 5])
def test_every_pair_in_turn(k):
    real, generated = RANDOM.randn(40, 3), RANDOM.randn(30, 3) * 1.3 + 0.4
    found = values(precision_recall(real, generated, k) | density_coverage(real, generated, k))
    assert found == pytest.approx(in_turn(real, generated, k))


def test_special_cases():
    real = RANDOM.randn(200, 4)
    assert values(precision_recall(real, real)) == {"precision": 1, "recall": 1}
    assert values(precision_recall(real, real + 100)) == {"precision": 0, "recall": 0}
    # A copy of a few real samples looks right and covers little.
    few = np.repeat(real[:5], 10, 0) + 1e-6 * RANDOM.randn(50, 4)
    found = values(precision_recall(real, few))
    assert found["precision"] == 1 and found["recall"] < 0.1
    # Two draws of one law: density about 1, coverage about 1 - 2^-k (section 3.2 of the second paper).
    draws = [values(density_coverage(RANDOM.randn(500, 2), RANDOM.randn(500, 2))) for _ in range(40)]
    assert np.mean([found["density"] for found in draws]) == pytest.approx(1, abs=0.02)
    assert np.mean([found["coverage"] for found in draws]) == pytest.approx(1 - 2**-5, abs=0.01)


def test_the_influence_on_what_is_covered_is_that_of_leaving_a_sample_out():
    real, generated = RANDOM.randn(40, 2), RANDOM.randn(30, 2)
    found = density_coverage(real, generated)["coverage"]
    without = [density_coverage(real, np.delete(generated, i, 0))["coverage"].value for i in range(30)]
    influence = 30 * (found.value - np.array(without))
    np.testing.assert_allclose(found.influence, influence - influence.mean(), atol=1e-12)


def test_too_few_samples_are_refused():
    with pytest.raises(UserError, match="need more than 3 samples"):
        nearest_others(np.zeros((3, 2)), 3)


def test_copies_are_others_at_distance_0():
    features = np.repeat(RANDOM.randn(4, 3), 3, axis=0)
    found = nearest_others(features, 3)
    # |x|² + |y|² - 2 x·y, whose rounding is the linear algebra library's: its root is 1e-8 where it is not 0
    np.testing.assert_allclose(found[:, :2], 0, atol=1e-7)
    assert (found[:, 2] > 0.1).all()


def test_not_all_distances_are_held_at_once():
    """Between 4,000 and 4,000 they are 128 MB."""
    features = RANDOM.randn(4000, 4)
    with config_context(working_memory=4):  # MiB of distances at a time
        tracemalloc.start()
        balls(features, features, nearest_others(features, 5)[:, -1])
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert most < 30e6
