"""The samplers on normal data, whose best denoiser and the law of whose samples are known."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from aigc_jax.ops.diffusion import samplers
from aigc_jax.ops.diffusion.process import process as named
from aigc_jax.ops.diffusion.spacing import spaced

MEAN, STD = 0.5, 0.3  # of the data


@pytest.fixture(scope="module")
def process():
    return named("linear", 1000)


def alpha_bar(process, t):
    return process.on_host(t)[0] ** 2


def optimal(process):
    """E[x_0 | x_t] for normal data."""

    def denoise(x, t):
        alpha, sigma = process.at(t, x)
        gain = alpha * STD**2 / ((alpha * STD) ** 2 + sigma**2)
        return MEAN + gain * (x - alpha * MEAN)

    return denoise


class Steps(NamedTuple):
    """Of a sampler that remembers nothing: x_s = data · D + state · x_t + noise · z."""

    time: np.ndarray
    data: np.ndarray
    state: np.ndarray
    noise: np.ndarray


def steps_of(table):
    assert not np.delete(table.state, [samplers.X, samplers.E], 1).any() and (table.look == [0, 1]).all()
    return Steps(table.time, table.state[:, samplers.E], table.state[:, samplers.X], table.noise)


def ancestral(process, steps, variance):
    return samplers.named("ancestral", process, spaced(process, "uniform", steps), variance == "large", 0.0, 0.0)


def ddim(process, steps, eta):
    return samplers.named("ddim", process, spaced(process, "uniform", steps), False, eta, 0.0)


def law(process, steps, of_mean=MEAN, of_std=STD):
    """Mean and variance of the samples: every step is affine in x_t, so both follow a recursion (float64)."""
    mean, variance = 0.0, 1.0
    for t, data, state, noise in zip(*steps_of(steps), strict=True):
        a = alpha_bar(process, t)
        gain = np.sqrt(a) * of_std**2 / (a * of_std**2 + 1 - a)
        slope = data * gain + state
        mean = slope * mean + data * (of_mean - gain * np.sqrt(a) * of_mean)
        variance = slope**2 * variance + noise**2
    return mean, variance


def samples(process, steps, key=0, count=20_000):
    start = jax.random.normal(jax.random.key(100 + key), (count, 1))
    return samplers.run(optimal(process), steps, jax.random.split(jax.random.key(key), count), start)


@pytest.mark.parametrize(
    ("steps", "mean", "std"),
    [
        (lambda p: ancestral(p, 1000, "small"), 0.002, 0.005),
        (lambda p: ancestral(p, 1000, "large"), 0.002, 0.005),
        (lambda p: ancestral(p, 50, "small"), 0.003, 0.05),
        (lambda p: ddim(p, 50, 0.0), 0.003, 0.03),
        (lambda p: ddim(p, 50, 0.5), 0.003, 0.05),
    ],
    ids=["small", "large", "few", "ddim", "between"],
)
def test_samples_have_the_law_of_the_recursion_and_nearly_of_the_data(process, steps, mean, std):
    steps = steps(process)
    expected_mean, expected_variance = law(process, steps)
    assert expected_mean == pytest.approx(MEAN, abs=mean)
    assert np.sqrt(expected_variance) == pytest.approx(STD, abs=std)
    x = samples(process, steps)
    deviation = np.sqrt(expected_variance)
    assert float(x.mean()) == pytest.approx(expected_mean, abs=5 * deviation / np.sqrt(20_000))
    assert float(x.std()) == pytest.approx(deviation, rel=5 / np.sqrt(40_000))


@pytest.mark.parametrize("count", [1000, 50])
def test_each_variance_is_exact_for_the_data_it_is_meant_for(process, count):
    # section 3.2: the small one for data at a point, the large one for standard normal data
    mean, variance = law(process, ancestral(process, count, "small"), 0.7, 0.0)
    assert (mean, variance) == pytest.approx((0.7, 0), abs=1e-6)
    mean, variance = law(process, ancestral(process, count, "large"), 0.0, 1.0)
    assert mean == 0
    assert variance == pytest.approx(alpha_bar(process, 1), abs=1e-6)  # the last step adds no noise


@pytest.mark.parametrize("count", [1000, 100, 7])
def test_ddim_at_eta_one_is_ancestral_sampling(process, count):
    ours, theirs = ddim(process, count, 1.0), ancestral(process, count, "small")
    for a, b in zip(steps_of(ours), steps_of(theirs), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-9)


def test_ddim_at_eta_zero_depends_on_the_start_only(process):
    start, other = jax.random.normal(jax.random.key(0), (2, 5, 1))
    steps = ddim(process, 20, 0.0)
    first, second = (
        samplers.run(optimal(process), steps, jax.random.split(jax.random.key(k), 5), start) for k in (1, 2)
    )
    np.testing.assert_array_equal(first, second)
    assert not np.allclose(first, samplers.run(optimal(process), steps, jax.random.split(jax.random.key(1), 5), other))
    noisy = ddim(process, 20, 0.5)
    first, second = (
        samplers.run(optimal(process), noisy, jax.random.split(jax.random.key(k), 5), start) for k in (1, 2)
    )
    assert not np.allclose(first, second)


def test_ancestral_steps_are_algorithm_2(process):
    steps = steps_of(ancestral(process, 1000, "large"))
    rng = np.random.default_rng(0)
    for i in (0, 1, 500, 998, 999):
        t = 1000 - i
        now, before = alpha_bar(process, t), alpha_bar(process, t - 1)
        alpha = now / before
        x, noise = rng.normal(size=2)
        x0 = (x - np.sqrt(1 - now) * noise) / np.sqrt(now)
        mean = (x - (1 - alpha) / np.sqrt(1 - now) * noise) / np.sqrt(alpha)
        assert steps.time[i] == t
        assert steps.data[i] * x0 + steps.state[i] * x == pytest.approx(mean, rel=1e-6)
        assert steps.noise[i] == pytest.approx(np.sqrt(1 - alpha) if t > 1 else 0)


def test_ddim_steps_are_equation_12(process):
    steps, eta = steps_of(ddim(process, 10, 0.7)), 0.7
    x, x0 = 0.3, -0.8
    before = np.append(steps.time[1:], 0)
    for i, (t, s) in enumerate(zip(steps.time, before, strict=True)):
        a_t, a_s = alpha_bar(process, t), alpha_bar(process, s)
        noise = (x - np.sqrt(a_t) * x0) / np.sqrt(1 - a_t)
        sigma = eta * np.sqrt((1 - a_s) / (1 - a_t)) * np.sqrt(1 - a_t / a_s)
        mean = np.sqrt(a_s) * x0 + np.sqrt(1 - a_s - sigma**2) * noise
        assert steps.data[i] * x0 + steps.state[i] * x == pytest.approx(mean, rel=1e-9)
        assert steps.noise[i] == pytest.approx(sigma)


@pytest.mark.parametrize("count", [1, 2, 10, 333, 667, 999, 1000])
def test_times_fall_from_the_last_to_the_first_without_repeats(count):
    places = spaced(named("linear", 1000), "uniform", count).t
    t, s = places[:-1], places[1:]
    assert len(t) == count
    assert t[0] == 1000
    assert s[-1] == 0
    assert (t > s).all()
    np.testing.assert_array_equal(t[1:], s[:-1])
    gaps = t[:-1] - t[1:]
    assert count == 1 or (t[-1] == 1 and gaps.max() - gaps.min() <= 1)


def test_the_loop_is_the_plain_one_and_a_longer_table_the_same(process):
    steps = ancestral(process, 6, "small")
    keys, x = jax.random.split(jax.random.key(3), 2), jax.random.normal(jax.random.key(4), (2, 3))
    run = jax.jit(lambda steps, keys, x: samplers.run(optimal(process), steps, keys, x))
    found, padded = run(steps, keys, x), run(steps.padded(50), keys, x)
    plain = steps_of(steps)
    for i in range(6):
        noise = jnp.stack([jax.random.normal(jax.random.fold_in(key, i), (3,)) for key in keys])
        x = (
            plain.data[i] * optimal(process)(x, jnp.float32(plain.time[i]))
            + plain.state[i] * x
            + plain.noise[i] * noise
        )
    np.testing.assert_allclose(found, x, atol=1e-5)
    np.testing.assert_allclose(padded, x, atol=1e-5)
