"""Power-function averages of weights (Karras et al. 2024, arXiv:2312.02696, section 3 and appendix C).

    θ̂(t) = (γ + 1) / t^(γ + 1) ∫ τ^γ θ(τ) dτ,  τ from 0 to t     (eq. 1)

The profile (γ + 1) τ^γ / t^(γ + 1) keeps its shape as training goes on. Its width is its standard deviation over t. So
0.10 averages over about a tenth of the run on either side, however long that is. Training keeps the average by its
decay β(t) = (1 - 1 / t)^(γ + 1) (eq. 2), which is exact where θ is constant within a step. Averages kept at some steps
and widths span others: `fitted` has the weights of the nearest sum.
"""

import math
from collections.abc import Sequence
from typing import Annotated, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from aigc_jax.ranges import Range

WIDEST = 1 / math.sqrt(12)  # that of γ = 0, the plain mean of all steps
RIDGE = 1e-12  # of the largest eigenvalue: smaller ones are left out

Width = Annotated[float, Range(0, 0.288, without_low=True)]
ZERO_OR_WIDTH = Annotated[float, Range(0, 0.288)]


def kept_as(network: str, width: float) -> str:
    """The key in `State.ema` of an average that is kept beside the one to sample with."""
    return f"{network}@{width:g}"


class Profile(NamedTuple):
    """What an average weighs the steps of training by."""

    gamma: float
    step: int  # t, the last that it has


def width_of(gamma: float) -> float:
    """The standard deviation over t of the profile, that of a beta distribution of γ + 1 and 1 (eq. 126)."""
    return math.sqrt((gamma + 1) / (gamma + 3)) / (gamma + 2)


def gamma_of(width: float) -> float:
    """The inverse of `width_of` for 0 < width < 1 / sqrt(12): γ > 0.

    The largest root of (γ + 2)² (γ + 3) = (γ + 1) / width², a cubic.
    """
    square = width**-2
    roots = np.roots([1, 7, 16 - square, 12 - square])
    return float(roots.real.max())


def decay(gamma: float, step: jax.Array) -> jax.Array:
    """β(t), float32, of update t = step + 1; the first leaves nothing of what was before. step: int, at least 0."""
    return jnp.exp((gamma + 1) * jnp.log1p(-1 / (step.astype(jnp.float32) + 1)))


def product(one: Profile, other: Profile) -> float:
    """The inner product of two profiles over all τ, each 0 after its last step (appendix C, algorithm 3)."""
    first, last = sorted((one, other), key=lambda profile: profile.step)
    scale = (first.gamma + 1) * (last.gamma + 1) / (first.gamma + last.gamma + 1)
    return scale * (first.step / last.step) ** last.gamma / last.step


def fitted(kept: Sequence[Profile], wanted: Profile) -> tuple[np.ndarray, float]:
    """(the weights of the sum of kept profiles that is nearest to the wanted one, what is left of it).

    Nearest by the integral of the squared difference (section 3.2), among sums whose weights add up to 1. The paper
    leaves that to the fit; without it, what no step of training moves would not come out as it is. The weights are
    float64 [len(kept)] and may be below 0; what is left is the root of that integral over that of the wanted profile.
    """
    scales = np.array([math.sqrt(product(each, each)) for each in kept])
    whole = math.sqrt(product(wanted, wanted))
    among = np.array([[product(a, b) for b in kept] for a in kept]) / np.outer(scales, scales)
    along = np.array([product(each, wanted) for each in kept]) / (scales * whole)
    values, vectors = np.linalg.eigh(among)
    good = values > RIDGE * values[-1]
    directions = vectors[:, good]
    inverse = (directions / values[good]) @ directions.T
    one = whole / scales  # of a weight, for 1 of what is solved for
    free, towards = inverse @ along, inverse @ one
    found = free + towards * (1 - one @ free) / (one @ towards)
    left = 1 - 2 * found @ along + found @ among @ found
    return one * found, math.sqrt(max(left, 0.0))
