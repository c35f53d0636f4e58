"""Ranges of the numbers in a configuration, as annotations of the signature that reads them.

    def vae(..., *, beta: Annotated[float, at_least(0)], importance_samples: tuple[Size, ...])

`aigc_jax.config` checks every value against its annotation. A range is the widest in which a number can work: what is
only unwise is not refused. Numbers that are not finite or do not fit into 32 bits are in none.
"""

import math
import re
from typing import Annotated, NamedTuple

import numpy as np

LARGEST_INT = 2**31 - 1


class Range(NamedTuple):
    """The numbers from `low` to `high`; as a string "at least 1", "above 0", "0 to 1, without 1", …"""

    low: float
    high: float = math.inf
    without_low: bool = False
    without_high: bool = False
    besides: int | None = None  # a number outside that has a meaning of its own

    def __contains__(self, value: object) -> bool:
        if not isinstance(value, (int, float)):
            return False
        if isinstance(value, float):
            with np.errstate(over="ignore"):
                value = float(np.float32(value))  # as the device sees it: 1 - 1e-9 is 1
        above = value > self.low if self.without_low else value >= self.low
        below = value < self.high if self.without_high else value <= self.high
        if math.isinf(self.high):
            below = value <= LARGEST_INT if isinstance(value, int) else value < math.inf
        return (above and below) or value == self.besides

    def __str__(self) -> str:
        if math.isinf(self.high):
            said = f"{'above' if self.without_low else 'at least'} {self.low:,}"
        else:
            ends = ((self.low, self.without_low), (self.high, self.without_high))
            without = " and ".join(f"{end:,}" for end, left_out in ends if left_out)
            said = f"{self.low:,} to {self.high:,}{', without ' if without else ''}{without}"
        return said if self.besides is None else f"{said}, or {self.besides}"


class NotEmpty:
    """Of a tuple."""

    def __contains__(self, value: object) -> bool:
        return isinstance(value, tuple) and len(value) > 0

    def __str__(self) -> str:
        return "not empty"


class Regular:
    """Of a string: an expression that `re` compiles."""

    def __contains__(self, value: object) -> bool:
        try:
            return isinstance(value, str) and bool(re.compile(value))
        except re.error:
            return False

    def __str__(self) -> str:
        return "a regular expression"


def at_least(low: float, besides: int | None = None) -> Range:
    """From `low` on, and `besides`."""
    return Range(low, besides=besides)


def above(low: float) -> Range:
    """From `low` on, without it."""
    return Range(low, without_low=True)


def between(low: float, high: float) -> Range:
    """From `low` to `high`, both with it."""
    return Range(low, high)


def below(high: float, low: float = 0) -> Range:
    """From `low` on, below `high`."""
    return Range(low, high, without_high=True)


Size = Annotated[int, at_least(1)]  # of something that is there: channels, examples, steps to take
Count = Annotated[int, at_least(0)]  # of something that may be absent; often 0 = none, or as many as there are
Token = Annotated[int, at_least(0, besides=-1)]  # the number of one; -1 = there is none
Sizes = Annotated[tuple[Size, ...], NotEmpty()]
Seed = Annotated[int, between(0, 2**32 - 1)]  # numpy's
Amount = Annotated[float, at_least(0)]
Share = Annotated[float, between(0, 1)]
Part = Annotated[float, below(1)]  # a share that leaves something: of a decay, of what dropout takes away
Pattern = Annotated[str, Regular()]
