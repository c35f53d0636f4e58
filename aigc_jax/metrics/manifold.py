"""Precision, recall, density and coverage: how far two sets of features cover each other.

Precision and recall: Kynkäänniemi et al. 2019 (arXiv:1904.06991), equations 1 and 2.
Density and coverage: Naeem et al. 2020 (arXiv:2002.09797), equations 4 and 5.
A sample's neighbourhood is the ball up to its k-th nearest neighbour in its own set.
"""

from typing import NamedTuple

import numpy as np
from sklearn.metrics import pairwise_distances_chunked
from sklearn.neighbors import NearestNeighbors

from aigc_jax.errors import UserError
from aigc_jax.metrics.bootstrap import Estimate, mean

PRECISION_NEIGHBOURS, COVERAGE_NEIGHBOURS = 3, 5  # as in the papers


def nearest_others(features: np.ndarray, neighbours: int) -> np.ndarray:
    """The distances of each sample to its nearest others, ascending, float64 [N, neighbours].

    Raises UserError where there are fewer others.
    """
    if len(features) <= neighbours:
        raise UserError(f"The {neighbours} nearest others of a sample need more than {len(features)} samples.")
    search = NearestNeighbors(n_neighbors=neighbours, algorithm="brute").fit(np.asarray(features, np.float64))
    distances: np.ndarray = search.kneighbors()[0]
    return distances


class Balls(NamedTuple):
    """Which queries lie in the balls around which centres."""

    around: np.ndarray  # int64 [queries]: balls that a query lies in
    inside: np.ndarray  # int64 [centres]: queries in a ball
    only_query: np.ndarray  # int64 [queries]: balls that it is alone in
    only_ball: np.ndarray  # int64 [centres]: queries that are in this ball alone


def balls(queries: np.ndarray, centres: np.ndarray, radius: np.ndarray) -> Balls:
    """radius: float [centres]."""
    inside, only_ball = np.zeros(len(centres), np.int64), np.zeros(len(centres), np.int64)
    last = np.zeros(len(centres), np.int64)  # a query in each ball: the only one, where there is one

    def count(distances: np.ndarray, start: int) -> np.ndarray:
        within = distances <= radius
        around = within.sum(1)
        inside[:] += within.sum(0)
        only_ball[:] += within[around == 1].sum(0)
        np.copyto(last, start + within.argmax(0), where=within.any(0))
        return around

    queries, centres = np.asarray(queries, np.float64), np.asarray(centres, np.float64)
    around = np.concatenate(list(pairwise_distances_chunked(queries, centres, reduce_func=count)))
    return Balls(around, inside, np.bincount(last[inside == 1], minlength=len(queries)), only_ball)


def precision_recall(real: np.ndarray, near: np.ndarray, generated: np.ndarray) -> dict[str, Estimate]:
    """{"precision": the share of generated samples in real balls, "recall": of real samples in generated balls}.

    near: `nearest_others` of the real, k columns.
    """
    precise = balls(generated, real, near[:, -1])
    recalled = balls(real, generated, nearest_others(generated, near.shape[1])[:, -1])
    return {"precision": mean(precise.around > 0), "recall": _covered(recalled.around > 0, recalled.only_ball)}


def density_coverage(real: np.ndarray, near: np.ndarray, generated: np.ndarray) -> dict[str, Estimate]:
    """{"density": real balls that hold a generated sample / k, "coverage": the share of real balls that hold any}.

    near: `nearest_others` of the real, k columns.
    """
    found = balls(generated, real, near[:, -1])
    return {"density": mean(found.around / near.shape[1]), "coverage": _covered(found.inside > 0, found.only_query)}


def _covered(covered: np.ndarray, lost: np.ndarray) -> Estimate:
    """The share of covered real samples. lost: int [N], how many only this generated sample covers."""
    influence = lost * (len(lost) / len(covered))  # the jackknife's: N times what leaving it out changes
    return Estimate(float(covered.mean()), influence - influence.mean(), least=0, most=1)
