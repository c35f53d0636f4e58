"""Power-function averages against their integral, quadrature and the same average kept in training."""

import math
from itertools import pairwise

import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate

from aigc_jax.ops.averages import WIDEST, Profile, decay, fitted, gamma_of, product, width_of

WIDTHS = [0.01, 0.05, 0.10, 0.15, 0.25, 0.288]


def density(profile, tau):
    """Eq. 1."""
    return (profile.gamma + 1) * tau**profile.gamma / profile.step ** (profile.gamma + 1)


def kept_in_training(thetas, gamma):
    """The average after each of the steps, by the recursion. thetas: [T, ...]."""
    found, average = [], np.full_like(thetas[0], np.nan)
    for step, theta in enumerate(thetas):
        beta = float((1 - 1 / (step + 1)) ** (gamma + 1))
        average = theta if beta == 0 else beta * average + (1 - beta) * theta
        found.append(average)
    return np.array(found)


@pytest.mark.parametrize("width", WIDTHS)
def test_the_width_is_the_standard_deviation_of_the_profile(width):
    gamma = gamma_of(width)
    assert width_of(gamma) == pytest.approx(width, rel=1e-9)
    moments = [integrate.quad(lambda x, n=n: x**n * density(Profile(gamma, 1), x), 0, 1)[0] for n in (0, 1, 2)]
    assert moments[0] == pytest.approx(1)
    assert math.sqrt(moments[2] - moments[1] ** 2) == pytest.approx(width, rel=1e-5)


def test_published_exponents():
    """Section 3.1 has γ = 6.94 for a width of 0.10 and γ = 16.97 for 0.05."""
    assert gamma_of(0.10) == pytest.approx(6.94, abs=0.005)
    assert gamma_of(0.05) == pytest.approx(16.97, abs=0.005)
    assert gamma_of(WIDEST - 1e-9) == pytest.approx(0, abs=1e-4)


@pytest.mark.parametrize("width", WIDTHS)
def test_the_decay_gives_the_integral(width):
    """A step of a recursion from 0 is ∫ of the profile over it, exactly, where θ is constant within a step."""
    gamma, steps = gamma_of(width), 40
    betas = np.asarray(decay(gamma, jnp.arange(steps)), np.float64)
    assert betas[0] == 0
    weights = [(1 - betas[k]) * np.prod(betas[k + 1 :]) for k in range(steps)]
    expected = [integrate.quad(lambda tau: density(Profile(gamma, steps), tau), k, k + 1)[0] for k in range(steps)]
    np.testing.assert_allclose(weights, expected, rtol=2e-4, atol=1e-9)


def test_the_decay_is_exact_enough_in_a_long_run():
    share = 1 - np.asarray(decay(16.97, jnp.int32(999_999)), np.float64)
    assert share == pytest.approx(17.97e-6, rel=0.005), "the last digit of float32 is 0.3 % of it"


@pytest.mark.parametrize(
    ("one", "other"), [((6.94, 70), (16.97, 100)), ((16.97, 70), (6.94, 100)), ((3.0, 50), (0.5, 50))]
)
def test_inner_products_are_those_of_quadrature(one, other):
    one, other = Profile(*one), Profile(*other)
    expected, _ = integrate.quad(lambda tau: density(one, tau) * density(other, tau), 0, min(one.step, other.step))
    assert product(one, other) == pytest.approx(expected, rel=1e-6) == product(other, one)


def test_a_profile_that_was_kept_is_found_again():
    kept = [Profile(gamma_of(width), step) for step in (50, 100) for width in (0.05, 0.10)]
    weights, left = fitted(kept, kept[3])
    np.testing.assert_allclose(weights, [0, 0, 0, 1], atol=1e-6)
    assert left < 1e-5


def test_what_is_left_is_the_distance_between_profiles():
    kept, wanted = [Profile(gamma_of(width), 100) for width in (0.05, 0.15)], Profile(gamma_of(0.10), 100)
    weights, left = fitted(kept, wanted)

    def distance(weights):
        """By quadrature, over the wanted profile's norm."""
        gap = lambda tau: density(wanted, tau) - sum(w * density(p, tau) for w, p in zip(weights, kept, strict=True))  # noqa: E731
        whole = integrate.quad(lambda tau: density(wanted, tau) ** 2, 0, 100)[0]
        return math.sqrt(integrate.quad(lambda tau: gap(tau) ** 2, 0, 100)[0] / whole)

    assert left == pytest.approx(distance(weights), rel=1e-4)
    assert sum(weights) == pytest.approx(1, rel=1e-12)
    for other in ([0.01, -0.01], [-0.01, 0.01]):
        assert distance(weights + other) > left


@pytest.mark.parametrize("count", [1, 3, 40])
def test_what_training_does_not_move_stays(count):
    kept = [Profile(gamma_of(width), 64 * (i + 1)) for i in range(count) for width in (0.05, 0.15)]
    weights, _ = fitted(kept, Profile(gamma_of(0.03), 64 * count))
    assert sum(weights) == pytest.approx(1, rel=1e-9)
    assert fitted(kept[:1], Profile(gamma_of(0.03), 64))[0] == pytest.approx([1])


def test_random_walks_are_averaged_after_training_as_in_it():
    """1000 random walks of 640 steps: the error falls with the number of snapshots, as what is left foretells."""
    steps, width = 640, 0.10
    walks = np.cumsum(np.random.RandomState(0).randn(steps, 1000), axis=0)
    tracked = {each: kept_in_training(walks, gamma_of(each)) for each in (0.05, width, 0.15)}
    errors, lefts = [], []
    for count in (1, 2, 4, 8, 16):
        at = [round(steps * (i + 1) / count) for i in range(count)]
        kept = [Profile(gamma_of(each), step) for step in at for each in (0.05, 0.15)]
        arrays = np.array([tracked[each][step - 1] for step in at for each in (0.05, 0.15)])
        weights, left = fitted(kept, Profile(gamma_of(width), steps))
        found, expected = weights @ arrays, tracked[width][-1]
        errors.append(np.sqrt(np.mean((found - expected) ** 2) / np.mean((walks[-1] - expected) ** 2)))
        lefts.append(left)
    assert all(after < before for before, after in pairwise(errors)), errors
    assert all(after < before for before, after in pairwise(lefts)), lefts
    assert errors[0] < 0.3 and errors[-1] < 0.01, errors


def test_one_width_at_many_steps_spans_others():
    """Section 3.2: the same snapshots give narrower and wider averages than were kept, narrower ones less well."""
    kept = [Profile(gamma_of(width), step) for step in range(20, 641, 20) for width in (0.05, 0.10)]
    left = {width: fitted(kept, Profile(gamma_of(width), 640))[1] for width in (0.01, 0.03, 0.07, 0.15)}
    assert max(left[0.07], left[0.15]) < 0.005, left
    assert left[0.01] > left[0.03] > left[0.07], left
