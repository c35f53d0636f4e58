"""How much of each set of features lies within the other's neighbourhoods.

Precision and recall: Kynkäänniemi et al. 2019 (arXiv:1904.06991), equations 1 and 2.
Density and coverage: Naeem et al. 2020 (arXiv:2002.09797), equations 4 and 5.
A sample's neighbourhood is the ball that reaches its k-th nearest neighbour of its own set.
"""

import numpy as np
from sklearn.metrics import pairwise_distances_chunked

from aigc_jax.errors import UserError

PRECISION_NEIGHBOURS, COVERAGE_NEIGHBOURS = 3, 5  # as in the papers


def radii(features: np.ndarray, neighbours: int) -> np.ndarray:
    """The distance of each to its k-th nearest other, float64 [N].

    Raises UserError where there are no k others.
    """
    if len(features) <= neighbours:
        raise UserError(f"The {neighbours} nearest others of a sample need more than {len(features)} samples.")
    features = np.asarray(features, np.float64)
    # A sample is its own nearest, at distance 0: one more has to be looked at.
    parts = pairwise_distances_chunked(features, reduce_func=lambda d, _: np.partition(d, neighbours)[:, neighbours])
    return np.concatenate(list(parts))


def _balls(queries: np.ndarray, centres: np.ndarray, radius: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(for each query in how many balls it lies, for each centre whether any query lies in its ball)."""
    reached = np.zeros(len(centres), bool)

    def count(distances: np.ndarray, _: int) -> np.ndarray:
        inside = distances <= radius
        reached[:] |= inside.any(0)
        return inside.sum(1)

    queries, centres = np.asarray(queries, np.float64), np.asarray(centres, np.float64)
    counts = np.concatenate(list(pairwise_distances_chunked(queries, centres, reduce_func=count)))
    return counts, reached


def precision_recall(real: np.ndarray, generated: np.ndarray, neighbours: int = PRECISION_NEIGHBOURS) -> dict:
    """{"precision": of the generated the share within real balls, "recall": of the real within generated ones}."""
    inside, _ = _balls(generated, real, radii(real, neighbours))
    covered, _ = _balls(real, generated, radii(generated, neighbours))
    return {"precision": float((inside > 0).mean()), "recall": float((covered > 0).mean())}


def density_coverage(real: np.ndarray, generated: np.ndarray, neighbours: int = COVERAGE_NEIGHBOURS) -> dict:
    """{"density": real balls around a generated sample, over k; "coverage": real balls with one in them, a share}."""
    counts, reached = _balls(generated, real, radii(real, neighbours))
    return {"density": float(counts.mean() / neighbours), "coverage": float(reached.mean())}
