"""Generated points held against the density itself: what a configuration may name under `evals.<name>.measures`.

With p the exact masses, n_c the samples in cell c, q = n_c / n, and all logarithms to base 2:

    JS        JS(q, p) in bits over 32 × 32 coarser cells, whose exact masses are sums of p's. 0 would be p itself;
              n draws of p reach about (cells with mass - 1) / (8 n log 2).
    surprise  E_q[-log p] - H(p) in bits: how much less probable samples are than the data. Below 0 they crowd where p
              is high. A sample where p has next to nothing counts as 32 bits.
    off_data  the share of samples outside the smallest region with 99 % of the mass; draws of p reach 1 % at most.
    modes     components found: one counts in full from a tenth of its mass on and in part below, of samples that lie
              on the data and are more probably from it than from others. (One sample is not enough: among thousands
              that are scattered there is always one.)
"""

from collections.abc import Callable, Mapping

import numpy as np

from aigc_jax.data.fields.points import Point
from aigc_jax.evaluate.measure import Measure, Sight, Wanted, named
from aigc_jax.metrics.bootstrap import Estimate, mean
from aigc_jax.metrics.scores import jensen_shannon
from aigc_jax.ops.densities import TYPICAL, Density
from aigc_jax.ops.likelihood import LEVELS

COARSE = 32  # cells along a side of the histograms that are compared
MOST_BITS = 32.0  # that a sample counts: twice those of a cell drawn at random
FOUND = 0.1  # of a component's mass: from here on it is found in full


def _coarser(cells: np.ndarray) -> np.ndarray:
    """Sums over squares of cells: [256, 256] -> [32 · 32]."""
    width = LEVELS // COARSE
    return cells.reshape(COARSE, width, COARSE, width).sum((1, 3)).ravel()


def _jensen_shannon(density: Density) -> Measure:
    expected = _coarser(density.masses)

    def estimate(real: np.ndarray, made: np.ndarray) -> tuple[Estimate, ...]:
        x, y = made.T // (LEVELS // COARSE)
        chosen = np.int64(x) * COARSE + y
        found = np.bincount(chosen, minlength=len(expected)) / len(made)
        # The derivative by the found masses, up to a constant that the mean takes away.
        influence = 0.5 * np.log2(2 * found[chosen] / (found + expected)[chosen])
        return (Estimate(jensen_shannon(found, expected) / np.log(2), influence - influence.mean(), 0, 1),)

    return Measure(("JS",), {"cells": COARSE**2, "unit": "bit"}, estimate)


def _surprise(density: Density) -> Measure:
    with np.errstate(divide="ignore"):
        bits = np.minimum(-np.log2(density.masses), MOST_BITS)
    expected = float((density.masses * bits).sum())
    settings = {"most": MOST_BITS, "unit": "bit"}
    return Measure(("surprise",), settings, lambda real, made: (mean(_at(bits, made) - expected),))


def _off_data(density: Density) -> Measure:
    return Measure(("off_data",), {"mass": TYPICAL}, lambda real, made: (mean(~_at(density.region, made)),))


def _modes(density: Density) -> Measure:
    held = np.bincount(density.component[density.region], density.masses[density.region], density.components)

    def estimate(real: np.ndarray, made: np.ndarray) -> tuple[Estimate, ...]:
        component, on_data = _at(density.component, made), _at(density.region, made)
        share = np.bincount(component, on_data, density.components) / len(made) / (FOUND * held)
        lacking = (share < 1) / (FOUND * held)
        influence = np.where(on_data, lacking[component], 0)
        found = float(np.minimum(share, 1).sum())
        return (Estimate(found, influence - influence.mean(), 0, density.components),)

    return Measure(("modes",), {"of": density.components, "found": FOUND, "mass": TYPICAL}, estimate)


def _at(cells: np.ndarray, points: np.ndarray) -> np.ndarray:
    """What stands in the cell of each point. points: uint8 [N, 2]."""
    return cells[points[:, 0], points[:, 1]]


MEASURES: Mapping[str, Callable[[Density], Measure]] = {
    "jensen_shannon": _jensen_shannon,
    "surprise": _surprise,
    "off_data": _off_data,
    "modes": _modes,
}


def measures_of(field: Point, name: str, wanted: Wanted) -> tuple[list[Measure], Sight]:
    """See `measure`."""
    chosen = [factory(field.density) for factory in named(wanted.measures, MEASURES)]
    return chosen, Sight(lambda rows, real: rows[name], np.concatenate, None)
