"""Scores of a classifier's answers: Inception Score, accuracy, and distances between histograms."""

import numpy as np
from scipy.special import rel_entr

from aigc_jax.errors import UserError


def inception_score(probabilities: np.ndarray, splits: int) -> np.ndarray:
    """exp(E KL(p(y|x) || p(y))) of each of `splits` parts in their order, float64 [splits]; the score is the mean.

    Salimans et al. 2016 (arXiv:1606.03498), section 4. probabilities: [N, classes].
    Raises UserError where there are fewer samples than splits.
    """
    if len(probabilities) < splits:
        raise UserError(
            f"An Inception Score over {splits} parts needs as many samples, and there are {len(probabilities)}."
        )
    parts = np.array_split(np.asarray(probabilities, np.float64), splits)
    return np.array([np.exp(rel_entr(part, part.mean(0)).sum(1).mean()) for part in parts])


def kullback_leibler(p: np.ndarray, q: np.ndarray) -> float:
    """KL(p || q) in nats between two histograms [K], which are scaled to sum to 1; inf where q lacks what p has."""
    p, q = _normalised(p), _normalised(q)
    return float(rel_entr(p, q).sum())


def jensen_shannon(p: np.ndarray, q: np.ndarray) -> float:
    """The Jensen-Shannon divergence in nats, 0 ... log 2 (Lin 1991)."""
    p, q = _normalised(p), _normalised(q)
    middle = (p + q) / 2
    return float((rel_entr(p, middle).sum() + rel_entr(q, middle).sum()) / 2)


def _normalised(histogram: np.ndarray) -> np.ndarray:
    histogram = np.asarray(histogram, np.float64)
    total = histogram.sum()
    if not total > 0 or (histogram < 0).any():
        raise UserError("A histogram has to hold counts, some of them above 0.")
    return histogram / total
