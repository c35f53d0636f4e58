"""Bits per unit of what is written, so that models of other tokens compare: per character, per byte, per dimension.

bits per character = sum over all tokens of -log2 p / characters that they stand for
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np


class Unit(NamedTuple):
    """name: of the unit, such as "char". counts: how many of it each token of the vocabulary stands for."""

    name: str
    counts: tuple[int, ...]


def per_unit(
    bits: jax.Array, targets: jax.Array, predicted: jax.Array, units: Sequence[Unit]
) -> dict[str, tuple[jax.Array, jax.Array]]:
    """bits_per_<unit> -> (bits, how many of the unit), float32 [B] each: what a `PerExample` has.

    bits: float32 [B], of each text; targets: int [B, T]; predicted: [B, T], 1 or True where `bits` counts the token.
    """
    return {f"bits_per_{unit.name}": (bits, amount(targets, predicted, unit)) for unit in units}


def amount(targets: jax.Array, predicted: jax.Array, unit: Unit) -> jax.Array:
    """How many of a unit the tokens of each text stand for, float32 [B]."""
    counts = jnp.asarray(np.array(unit.counts, np.float32))
    return jnp.sum(jnp.where(predicted != 0, counts[targets], 0), axis=1)
