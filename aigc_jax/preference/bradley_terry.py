"""Strengths of preference from votes between two items at a time.

The model is that of Bradley & Terry 1952: i is preferred over j with probability sigmoid(s_i - s_j), where s is the
logarithm of a strength, here with mean 0. A tie counts as half a vote for each, so that a chance is the share of votes
of i against j. Davidson 1970 has a further parameter for ties.

Votes that all go one way would make a strength infinite. One tie is therefore added to the votes, spread evenly over
all pairs. For two items this is the familiar half added to both counts, which is Jeffreys' prior and removes most of
the bias (Firth 1993, section 3).

Intervals are percentiles of the bootstrap over votes (Efron & Tibshirani 1993, section 13.3). The added tie is among
what is drawn from, since votes that all go one way would otherwise leave an interval of no width.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.sparse.csgraph import connected_components
from scipy.special import expit

from aigc_jax.errors import UserError
from aigc_jax.metrics.bootstrap import REPLICATES, Interval

TOLERANCE = 1e-6  # of the last step; what it leaves is about its square
STEPS = 200


class Tally(NamedTuple):
    """Votes between k items, counted."""

    wins: np.ndarray  # int64 [k, k]: how often i was preferred over j
    ties: np.ndarray  # int64 [k, k], symmetric

    @classmethod
    def of(cls, first: np.ndarray, second: np.ndarray, outcome: np.ndarray, items: int) -> "Tally":
        """first, second: int [N], who met. outcome: int [N]: 1 = the first is preferred, -1 = the second, 0 = a tie."""
        wins, ties = np.zeros((2, items, items), np.int64)
        np.add.at(wins, (first[outcome > 0], second[outcome > 0]), 1)
        np.add.at(wins, (second[outcome < 0], first[outcome < 0]), 1)
        np.add.at(ties, (first[outcome == 0], second[outcome == 0]), 1)
        return cls(wins, ties + ties.T)

    @property
    def points(self) -> np.ndarray:
        """float64 [k, k]: the votes of i against j, of ties the half."""
        return self.wins + self.ties / 2


class Preference(NamedTuple):
    """What the votes say of k items."""

    strengths: list[Interval]  # [k]: logarithms, with mean 0
    chances: list[list[Interval]]  # [k][k]: of i's being preferred over j, 0 ... 1


def preference(tally: Tally, names: Sequence[str], seed: int, replicates: int = REPLICATES) -> Preference:
    """Strengths with their 95 % intervals. names: of the items, for messages.

    Raises UserError where votes do not connect all items, so that some are not to be compared.
    """
    _check_connected(tally, names)
    found = log_strengths(tally.points)
    drawn = log_strengths(_redrawn(tally, seed, replicates))
    chances = _intervals(_chances(found), _chances(drawn))
    return Preference(
        [Interval(*row) for row in _intervals(found, drawn)], [[Interval(*cell) for cell in row] for row in chances]
    )


def unbeaten(tally: Tally) -> list[tuple[int, ...]]:
    """Groups of items that no other took a point from: the votes do not say how far ahead they are."""
    points = tally.points
    count, group = connected_components(points > 0, directed=True, connection="strong")
    insides = [group == number for number in range(count)]
    return [
        tuple(map(int, np.flatnonzero(inside)))
        for inside in insides
        if not inside.all() and not points[np.ix_(~inside, inside)].any()
    ]


def log_strengths(points: np.ndarray) -> np.ndarray:
    """The likeliest log-strengths, given votes and one tie: float64 [..., k], with mean 0. points: float [..., k, k].

    Newton's method on the log-likelihood, which is concave. Its third derivative along a step is at most the step's
    reach r (the largest difference that it makes) times the second, hence a step cut to log(1 + r) / r of its length
    always climbs (Sun & Tran-Dinh 2019, the damped step for generalized self-concordance of order 2).
    """
    items = points.shape[-1]
    identity = np.eye(items)
    points = points + _one_tie(items)
    votes = points + np.swapaxes(points, -1, -2)
    found = np.zeros(points.shape[:-1])
    for _ in range(STEPS):
        chances = _chances(found)
        gradient = (points - votes * chances).sum(-1)
        weights = votes * chances * (1 - chances)
        curvature = weights.sum(-1)[..., None] * identity - weights
        # Curvature is 0 along (1, …, 1), where the gradient is 0 too: adding to it there leaves the mean at 0.
        step = np.linalg.solve(curvature + 1, gradient[..., None])[..., 0]
        reach = np.ptp(step, axis=-1, keepdims=True)
        found += step * np.log1p(reach) / np.maximum(reach, np.finfo(float).tiny)
        if reach.max() < TOLERANCE:
            return found
    raise FloatingPointError(f"Newton's method did not come to rest in {STEPS} steps.")


def _one_tie(items: int) -> np.ndarray:
    """Its points, spread over all pairs: float64 [k, k]."""
    return (1 - np.eye(items)) / (items * (items - 1))


def _chances(strengths: np.ndarray) -> np.ndarray:
    """float64 [..., k] -> [..., k, k]."""
    return expit(strengths[..., :, None] - strengths[..., None, :])


def _redrawn(tally: Tally, seed: int, replicates: int) -> np.ndarray:
    """Points of as many votes, drawn with replacement: float64 [replicates, k, k]."""
    urn = np.stack([tally.wins, np.triu(tally.ties + 2 * _one_tie(len(tally.ties)))])
    votes = tally.wins.sum() + np.triu(tally.ties).sum()
    drawn = np.random.RandomState(seed).multinomial(votes, (urn / urn.sum()).ravel(), replicates)
    wins, ties = np.moveaxis(drawn.reshape(replicates, *urn.shape), 1, 0)
    return wins + (ties + np.swapaxes(ties, -1, -2)) / 2


def _intervals(found: np.ndarray, drawn: np.ndarray, level: float = 0.95) -> np.ndarray:
    """float64 [...] and [replicates, ...] -> [..., 3]: value, low, high."""
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return np.stack([found, low, high], -1)


def _check_connected(tally: Tally, names: Sequence[str]) -> None:
    count, group = connected_components(tally.points > 0, directed=False)
    if count > 1:
        apart = [" and ".join(np.array(names)[group == number]) for number in range(count)]
        raise UserError(
            f"No vote connects {' with '.join(apart)}, so that nothing says which is preferred: collect votes between "
            "them."
        )
