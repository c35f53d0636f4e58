"""How far a measure of N samples would move if N others had been drawn: intervals by the bootstrap.

Efron & Tibshirani 1993, chapters 13 and 22. To first order a measure is its value plus the mean over the samples of
each one's influence (section 21.3, the empirical influence function), and so it is that mean that is bootstrapped:
measures over tens of thousands of features take too long to be computed a thousand times. Measures such as a Fréchet
distance depend on N besides: the interval is for the mean over draws of N, which is what two results of one protocol
share. What the samples are held against, the reference, is taken as given.
"""

import math
from typing import NamedTuple

import numpy as np

from aigc_jax.errors import UserError

REPLICATES = 1000


class Estimate(NamedTuple):
    """A measure of N samples, and how each of them moves it."""

    value: float
    influence: np.ndarray  # float64 [N], with mean 0: to first order, N times the change that a sample makes
    least: float = -math.inf  # that the measure can be
    most: float = math.inf


class Interval(NamedTuple):
    """A value, and between what it would be found in 95 % of draws."""

    value: float
    low: float
    high: float


def mean(values: np.ndarray) -> Estimate:
    """The mean of one value a sample: float [N]."""
    values = np.asarray(values, np.float64)
    return Estimate(float(values.mean()), values - values.mean())


def ratio(totals: np.ndarray, weights: np.ndarray) -> Estimate:
    """The sum of the totals over that of the weights, float [N] each: a mean over what the weights count."""
    totals, weights = np.asarray(totals, np.float64), np.asarray(weights, np.float64)
    value = totals.sum() / weights.sum()
    return Estimate(float(value), (totals - value * weights) / weights.mean())


def interval(estimate: Estimate, seed: int, replicates: int = REPLICATES, level: float = 0.95) -> Interval:
    """From means of influences redrawn with replacement. What a measure cannot be is not in it.

    A first-order term may lead there: a share of 0.99 has no room for what samples that are missed might add.
    Raises UserError for an estimate that is not finite.
    """
    value, influence, least, most = estimate
    if not (math.isfinite(value) and np.isfinite(influence).all()):
        raise UserError(f"it is {value:.4g} for these samples.")
    value = min(max(value, least), most)  # rounding may lead beyond
    random = np.random.RandomState(seed)
    means = [influence[random.randint(0, len(influence), len(influence))].mean() for _ in range(replicates)]
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    low, high = (min(max(value + float(end), least), most) for end in (low, high))
    return Interval(value, min(low, value), max(high, value))
