"""Maximum mean discrepancies between two sets of features (Gretton et al. 2012, section 2.2).

KID: Bińkowski et al. 2018 (arXiv:1801.01401), section 4, the kernel (x·y / D + 1)³ and the unbiased estimate.
CMMD: Jayasumana et al. 2024 (arXiv:2401.09603), section 4, a Gaussian kernel with σ = 10, in thousandths.
"""

from collections.abc import Callable

import numpy as np

from aigc_jax.errors import UserError

Kernel = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""(x [N, D], y [M, D]) -> [N, M]."""

SIGMA = 10.0  # of CMMD, over features of length 1
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


def squared_mmd(x: np.ndarray, y: np.ndarray, kernel: Kernel, unbiased: bool) -> float:
    """MMD² between x [N, D] and y [M, D]. The unbiased one leaves out each sample's kernel with itself, and may be < 0.

    Raises UserError where a set has fewer than two samples.
    """
    if min(len(x), len(y)) < 2:
        raise UserError(f"A kernel distance needs two samples on each side, and there are {len(x)} and {len(y)}.")
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    return _mean(x, x, kernel, unbiased) + _mean(y, y, kernel, unbiased) - 2 * _mean(x, y, kernel, False)


def _mean(x: np.ndarray, y: np.ndarray, kernel: Kernel, without_itself: bool) -> float:
    total = sum(kernel(x[row : row + ROWS], y).sum() for row in range(0, len(x), ROWS))
    if without_itself:
        total -= sum(float(kernel(each[None], each[None])[0, 0]) for each in x)
        return float(total / (len(x) * (len(x) - 1)))
    return float(total / (len(x) * len(y)))


def kid(x: np.ndarray, y: np.ndarray, subsets: int, size: int, seed: int) -> np.ndarray:
    """Unbiased MMD² of `subsets` random subsets of `size` features of each side, float64 [subsets]: KID is their mean.

    Raises UserError where a side has fewer than `size`.
    """
    if min(len(x), len(y)) < size:
        raise UserError(
            f"KID over subsets of {size} needs as many samples on each side, and there are {len(x)} and {len(y)}: "
            "take smaller subsets."
        )
    random = np.random.RandomState(seed)

    def draw(features: np.ndarray) -> np.ndarray:
        return features[random.choice(len(features), size, replace=False)]

    return np.array([squared_mmd(draw(x), draw(y), cubic, unbiased=True) for _ in range(subsets)])


def cmmd(x: np.ndarray, y: np.ndarray) -> float:
    """1000 times the biased MMD² with a Gaussian kernel, of features scaled to length 1."""
    x, y = (features / np.linalg.norm(features, axis=1, keepdims=True) for features in (x, y))
    return 1000 * squared_mmd(x, y, gaussian(SIGMA), unbiased=False)
