"""Kernel distances against sums over pairs, written out, and against what they estimate."""

import numpy as np
import pytest

from aigc_jax.errors import UserError
from aigc_jax.metrics import kernel
from aigc_jax.metrics.kernel import cmmd, cubic, gaussian, kid, squared_mmd

RANDOM = np.random.RandomState(0)


@pytest.mark.parametrize("rows", [2, 1024])
def test_both_estimates_are_the_sums_of_the_paper(monkeypatch, rows):
    monkeypatch.setattr(kernel, "ROWS", rows)
    x, y = RANDOM.randn(7, 3), RANDOM.randn(5, 3) + 1

    def k(a, b):
        return (a @ b / 3 + 1) ** 3

    within = lambda s: [k(a, b) for i, a in enumerate(s) for j, b in enumerate(s) if i != j]  # noqa: E731
    across = np.mean([k(a, b) for a in x for b in y])
    unbiased = np.mean(within(x)) + np.mean(within(y)) - 2 * across
    assert squared_mmd(x, y, cubic, unbiased=True).value == pytest.approx(unbiased, rel=1e-10)
    every = lambda s: np.mean([k(a, b) for a in s for b in s])  # noqa: E731
    assert squared_mmd(x, y, cubic, unbiased=False).value == pytest.approx(every(x) + every(y) - 2 * across, rel=1e-10)


def test_the_unbiased_one_has_no_bias():
    """Its mean over draws of one law is 0; the biased one's is above."""
    draws = [(RANDOM.randn(10, 2), RANDOM.randn(10, 2)) for _ in range(400)]
    unbiased = np.array([squared_mmd(x, y, cubic, unbiased=True).value for x, y in draws])
    biased = np.array([squared_mmd(x, y, cubic, unbiased=False).value for x, y in draws])
    error = unbiased.std() / np.sqrt(len(draws))
    assert abs(unbiased.mean()) < 3 * error
    assert biased.mean() > 10 * error


def test_a_gaussian_kernel_in_closed_form():
    """Between N(0, 1) and N(m, 1): MMD² = 2 (s² / (s² + 2))^½ (1 - exp(-m² / 2(s² + 2)))."""
    m, s = 2.0, 1.5
    x, y = RANDOM.randn(4000, 1), RANDOM.randn(4000, 1) + m
    expected = 2 * np.sqrt(s**2 / (s**2 + 2)) * (1 - np.exp(-(m**2) / (2 * (s**2 + 2))))
    assert squared_mmd(x, y, gaussian(s), unbiased=True).value == pytest.approx(expected, rel=0.05)


def test_kid_and_cmmd():
    x, y = RANDOM.randn(200, 4), RANDOM.randn(200, 4) + 0.5
    found, whole = kid(x, y, subsets=50, size=100, seed=0), squared_mmd(x, y, cubic, unbiased=True)
    assert found.value == pytest.approx(whole.value, abs=0.2)
    assert found.influence.std() / np.sqrt(len(found.influence)) == pytest.approx(
        whole.influence.std() / np.sqrt(200), rel=0.1
    )
    again = kid(x, y, subsets=50, size=100, seed=0)
    np.testing.assert_array_equal(found.influence, again.influence)
    assert cmmd(x, 7 * x).value == pytest.approx(0, abs=1e-9), "only directions count"
    with pytest.raises(UserError, match="subsets of 300 needs as many samples"):
        kid(x, y, subsets=1, size=300, seed=0)
    with pytest.raises(UserError, match="needs two samples"):
        squared_mmd(x[:1], y, cubic, unbiased=True)
