"""Bootstrap intervals: how far a measure of N samples would move if N other samples had been drawn.

Efron & Tibshirani 1993, chapters 13 and 22. Computing a measure over tens of thousands of features a thousand times
takes too long. To first order a measure is its value plus the mean of the samples' influences (section 21.3, the
empirical influence function); that mean is bootstrapped. A measure such as a Fréchet distance also depends on N: its
interval is for the expectation over draws of N samples. The reference set is taken as given.
"""

import math
from typing import NamedTuple

import numpy as np

from aigc_jax.errors import UserError

REPLICATES = 1000


class Estimate(NamedTuple):
    """A measure of N samples, and the influence of each."""

    value: float
    influence: np.ndarray  # float64 [N], with mean 0: N times the change by one sample, to first order
    least: float = -math.inf  # bounds of the measure
    most: float = math.inf


class Interval(NamedTuple):
    """A value and its 95 % interval."""

    value: float
    low: float
    high: float


def mean(values: np.ndarray) -> Estimate:
    """The mean over samples. values: float [N]."""
    values = np.asarray(values, np.float64)
    return Estimate(float(values.mean()), values - values.mean())


def ratio(totals: np.ndarray, weights: np.ndarray) -> Estimate:
    """sum(totals) / sum(weights), float [N] each: a mean over what the weights count, such as tokens."""
    totals, weights = np.asarray(totals, np.float64), np.asarray(weights, np.float64)
    value = totals.sum() / weights.sum()
    return Estimate(float(value), (totals - value * weights) / weights.mean())


def interval(estimate: Estimate, seed: int, replicates: int = REPLICATES, level: float = 0.95) -> Interval:
    """Percentiles of the value plus means of influences drawn with replacement, clipped to the measure's bounds.

    Raises UserError for an estimate that is not finite.
    """
    value, influence, least, most = estimate
    if not (math.isfinite(value) and np.isfinite(influence).all()):
        raise UserError(f"it is {value:.4g} for these samples.")
    value = min(max(value, least), most)  # rounding may exceed them
    random = np.random.RandomState(seed)
    means = [influence[random.randint(0, len(influence), len(influence))].mean() for _ in range(replicates)]
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    low, high = (min(max(value + float(end), least), most) for end in (low, high))
    return Interval(value, min(low, value), max(high, value))
