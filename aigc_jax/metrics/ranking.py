"""How high a model ranks the true reply among others: hits@k and the mean reciprocal rank (Zhang et al. 2018,
arXiv:1801.07243, where there are 19 others).

The others are replies of the same split, drawn with a fixed seed, so that every model chooses among the same ones. Of
candidates with equal scores any may be the first: figures are the expectation over their orders.
"""

from collections.abc import Hashable, Sequence

import numpy as np

from aigc_jax.errors import UserError
from aigc_jax.metrics.bootstrap import Estimate, mean

CANDIDATES = 20  # of a true reply, itself among them
SEED = 0  # of the others


def candidates(replies: Sequence[Hashable], count: int = CANDIDATES, seed: int = SEED) -> np.ndarray:
    """The numbers of the replies to choose among, int [N, count]: first the true one, then others that are not equal
    to it or to each other, in random order. Those of a reply depend on the seed, its number and all replies.

    Raises UserError where fewer than `count` replies differ.
    """
    first = np.array(
        list({reply: i for i, reply in reversed(list(enumerate(replies)))}.values())
    )  # of each that differs
    if len(first) < count:
        raise UserError(
            f"{len(first)} different replies are too few to choose among {count}: take a larger split or ask for fewer."
        )
    kind = {replies[i]: place for place, i in enumerate(first)}
    found = np.empty((len(replies), count), np.int64)
    for number, reply in enumerate(replies):
        chosen = np.random.RandomState([seed, number]).choice(len(first) - 1, count - 1, replace=False)
        chosen += chosen >= kind[reply]  # all but its own kind
        found[number] = [number, *first[chosen]]
    return found


def hits(scores: np.ndarray, k: int) -> Estimate:
    """The share of true replies among the k that score highest, 0 … 1.

    scores: [N, C], higher = more probable, that of the true reply in column 0. Raises UserError where they are no such
    scores.
    """
    better, equal = _ranks(scores)
    return mean(np.clip((k - better) / (equal + 1), 0, 1))._replace(least=0, most=1)


def reciprocal_rank(scores: np.ndarray) -> Estimate:
    """The mean of one over the true reply's rank, 0 … 1. scores and errors: as of `hits`."""
    better, equal = _ranks(scores)
    harmonic = np.r_[0, np.cumsum(1 / np.arange(1, scores.shape[1] + 1))]
    return mean((harmonic[better + equal + 1] - harmonic[better]) / (equal + 1))._replace(least=0, most=1)


def _ranks(scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How many candidates score higher than the true one, and how many as high, int [N] each."""
    if scores.ndim != 2 or not scores.size or np.isnan(scores).any():
        raise UserError(f"Ranks need scores of N × C candidates that are numbers, and these are {list(scores.shape)}.")
    true, others = scores[:, :1], scores[:, 1:]
    return (others > true).sum(1), (others == true).sum(1)
