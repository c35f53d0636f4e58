"""The samplers on normal data, whose best denoiser and the law of whose samples are known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from aigc_jax.ops import diffusion, samplers

MEAN, STD = 0.5, 0.3  # of the data


@pytest.fixture(scope="module")
def process():
    return diffusion.process("linear", 1000)


def optimal(process):
    """E[x_0 | x_t] for normal data."""

    def denoise(x, t):
        a = jnp.asarray(process.alpha_bar, jnp.float32)[t]
        gain = jnp.sqrt(a) * STD**2 / (a * STD**2 + 1 - a)
        return MEAN + gain * (x - jnp.sqrt(a) * MEAN)

    return denoise


def law(process, steps, of_mean=MEAN, of_std=STD):
    """Mean and variance of the samples: every step is affine in x_t, so both follow a recursion (float64)."""
    mean, variance = 0.0, 1.0
    for t, data, state, noise in zip(*steps[:4], strict=True):
        a = process.alpha_bar[t]
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
        (lambda p: samplers.ancestral(p, 1000, "small"), 0.002, 0.005),
        (lambda p: samplers.ancestral(p, 1000, "large"), 0.002, 0.005),
        (lambda p: samplers.ancestral(p, 50, "small"), 0.003, 0.05),
        (lambda p: samplers.ddim(p, 50, 0.0), 0.003, 0.03),
        (lambda p: samplers.ddim(p, 50, 0.5), 0.003, 0.05),
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
    mean, variance = law(process, samplers.ancestral(process, count, "small"), 0.7, 0.0)
    assert (mean, variance) == pytest.approx((0.7, 0), abs=1e-6)
    mean, variance = law(process, samplers.ancestral(process, count, "large"), 0.0, 1.0)
    assert mean == 0
    assert variance == pytest.approx(process.alpha_bar[1], abs=1e-6)  # the last step adds no noise


@pytest.mark.parametrize("count", [1000, 100, 7])
def test_ddim_at_eta_one_is_ancestral_sampling(process, count):
    ours, theirs = samplers.ddim(process, count, 1.0), samplers.ancestral(process, count, "small")
    for a, b in zip(ours[:4], theirs[:4], strict=True):
        np.testing.assert_allclose(a, b, atol=1e-9)


def test_ddim_at_eta_zero_depends_on_the_start_only(process):
    start, other = jax.random.normal(jax.random.key(0), (2, 5, 1))
    steps = samplers.ddim(process, 20, 0.0)
    first, second = (
        samplers.run(optimal(process), steps, jax.random.split(jax.random.key(k), 5), start) for k in (1, 2)
    )
    np.testing.assert_array_equal(first, second)
    assert not np.allclose(first, samplers.run(optimal(process), steps, jax.random.split(jax.random.key(1), 5), other))
    noisy = samplers.ddim(process, 20, 0.5)
    first, second = (
        samplers.run(optimal(process), noisy, jax.random.split(jax.random.key(k), 5), start) for k in (1, 2)
    )
    assert not np.allclose(first, second)


def test_ancestral_steps_are_algorithm_2(process):
    steps = samplers.ancestral(process, 1000, "large")
    rng = np.random.default_rng(0)
    for i in (0, 1, 500, 998, 999):
        t = 1000 - i
        alpha_bar, before = process.alpha_bar[t], process.alpha_bar[t - 1]
        alpha = alpha_bar / before
        x, noise = rng.normal(size=2)
        x0 = (x - np.sqrt(1 - alpha_bar) * noise) / np.sqrt(alpha_bar)
        mean = (x - (1 - alpha) / np.sqrt(1 - alpha_bar) * noise) / np.sqrt(alpha)
        assert steps.time[i] == t
        assert steps.data[i] * x0 + steps.state[i] * x == pytest.approx(mean, rel=1e-6)
        assert steps.noise[i] == pytest.approx(np.sqrt(1 - alpha) if t > 1 else 0)


def test_ddim_steps_are_equation_12(process):
    steps, eta = samplers.ddim(process, 10, 0.7), 0.7
    x, x0 = 0.3, -0.8
    before = np.append(steps.time[1:], 0)
    for i, (t, s) in enumerate(zip(steps.time, before, strict=True)):
        a_t, a_s = process.alpha_bar[t], process.alpha_bar[s]
        noise = (x - np.sqrt(a_t) * x0) / np.sqrt(1 - a_t)
        sigma = eta * np.sqrt((1 - a_s) / (1 - a_t)) * np.sqrt(1 - a_t / a_s)
        mean = np.sqrt(a_s) * x0 + np.sqrt(1 - a_s - sigma**2) * noise
        assert steps.data[i] * x0 + steps.state[i] * x == pytest.approx(mean, rel=1e-9)
        assert steps.noise[i] == pytest.approx(sigma)


@pytest.mark.parametrize("count", [1, 2, 10, 333, 667, 999, 1000])
def test_times_fall_from_the_last_to_the_first_without_repeats(count):
    t, s = samplers.times(1000, count)
    assert len(t) == count
    assert t[0] == 1000
    assert s[-1] == 0
    assert (t > s).all()
    np.testing.assert_array_equal(t[1:], s[:-1])
    gaps = t[:-1] - t[1:]
    assert count == 1 or (t[-1] == 1 and gaps.max() - gaps.min() <= 1)


def test_the_loop_is_the_plain_one_and_a_longer_table_the_same(process):
    steps = samplers.ancestral(process, 6, "small")
    keys, x = jax.random.split(jax.random.key(3), 2), jax.random.normal(jax.random.key(4), (2, 3))
    run = jax.jit(lambda steps, keys, x: samplers.run(optimal(process), steps, keys, x))
    found, padded = run(steps, keys, x), run(steps.table(50), keys, x)
    for i in range(6):
        noise = jnp.stack([jax.random.normal(jax.random.fold_in(key, i), (3,)) for key in keys])
        x = steps.data[i] * optimal(process)(x, steps.time[i]) + steps.state[i] * x + steps.noise[i] * noise
    np.testing.assert_allclose(found, x, atol=1e-5)
    np.testing.assert_allclose(padded, x, atol=1e-5)
