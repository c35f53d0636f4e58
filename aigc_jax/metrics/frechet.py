"""The Fréchet distance between Gaussians fitted to two sets of features.

Heusel et al. 2017 (arXiv:1706.08500), equation 6; Dowson & Landau 1982 for the closed form:

    d² = |m₁ - m₂|² + Tr(C₁ + C₂ - 2 (C₁ C₂)^½)

It is called FID only where the features are those of the Inception network of 2015.
"""

from typing import NamedTuple

import numpy as np
from scipy import linalg

from aigc_jax.errors import UserError
from aigc_jax.metrics.bootstrap import Estimate

NONE = 1e-12  # of the largest eigenvalue: smaller ones are rounding errors, as of a constant feature


class Moments(NamedTuple):
    """Count, mean and scatter of a set of features, in float64; `merged` adds sets."""

    n: int  # samples
    mean: np.ndarray  # [D]
    scatter: np.ndarray  # [D, D]: the sum of (x - mean)(x - mean)ᵀ

    @property
    def covariance(self) -> np.ndarray:
        """Unbiased, [D, D]."""
        return self.scatter / (self.n - 1)


def moments(features: np.ndarray) -> Moments:
    """Of features [N, D]; N may be 0."""
    features = np.asarray(features, np.float64)
    mean = features.mean(0) if len(features) else np.zeros(features.shape[1])
    centred = features - mean
    return Moments(len(features), mean, centred.T @ centred)


def merged(one: Moments, other: Moments) -> Moments:
    """Of both sets together (Chan, Golub & LeVeque 1983, equation 2.1), without cancellation where means are large."""
    n = one.n + other.n
    if not n:
        return one
    apart = other.mean - one.mean
    share = one.n * other.n / n
    return Moments(n, one.mean + apart * (other.n / n), one.scatter + other.scatter + share * np.outer(apart, apart))


def frechet_distance(one: Moments, other: Moments) -> float:
    """The squared distance d² of equation 6, >= 0 up to rounding.

    Raises UserError where a set has no more samples than features: its covariance is singular, and the number of
    samples dominates the distance.
    """
    return _solved(one, other)[0]


def frechet(reference: Moments, features: np.ndarray) -> Estimate:
    """The distance d² of features [N, D] from the reference. Raises UserError as `frechet_distance` does.

    The samples' influences follow from the gradient of d² by the covariance, I - T, where T is the linear transport
    map from one Gaussian to the other (Peyré & Cuturi 2019, remark 2.31).
    """
    found = moments(features)
    value, transport = _solved(reference, found)
    centred = np.asarray(features, np.float64) - found.mean
    # float32 is enough for an interval, and this largest product takes a third of the time in it.
    moved = centred.astype(np.float32) @ (np.eye(len(transport)) - transport).astype(np.float32)
    influence = 2 * centred @ (found.mean - reference.mean) + np.einsum("nd,nd->n", moved, centred)
    return Estimate(max(value, 0.0), influence - influence.mean(), least=0)


def _solved(one: Moments, other: Moments) -> tuple[float, np.ndarray]:
    """(d², T = L (Lᵀ C₂ L)^-½ Lᵀ with C₁ = L Lᵀ)."""
    dimensions = len(one.mean)
    for found in (one, other):
        if found.n <= dimensions:
            raise UserError(
                f"A Fréchet distance over {dimensions} features needs more than {dimensions} samples on each side, and "
                f"there are {found.n}: take more, or a kernel distance."
            )
    # Tr (C₁ C₂)^½ = Tr (Lᵀ C₂ L)^½: the root of a symmetric matrix, whose eigenvalues are real. T is the same for
    # every L, and positive: T C₂ T = C₁.
    factor = _factor(one.covariance)
    values, vectors = linalg.eigh(factor.T @ other.covariance @ factor, driver="evd")
    roots = np.sqrt(np.maximum(values, 0))
    inverse = np.divide(1, roots, out=np.zeros_like(roots), where=values > NONE * values.max())
    half = factor @ vectors
    means = np.square(one.mean - other.mean).sum()
    value = means + np.trace(one.covariance) + np.trace(other.covariance) - 2 * roots.sum()
    return float(value), half * inverse @ half.T


def _factor(covariance: np.ndarray) -> np.ndarray:
    """L with L Lᵀ = C, both [D, D]: Cholesky's, or where C is singular that of its eigenvectors."""
    try:
        return linalg.cholesky(covariance, lower=True)
    except linalg.LinAlgError:
        values, vectors = linalg.eigh(covariance, driver="evd")
        return vectors * np.sqrt(np.maximum(values, 0))
