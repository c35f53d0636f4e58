"""Maximum mean discrepancies between two sets of features (Gretton et al. 2012, section 2.2).

KID: Bińkowski et al. 2018 (arXiv:1801.01401), section 4, the kernel (x·y / D + 1)³ and the unbiased estimate.
CMMD: Jayasumana et al. 2024 (arXiv:2401.09603), section 4, a Gaussian kernel with σ = 10, in thousandths.
"""

from collections.abc import Callable

import numpy as np

from aigc_jax.errors import UserError
from aigc_jax.metrics.bootstrap import Estimate

Kernel = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""(x [N, D], y [M, D]) -> [N, M]."""

SIGMA = 10.0  # of CMMD, over features of length 1
TINY = 1e-30  # keeps features of length 0 at 0
ROWS = 1024  # of a kernel matrix at a time


def cubic(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """KID's kernel."""
    return (x @ y.T / x.shape[1] + 1) ** 3


def gaussian(sigma: float) -> Kernel:
    """exp(-|x - y|² / 2σ²)."""

    def kernel(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        squares = np.square(x).sum(1)[:, None] + np.square(y).sum(1)[None] - 2 * x @ y.T
        return np.exp(-np.maximum(squares, 0) / (2 * sigma**2))

    return kernel


def squared_mmd(x: np.ndarray, y: np.ndarray, kernel: Kernel, unbiased: bool) -> Estimate:
    """MMD² between y [N, D] and x [M, D]. The unbiased estimate leaves out k(x_i, x_i), and may be negative.

    Raises UserError where a set has fewer than two samples.
    """
    if min(len(x), len(y)) < 2:
        raise UserError(f"A kernel distance needs two samples on each side, and there are {len(x)} and {len(y)}.")
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    within, among, across = _means(y, y, kernel, unbiased), _means(x, x, kernel, unbiased), _means(y, x, kernel, False)
    influence = 2 * (within - across)  # the first-order term of the two-sample statistic (Gretton et al., appendix B)
    return Estimate(float(within.mean() + among.mean() - 2 * across.mean()), influence - influence.mean())


def _means(x: np.ndarray, y: np.ndarray, kernel: Kernel, without_itself: bool) -> np.ndarray:
    """The mean over y of the kernel with each x, float64 [N]."""
    sums = np.concatenate([kernel(x[row : row + ROWS], y).sum(1) for row in range(0, len(x), ROWS)])
    if without_itself:
        own = np.array([kernel(each[None], each[None])[0, 0] for each in x])
        return (sums - own) / (len(y) - 1)
    return sums / len(y)


def kid(x: np.ndarray, y: np.ndarray, subsets: int, size: int, seed: int) -> Estimate:
    """The mean over `subsets` random subsets of `size` features of each side of the unbiased MMD² of y from x.

    Raises UserError where a side has fewer than `size`.
    """
    if min(len(x), len(y)) < size:
        raise UserError(
            f"KID over subsets of {size} needs as many samples on each side, and there are {len(x)} and {len(y)}: "
            "take smaller subsets."
        )
    random = np.random.RandomState(seed)
    total, times, values = np.zeros(len(y)), np.zeros(len(y)), []
    for _ in range(subsets):
        mine, theirs = (random.choice(len(features), size, replace=False) for features in (x, y))
        found = squared_mmd(x[mine], y[theirs], cubic, unbiased=True)
        values.append(found.value)
        total[theirs] += found.influence
        times[theirs] += 1
    seen = times > 0
    influence = total[seen] / times[seen]
    # The interval is of the mean over all samples, of which this share was in a subset.
    share = np.sqrt(seen.mean())
    return Estimate(float(np.mean(values)), share * (influence - influence.mean()))


def cmmd(x: np.ndarray, y: np.ndarray) -> Estimate:
    """1000 times the biased MMD² with a Gaussian kernel, over features scaled to length 1."""
    x, y = (features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), TINY) for features in (x, y))
    found = squared_mmd(x, y, gaussian(SIGMA), unbiased=False)
    return Estimate(1000 * found.value, 1000 * found.influence, least=0)
