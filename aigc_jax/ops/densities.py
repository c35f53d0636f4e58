"""Two-dimensional distributions with known masses: a ground truth for samples and likelihoods.

The square [-1, 1]² is cut into 256 × 256 cells around the levels of a uint8 value, and

    p(i, j) = Σ_k w_k x_k(i) y_k(j)

has a component for each mode or each piece of a curve. A Gaussian's x_k(i) is Φ(right edge) - Φ(left edge) of cell i.
So masses and entropy are exact to rounding, and not estimates from draws.

ring, grid: after Srivastava et al. 2017 (arXiv:1705.07761), section 4.1, to count the modes that a GAN loses.
checkerboard: after Grathwohl et al. 2019 (arXiv:1810.01367), section 4.1, a density with sharp edges.
"""

import functools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from scipy.special import entr, ndtr

from aigc_jax.ops.likelihood import LEVELS, STEP

Name = Literal["ring", "grid", "moons", "spiral", "checkerboard"]

EDGES = -1 - STEP / 2 + STEP * np.arange(LEVELS + 1)  # of the cells: level i lies in the middle of cell i
TYPICAL = 0.99  # the share of the mass in the most probable cells, the data's region


@dataclass(frozen=True, eq=False)
class Density:
    """A mixture of products of two distributions over levels."""

    name: str
    weights: np.ndarray  # float64 [K], which sum to 1
    x: np.ndarray  # float64 [K, 256]: each row sums to 1
    y: np.ndarray  # as x

    @property
    def components(self) -> int:
        """K."""
        return len(self.weights)

    @cached_property
    def masses(self) -> np.ndarray:
        """p(i, j), float64 [256, 256], x first."""
        return np.einsum("k,ki,kj->ij", self.weights, self.x, self.y, optimize=True)

    @cached_property
    def entropy(self) -> float:
        """H(p) in bits, the least mean -log2 q(i, j) of any model q."""
        return float(entr(self.masses).sum() / math.log(2))

    @cached_property
    def region(self) -> np.ndarray:
        """Bool [256, 256]: the fewest cells with 99 % of the mass (Hyndman 1996), and those as probable as the last."""
        ordered = np.sort(self.masses, axis=None)[::-1]
        least = ordered[np.searchsorted(np.cumsum(ordered), TYPICAL)]
        return self.masses >= least

    @cached_property
    def component(self) -> np.ndarray:
        """int [256, 256]: the most probable component of each cell."""
        each = np.einsum("k,ki,kj->kij", self.weights, self.x, self.y, optimize=True)
        return each.argmax(0)

    def sample(self, random: np.random.RandomState, n: int) -> tuple[np.ndarray, np.ndarray]:
        """(points uint8 [n, 2], x first; the component of each, int32 [n])."""
        component = random.choice(self.components, n, p=self.weights)
        points = np.zeros((n, 2), np.uint8)
        for k in range(self.components):
            rows = np.flatnonzero(component == k)
            for axis, levels in enumerate((self.x, self.y)):
                points[rows, axis] = random.choice(LEVELS, len(rows), p=levels[k])
        return points, component.astype(np.int32)


def gaussians(name: str, centres: np.ndarray, deviation: float) -> Density:
    """Isotropic Gaussians of equal weight, cut to the square and scaled to sum to 1 again. centres: [K, 2]."""
    edges = (EDGES - centres[:, :, None]) / deviation
    left, right = edges[..., :-1], edges[..., 1:]
    # The same mass in the lower tail, where a difference keeps all digits.
    above = left > 0
    inside = ndtr(np.where(above, -left, right)) - ndtr(np.where(above, -right, left))
    held = inside.sum(-1)  # [K, 2]
    x, y = np.moveaxis(inside / held[..., None], 1, 0)
    weights = held.prod(-1)
    return Density(name, weights / weights.sum(), x, y)


def ring() -> Density:
    """Eight Gaussians on a circle."""
    angles = 2 * np.pi * np.arange(8) / 8
    return gaussians("ring", 0.7 * np.stack([np.cos(angles), np.sin(angles)], -1), deviation=0.05)


def grid() -> Density:
    """25 Gaussians in rows and columns."""
    places = np.linspace(-0.8, 0.8, 5)
    return gaussians("grid", np.stack(np.meshgrid(places, places), -1).reshape(-1, 2), deviation=0.04)


def moons() -> Density:
    """Two half circles that reach into each other, of 20 Gaussians each: so close that no gap shows."""
    angles = np.pi * np.linspace(0, 1, 20)
    upper = 0.5 * np.stack([np.cos(angles), np.sin(angles)], -1) - [0.25, 0.125]
    return gaussians("moons", np.concatenate([upper, -upper]), deviation=0.05)


def spiral() -> Density:
    """One and a half turns of a line, of 48 Gaussians at about equal distances."""
    reach = np.sqrt(np.linspace(0.01, 1, 48))  # a spiral's length grows as the square of its angle
    angles = 3 * np.pi * reach
    return gaussians("spiral", 0.85 * reach[:, None] * np.stack([np.cos(angles), np.sin(angles)], -1), deviation=0.03)


def checkerboard() -> Density:
    """The eight dark fields of a board of 4 × 4, each uniform: 15 bits, exactly."""
    field = np.kron(np.eye(4), np.ones(LEVELS // 4)) / (LEVELS // 4)  # [4, 256]
    columns, rows = np.nonzero(np.indices((4, 4)).sum(0) % 2 == 0)
    return Density("checkerboard", np.full(8, 1 / 8), field[columns], field[rows])


MAKERS: Mapping[Name, Callable[[], Density]] = {
    "ring": ring,
    "grid": grid,
    "moons": moons,
    "spiral": spiral,
    "checkerboard": checkerboard,
}


@functools.cache
def density(name: Name) -> Density:
    """The density of that name."""
    return MAKERS[name]()
