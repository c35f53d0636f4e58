"""Masses against SciPy's integrals, entropies against quadrature, draws against masses."""

import math
import typing

import numpy as np
import pytest
from scipy import integrate, stats

from aigc_jax.ops import densities
from aigc_jax.ops.likelihood import STEP

EVERY = pytest.mark.parametrize("name", densities.MAKERS)
GAUSSIAN = {"ring": 0.05, "grid": 0.04, "moons": 0.05, "spiral": 0.03}  # standard deviations


def centres(name):
    """The Gaussians' centres, as means of the masses: exact where the square cuts nothing off."""
    truth, levels = densities.density(name), -1 + STEP * np.arange(256)
    return np.stack([truth.x @ levels, truth.y @ levels], -1)


def test_every_name_has_a_density():
    assert set(typing.get_args(densities.Name)) == set(densities.MAKERS)


@EVERY
def test_masses_sum_to_one_and_every_component_is_on_the_data(name):
    truth = densities.density(name)
    assert truth.name == name
    assert truth.masses.shape == (256, 256) and (truth.masses >= 0).all()
    assert truth.masses.sum() == pytest.approx(1, abs=1e-12)
    np.testing.assert_allclose(truth.x.sum(1), 1)
    held = np.bincount(truth.component[truth.region], truth.masses[truth.region], truth.components)
    assert (held > 0.3 * truth.weights).all()
    assert truth.masses[truth.region].sum() >= densities.TYPICAL
    assert truth.masses[truth.region].min() >= truth.masses[~truth.region].max()


@pytest.mark.parametrize("name", ["ring", "spiral"])
def test_masses_are_integrals_of_the_density(name):
    truth, means, deviation = densities.density(name), centres(name), GAUSSIAN[name]

    def p(y, x):
        squares = ((np.array([x, y]) - means) ** 2).sum(1)
        return np.mean(np.exp(-squares / (2 * deviation**2))) / (2 * np.pi * deviation**2)

    likely = np.argsort(truth.masses, axis=None)[::-1]
    for cell in likely[[0, 500, 3000, 9000, 20_000]]:
        i, j = np.unravel_index(cell, truth.masses.shape)
        (left, right), (low, high) = densities.EDGES[i : i + 2], densities.EDGES[j : j + 2]
        mass, _ = integrate.dblquad(p, left, right, low, high, epsabs=0, epsrel=1e-9)
        assert truth.masses[i, j] == pytest.approx(mass, rel=1e-3 if mass < 1e-9 else 1e-5)


@pytest.mark.parametrize("name", GAUSSIAN)
def test_entropy_is_that_of_the_density_and_of_cells(name):
    """H = h - log2 of a cell's area, up to what a density changes within a cell."""
    means, deviation = centres(name), GAUSSIAN[name]
    nodes, weights = np.polynomial.hermite_e.hermegauss(48)
    weights = weights / weights.sum()
    offsets = deviation * np.stack(np.meshgrid(nodes, nodes), -1).reshape(-1, 2)
    importance = np.outer(weights, weights).ravel()
    entropy = 0.0
    for mean in means:
        points = mean + offsets
        squares = ((points[:, None] - means) ** 2).sum(-1)
        log_p = np.log2(np.exp(-squares / (2 * deviation**2)).mean(1) / (2 * np.pi * deviation**2))
        entropy -= (importance * log_p).sum() / len(means)
    within = STEP**2 / (24 * deviation**2) * 2 / math.log(2)  # to second order, for a Gaussian of its own
    difference = densities.density(name).entropy - (entropy - 2 * math.log2(STEP))
    assert 0 < difference < 1.1 * within


def test_entropies_in_closed_form():
    board = densities.density("checkerboard")
    assert board.entropy == 15
    assert set(np.unique(board.masses)) == {0, 2.0**-15}
    assert board.region.sum() == 2**15
    # Eight Gaussians that do not overlap: log2 of eight, and the entropy of one over levels.
    levels = stats.norm(0, 0.05).entropy() / math.log(2) - math.log2(STEP)
    assert densities.density("ring").entropy == pytest.approx(3 + 2 * levels, abs=4e-3)


def test_a_gaussian_at_the_edge_is_cut_and_scaled():
    one = densities.gaussians("one", np.array([[1.0, 0.0], [0.0, 0.0]]), 0.1)
    edges = (densities.EDGES - 1) / 0.1
    expected = np.diff(stats.norm.cdf(edges))
    np.testing.assert_allclose(one.x[0], expected / expected.sum(), rtol=1e-9, atol=1e-15)
    assert one.weights[0] / one.weights[1] == pytest.approx(stats.norm.cdf((1 + STEP / 2 - 1) / 0.1), rel=1e-9)


@EVERY
def test_draws_have_the_masses(name):
    truth, n = densities.density(name), 200_000
    points, components = truth.sample(np.random.RandomState(7), n)
    assert points.dtype == np.uint8 and points.shape == (n, 2) and components.dtype == np.int32
    counts = np.bincount(components, minlength=truth.components)
    assert stats.chisquare(counts, n * truth.weights).pvalue > 1e-3
    expected = n * truth.masses.reshape(32, 8, 32, 8).sum((1, 3)).ravel()
    found = np.bincount(np.int64(points[:, 0]) // 8 * 32 + points[:, 1] // 8, minlength=1024)
    many = expected >= 5
    observed = [*found[many], found[~many].sum()]
    wanted = [*expected[many], expected[~many].sum()]
    if wanted[-1] == 0:
        assert observed.pop() == 0
        wanted.pop()
    assert stats.chisquare(observed, wanted).pvalue > 1e-3
    again, _ = truth.sample(np.random.RandomState(7), n)
    np.testing.assert_array_equal(points, again)
