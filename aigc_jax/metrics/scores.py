"""Scores of a classifier's answers: Inception Score, accuracy, and distances between histograms."""

import numpy as np
from scipy.special import rel_entr

from aigc_jax.errors import UserError
from aigc_jax.metrics.bootstrap import Estimate, ratio


def inception_score(probabilities: np.ndarray, splits: int) -> Estimate:
    """The mean over `splits` parts, in their order, of exp(E KL(p(y|x) || p(y))).

    Salimans et al. 2016 (arXiv:1606.03498), section 4. probabilities: [N, classes].
    Raises UserError where there are fewer samples than splits.
    """
    if len(probabilities) < splits:
        raise UserError(
            f"An Inception Score over {splits} parts needs as many samples, and there are {len(probabilities)}."
        )
    parts = np.array_split(np.asarray(probabilities, np.float64), splits)
    divergences = [rel_entr(part, part.mean(0)).sum(1) for part in parts]
    scores = np.array([np.exp(each.mean()) for each in divergences])
    # The mean p(y) is where the sum of divergences is least: what a sample does to it has no effect to first order.
    influence = [score * (each - each.mean()) for score, each in zip(scores, divergences, strict=True)]
    return Estimate(float(scores.mean()), np.concatenate(influence), least=1)


def accuracy(said: np.ndarray, true: np.ndarray) -> Estimate:
    """The share of answers that are right. said, true: the numbers of classes, int [N]."""
    return ratio(said == true, np.ones(len(true)))._replace(least=0, most=1)


def macro_f1(said: np.ndarray, true: np.ndarray) -> Estimate:
    """The mean over classes of F1, the harmonic mean of precision and recall, in which a rare class counts like others.

    Yang & Liu 1999, A re-examination of text categorization methods. said, true: the numbers of classes, int [N]. The
    classes are those that are said or true of any.
    """
    # F1 of a class is twice the right ones over all that are said and all that are true.
    parts = [
        ratio(2 * ((said == each) & (true == each)), (said == each).astype(int) + (true == each))
        for each in np.union1d(said, true)
    ]
    values, influences = zip(*((part.value, part.influence) for part in parts), strict=True)
    return Estimate(float(np.mean(values)), np.mean(influences, axis=0), 0, 1)


def kullback_leibler(p: np.ndarray, q: np.ndarray) -> float:
    """KL(p || q) in nats of two histograms [K], scaled to sum to 1; inf where q is 0 and p is not."""
    p, q = _normalised(p), _normalised(q)
    return float(rel_entr(p, q).sum())


def jensen_shannon(p: np.ndarray, q: np.ndarray) -> float:
    """The Jensen-Shannon divergence in nats, 0 ... log 2 (Lin 1991)."""
    p, q = _normalised(p), _normalised(q)
    middle = (p + q) / 2
    return float((rel_entr(p, middle).sum() + rel_entr(q, middle).sum()) / 2)


def histogram_divergences(p: np.ndarray, q: np.ndarray, chosen: np.ndarray) -> tuple[Estimate, Estimate]:
    """KL(q || p) and JS(q, p) of a histogram q against p [K], with each sample's influence by its bin `chosen` [N].

    The former is infinite, and so are influences, where samples lie in a bin that p lacks.
    """
    p, q = _normalised(p), _normalised(q)
    middle = (p + q) / 2
    found = []
    for value, reference, share, most in (
        (kullback_leibler(q, p), p, 1.0, np.inf),
        (jensen_shannon(q, p), middle, 0.5, np.log(2)),
    ):
        # The derivative of the divergence by q, up to a constant that the mean takes away.
        with np.errstate(divide="ignore", invalid="ignore"):
            influence = share * np.log(q / reference)[chosen]
            found.append(Estimate(value, influence - influence.mean(), 0.0, most))
    return found[0], found[1]


def _normalised(histogram: np.ndarray) -> np.ndarray:
    histogram = np.asarray(histogram, np.float64)
    total = histogram.sum()
    if not total > 0 or (histogram < 0).any():
        raise UserError("A histogram has to hold counts, some of them above 0.")
    return histogram / total
