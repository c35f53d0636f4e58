"""How far a measure of N samples would move if N others had been drawn: intervals by the bootstrap.

Efron & Tibshirani 1993, chapter 13. A measure such as a Fréchet distance depends on N: with samples drawn twice it is
larger, and so are the replicates'. They are therefore moved to lie around the estimate, and the interval is for the
measure's mean over draws of N, which is what two results of one protocol share.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np


class Interval(NamedTuple):
    """A value and where it would be found, at `level`."""

    value: float
    low: float
    high: float


def interval(value: float, replicates: np.ndarray, level: float = 0.95) -> Interval:
    """From the measure of N samples and the measures of redrawn ones."""
    tails = np.quantile(replicates, [(1 - level) / 2, (1 + level) / 2]) - np.mean(replicates)
    return Interval(float(value), float(value + tails[0]), float(value + tails[1]))


def redrawn(count: int, replicates: int, seed: int) -> list[np.ndarray]:
    """The numbers of the samples of each replicate: int64 [count], drawn with replacement."""
    random = np.random.RandomState(seed)
    return [random.randint(0, count, count) for _ in range(replicates)]


def bootstrapped(
    measure: Callable[[np.ndarray], float], samples: np.ndarray, replicates: int, seed: int, level: float = 0.95
) -> Interval:
    """The interval of measure(samples), which is called once for each replicate."""
    found = [measure(samples[numbers]) for numbers in redrawn(len(samples), replicates, seed)]
    return interval(measure(samples), np.array(found), level)
