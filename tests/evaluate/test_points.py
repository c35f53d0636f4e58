"""Samples whose figures are known: draws of the density itself, a lost mode, a shift, a collapse."""

import math

import numpy as np
import pytest

from aigc_jax.data import catalogue
from aigc_jax.errors import ConfigError
from aigc_jax.evaluate.judge import build_judge
from aigc_jax.evaluate.points import FOUND, MEASURES, MOST_BITS
from aigc_jax.ops import densities

N = 40_000


def draws(name, seed=0, n=N):
    return densities.density(name).sample(np.random.RandomState(seed), n)


def estimate(measure, name, points):
    (found,) = MEASURES[measure](densities.density(name)).estimate(None, points)
    return found


def value(measure, name, points):
    return estimate(measure, name, points).value


@pytest.mark.parametrize("name", densities.MAKERS)
def test_draws_of_the_density_reach_the_floors(name):
    truth, (points, _) = densities.density(name), draws(name)
    surprise, off_data = (estimate(measure, name, points) for measure in ("surprise", "off_data"))
    assert abs(surprise.value) <= 4 * surprise.influence.std() / math.sqrt(N) + 1e-6
    outside = 1 - truth.masses[truth.region].sum()
    assert off_data.value == pytest.approx(outside, abs=4 * math.sqrt(outside / N))
    assert value("modes", name, points) == truth.components


def test_the_divergence_of_draws_is_its_bias():
    """512 cells of one mass: 511 / (8 n log 2) bits, to first order."""
    found = [value("jensen_shannon", "checkerboard", draws("checkerboard", seed)[0]) for seed in range(5)]
    assert np.mean(found) == pytest.approx(511 / (8 * N * math.log(2)), rel=0.05)


def test_a_lost_mode():
    """q = 8/7 p on seven of eight modes, which do not overlap."""
    points, components = draws("ring", n=8 * N)
    kept = points[components != 3]
    expected = 0.5 * (math.log2(16 / 15) + 7 / 8 * math.log2(14 / 15) + 1 / 8)
    assert value("jensen_shannon", "ring", kept) == pytest.approx(expected, rel=0.01)
    assert value("modes", "ring", kept) == pytest.approx(7, abs=1e-9)
    assert value("surprise", "ring", kept) == pytest.approx(0, abs=0.02)  # what is there is as probable as before


def test_a_mode_below_a_tenth_of_its_mass_counts_in_part():
    points, components = draws("ring", n=8 * N)
    rare = np.flatnonzero(components == 3)
    few = np.concatenate([points[components != 3], points[rare[: len(rare) // 40]]])
    share = (len(rare) // 40) / len(few) / (1 / 8)
    assert value("modes", "ring", few) == pytest.approx(7 + share / FOUND, rel=2e-3)


def test_a_shift():
    """By 12 cells, two standard deviations: what each measure is comes from the masses, moved."""
    truth, (points, _) = densities.density("ring"), draws("ring")
    moved = np.roll(truth.masses, 12, axis=0)
    shifted = points + np.array([12, 0], np.uint8)
    bits = np.minimum(-np.log2(truth.masses), MOST_BITS)
    expected = (moved * bits).sum() - truth.entropy
    found = estimate("surprise", "ring", shifted)
    assert found.value == pytest.approx(expected, abs=4 * found.influence.std() / math.sqrt(N))
    assert expected == pytest.approx((12 * densities.STEP / 0.05) ** 2 / 2 / math.log(2), rel=0.02)
    outside = 1 - moved[truth.region].sum()
    assert value("off_data", "ring", shifted) == pytest.approx(outside, abs=4 * math.sqrt(outside / N))
    p, q = (each.reshape(32, 8, 32, 8).sum((1, 3)) for each in (truth.masses, moved))
    with np.errstate(divide="ignore", invalid="ignore"):
        parts = [np.nansum(each * np.log2(2 * each / (p + q))) for each in (p, q)]
    assert value("jensen_shannon", "ring", shifted) == pytest.approx(sum(parts) / 2, rel=0.02)


def test_a_collapse_and_noise():
    best = np.array(np.unravel_index(densities.density("grid").masses.argmax(), (256, 256)), np.uint8)
    same = np.tile(best, (100, 1))
    assert value("modes", "grid", same) == 1 and value("off_data", "grid", same) == 0
    assert value("surprise", "grid", same) < 0
    assert 0.9 < value("jensen_shannon", "grid", same) <= 1
    noise = np.random.RandomState(0).randint(0, 256, (N, 2), np.uint8)
    assert value("off_data", "checkerboard", noise) == pytest.approx(0.5, abs=0.01)
    # Half of the samples lie where nothing may: they count 32 bits, the others 15.
    assert value("surprise", "checkerboard", noise) == pytest.approx((MOST_BITS - 15) / 2, rel=0.02)


@pytest.mark.parametrize("measure", MEASURES)
def test_influences_are_what_leaving_a_sample_out_changes(measure):
    points, components = draws("ring", n=3000)
    rare = np.flatnonzero(components == 3)
    points = np.concatenate([points[components != 3], points[rare[:10]], [[3, 3]]]).astype(np.uint8)
    points = np.tile(points, (50, 1))  # so that one of them is a small change, even in a cell of its own
    whole = estimate(measure, "ring", points)
    assert whole.influence.mean() == pytest.approx(0, abs=1e-9)
    for number in (0, 17, len(points) - 2, len(points) - 1):
        without = value(measure, "ring", np.delete(points, number, 0))
        changed = (len(points) - 1) * (whole.value - without)
        assert whole.influence[number] == pytest.approx(changed, rel=0.05, abs=0.02)


def test_the_judge_measures_points_by_name(tmp_path):
    section = {"name": "points", "density": "ring", "examples": 500}
    data = catalogue.load(section, None)
    judging = build_judge(data, "train", "test", 2000, tuple(MEASURES), "", tmp_path, None)
    assert judging.names == ("JS", "surprise", "off_data", "modes")
    samples = draws("ring", n=2000)[0]
    figures = judging.figures([judging.look({"point": part}) for part in (samples[:700], samples[700:])], seed=0)
    for figure in figures:
        assert figure.interval.low <= figure.interval.value <= figure.interval.high
        assert figure.floor == pytest.approx(figure.interval.value, abs=0.1)
        assert figure.protocol.data == "points/ring" and figure.protocol.samples == 2000
    with pytest.raises(ConfigError, match='no "mode". Did you mean "modes"'):
        build_judge(data, "train", "test", 2000, ("mode",), "", tmp_path, None)
