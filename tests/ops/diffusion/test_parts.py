"""What the parts of diffusion say of each other: processes, predictions, times, weights, spacings, guidance."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate, stats

from aigc_jax.errors import ConfigError
from aigc_jax.ops.diffusion import bound, guidance, parameterisation, weights
from aigc_jax.ops.diffusion import times as laws
from aigc_jax.ops.diffusion.process import EDM_CLOCK
from aigc_jax.ops.diffusion.process import process as named
from aigc_jax.ops.diffusion.spacing import NAMES, spaced

CONTINUOUS = ("vp", "trigonometric", "flow", "ve", "edm")
PROCESSES = {**{name: named(name) for name in CONTINUOUS}, **{name: named(name, 1000) for name in ("linear", "cosine")}}
PREDICTIONS = ("noise", "data", "velocity", "flow", "edm")


def at_three_times(name):
    """(process, t, x_0, noise, x_t) of six rows."""
    process = PROCESSES[name]
    t = jnp.linspace(0.2, 0.9, 6) * process.last
    if process.steps:
        t = t.astype(jnp.int32)
    x0, noise = jax.random.normal(jax.random.key(0), (2, 6, 3))
    return process, t, x0, noise, process.diffuse(x0, t, noise)


@pytest.mark.parametrize("name", PROCESSES)
def test_noise_grows_over_the_data(name):
    process = PROCESSES[name]
    t = np.linspace(process.first, process.last, 200)
    alpha, sigma = process.on_host(t)
    assert (np.diff(sigma / np.maximum(alpha, 1e-9)) > 0).all()
    on_device = process.at(jnp.asarray(t, jnp.float32), jnp.zeros(200))
    np.testing.assert_allclose(on_device, [alpha, sigma], rtol=2e-3, atol=2e-6)
    ratio = (sigma / np.maximum(alpha, 1e-9))[20:180]
    np.testing.assert_allclose(process.time(ratio), t[20:180], rtol=1e-6, atol=1e-6)
    if name in ("linear", "cosine", "vp", "trigonometric"):
        np.testing.assert_allclose(alpha**2 + sigma**2, 1, atol=1e-12)


@pytest.mark.parametrize("name", CONTINUOUS)
def test_rates_are_the_slopes(name):
    process = PROCESSES[name]
    t, h = np.linspace(0.1, 0.9, 5) * process.last, 1e-6 * process.last
    slopes = (np.array(process.on_host(t + h)) - np.array(process.on_host(t - h))) / (2 * h)
    found = process.rates(jnp.asarray(t, jnp.float32), jnp.zeros(5))
    np.testing.assert_allclose(found, slopes, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("prediction", PREDICTIONS)
@pytest.mark.parametrize("name", PROCESSES)
def test_the_target_implies_the_data_and_so_every_prediction_the_same_drift(name, prediction):
    if prediction == "flow" and PROCESSES[name].steps:
        return  # a grid has no rates
    process, t, x0, noise, x = at_three_times(name)
    target = parameterisation.target(prediction, process, x0, noise, t)
    found = parameterisation.to_data(prediction, process, target, x, t)
    np.testing.assert_allclose(found, x0, atol=2e-3)
    scales = parameterisation.scales(prediction, process, t, x)
    np.testing.assert_allclose(scales.skip * x + scales.out * target, x0, atol=2e-3)


@pytest.mark.parametrize("name", CONTINUOUS)
def test_the_flow_is_the_derivative_along_the_path(name):
    process, t, x0, noise, _ = at_three_times(name)
    _, slope = jax.jvp(lambda t: process.diffuse(x0, t, noise), (t,), (jnp.ones_like(t),))
    np.testing.assert_allclose(parameterisation.target("flow", process, x0, noise, t), slope, rtol=1e-4, atol=1e-4)


def test_edm_has_inputs_and_targets_of_variance_one():
    """Karras et al. 2022, appendix B.6, for data of deviation 0.5."""
    process, rows = PROCESSES["edm"], 4000
    x0 = parameterisation.DATA * jax.random.normal(jax.random.key(0), (rows, 8))
    noise = jax.random.normal(jax.random.key(1), (rows, 8))
    for sigma in (0.01, 0.5, 20.0):
        t = jnp.full(rows, sigma)
        scales = parameterisation.scales("edm", process, t, x0)
        assert float(jnp.std(scales.into * process.diffuse(x0, t, noise))) == pytest.approx(1, rel=0.02)
        assert float(jnp.std(parameterisation.target("edm", process, x0, noise, t))) == pytest.approx(1, rel=0.02)
        np.testing.assert_allclose(
            [scales.skip[0, 0], scales.out[0, 0]],
            [0.25 / (sigma**2 + 0.25), sigma * 0.5 / np.sqrt(sigma**2 + 0.25)],
            rtol=1e-5,
        )
        assert float(process.clock(jnp.float32(sigma), jnp)) == pytest.approx(EDM_CLOCK * np.log(sigma), rel=1e-5)


@pytest.mark.parametrize("prediction", ["noise", "data", "velocity", "edm"])
@pytest.mark.parametrize("weight", ["snr", "min_snr", "edm", "sigmoid"])
def test_a_weight_is_one_of_the_data_s_error_whatever_is_predicted(weight, prediction):
    process, t, x0, noise, x = at_three_times("vp")
    target = parameterisation.target(prediction, process, x0, noise, t)
    output = target + 0.1 * jax.random.normal(jax.random.key(2), target.shape)
    errors = jnp.square(x0 - parameterisation.to_data(prediction, process, output, x, t))
    alpha, sigma = process.at(t, x0)
    snr = (alpha / sigma) ** 2
    expected = {
        "snr": snr,
        "min_snr": jnp.minimum(snr, 5),
        "edm": (1 / snr + 0.25) / (1 / snr * 0.25),
        "sigmoid": snr / (1 + jnp.exp(jnp.log(snr) - 2)),
    }[weight]
    found = weights.weight(weight, prediction, process, t, x0) * jnp.square(target - output)
    np.testing.assert_allclose(found, expected * errors, rtol=2e-3, atol=1e-6)
    assert (weights.weight("simple", prediction, process, t, x0) == 1).all()


LAWS = {
    ("uniform", "flow"): stats.uniform(),
    ("logit_normal", "flow"): None,
    ("log_normal", "edm"): stats.lognorm(1.2, scale=np.exp(-1.2)),
}


@pytest.mark.parametrize("together", [False, True])
@pytest.mark.parametrize(("law", "name"), LAWS)
def test_times_follow_their_law(law, name, together):
    t = np.asarray(laws.times(law, PROCESSES[name], jax.random.key(3), 4000, together), np.float64)
    if law == "logit_normal":
        t = stats.norm.cdf(np.log(t / (1 - t)))
    found = stats.kstest(t, (LAWS[law, name] or stats.uniform()).cdf).statistic
    assert found < (1.1 / 4000 if together else 1.95 / np.sqrt(4000))


@pytest.mark.parametrize("together", [False, True])
def test_times_of_a_grid_are_all_as_frequent(together):
    t = np.asarray(laws.times("uniform", named("linear", 10), jax.random.key(3), 5000, together))
    counts = np.bincount(t, minlength=11)[1:]
    assert t.dtype == np.int32 and t.min() == 1 and t.max() == 10
    assert np.abs(counts - 500).max() <= (1 if together else 100)


def test_a_law_that_a_process_has_no_times_for_is_refused():
    for law, name in (("log_normal", "flow"), ("logit_normal", "edm"), ("log_normal", "linear")):
        with pytest.raises(ConfigError, match=r"method\.times"):
            laws.check(law, PROCESSES[name])


@pytest.mark.parametrize("steps", [1, 2, 18, 1000])
@pytest.mark.parametrize("spacing", NAMES)
@pytest.mark.parametrize("name", PROCESSES)
def test_places_fall_from_noise_to_the_data(name, spacing, steps):
    process = PROCESSES[name]
    grid = spaced(process, spacing, steps)
    assert grid.steps == steps and grid.t[0] == process.last
    assert (np.diff(grid.t) < 0).all()
    assert (grid.t[-1], grid.alpha[-1], grid.sigma[-1]) == (0, 1, 0)
    if process.steps:
        np.testing.assert_array_equal(grid.t, np.rint(grid.t))


def test_karras_s_places_are_equation_5():
    grid, i = spaced(PROCESSES["edm"], "karras", 18), np.arange(18)
    expected = (80 ** (1 / 7) + i / 17 * (0.002 ** (1 / 7) - 80 ** (1 / 7))) ** 7
    np.testing.assert_allclose(grid.sigma[:-1], expected, rtol=1e-6)


def test_places_may_stand_in_a_file(tmp_path):
    path, flow = tmp_path / "times.txt", PROCESSES["flow"]
    path.write_text("1.0\n0.5\n0.1\n", "utf-8")
    np.testing.assert_array_equal(spaced(flow, str(path), 3).t, [1, 0.5, 0.1, 0])
    with pytest.raises(ConfigError, match=r"sample\.steps=3"):
        spaced(flow, str(path), 4)
    for text, match in (("1.0\n2.0\n", "fall"), ("one\n", "number"), ("nan\n", "fall"), ("1\n0\n", "above 0")):
        path.write_text(text, "utf-8")
        with pytest.raises(ConfigError, match=match):
            spaced(flow, str(path), len(text.split()))
    with pytest.raises(ConfigError, match="nor a file"):
        spaced(flow, "quadratic", 3)


def test_guidance_of_nought_and_one_are_identities():
    strong, weak = jax.random.normal(jax.random.key(0), (2, 4, 8))
    np.testing.assert_array_equal(guidance.away(strong, weak, 0.0), weak)
    np.testing.assert_allclose(guidance.away(strong, weak, 1.0), strong, atol=1e-6)
    np.testing.assert_allclose(guidance.away(strong, weak, 3.0), 3 * strong - 2 * weak, atol=1e-5)


def test_guidance_ends_at_its_interval():
    alpha, sigma = PROCESSES["flow"].at(jnp.array([0.1, 0.3, 0.5, 0.8]), jnp.zeros(4))
    np.testing.assert_array_equal(guidance.within(4.0, 0.2, 0.6, alpha, sigma), [1, 4, 4, 1])


def test_rescaling_gives_the_deviation_back():
    strong = jax.random.normal(jax.random.key(0), (3, 4, 4, 1))
    guided = guidance.away(strong, jnp.roll(strong, 1, 0), 5.0)
    deviations = [np.std(guidance.rescaled(guided, strong, share), axis=(1, 2, 3)) for share in (0.0, 0.5, 1.0)]
    np.testing.assert_allclose(deviations[0], np.std(guided, axis=(1, 2, 3)), rtol=1e-5)
    np.testing.assert_allclose(deviations[1], (deviations[0] + deviations[2]) / 2, rtol=1e-5)
    np.testing.assert_allclose(deviations[2], np.std(strong, axis=(1, 2, 3)), rtol=1e-5)


@pytest.mark.parametrize("name", CONTINUOUS)
def test_a_classifier_s_gradient_moves_normal_data_to_the_class(name):
    """Two classes N(±0.5, 0.3²): E[x_0 | x_t] of both and the gradient of log p(y | x_t) give E[x_0 | x_t, y]."""
    process, mean, deviation = PROCESSES[name], 0.5, 0.3
    t = jnp.float32(0.4 * process.last if name != "edm" else 0.7)
    x = jnp.linspace(-1.5, 1.5, 7)
    alpha, sigma = process.at(t, t)
    variance = (alpha * deviation) ** 2 + sigma**2

    def log_density(x, mean):
        return -0.5 * (x - alpha * mean) ** 2 / variance

    def log_class(x):
        return log_density(x, mean) - jax.nn.logsumexp(jnp.stack([log_density(x, mean), log_density(x, -mean)]), 0)

    def expected(mean):
        return mean + alpha * deviation**2 / variance * (x - alpha * mean)

    share = jnp.exp(log_class(x))
    of_both = share * expected(mean) + (1 - share) * expected(-mean)
    gradient = jax.vmap(jax.grad(log_class))(x)
    found = guidance.by_classifier(of_both, gradient, 1.0, alpha, sigma)
    np.testing.assert_allclose(found, expected(mean), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", CONTINUOUS)
def test_the_bound_of_continuous_time_is_tight_for_the_best_denoiser(name):
    """Normal data: the integral is ½ log(1 + snr · variance), and at the end a level has the mass of a normal there."""
    process, mean, deviation, terms, rows = PROCESSES[name], 0.1, 0.3, 100, 8000
    part = bound.OfTime.of(process, terms)
    x0 = mean + deviation * jax.random.normal(jax.random.key(0), (rows, 1))

    def best(key, t):
        alpha, sigma = process.at(t, x0)
        x = process.diffuse(x0, t, jax.random.normal(key, x0.shape))
        return mean + alpha * deviation**2 / ((alpha * deviation) ** 2 + sigma**2) * (x - alpha * mean)

    total = np.array(part.prior(x0))
    for i in range(terms):
        time_key, noise_key = jax.random.split(jax.random.fold_in(jax.random.key(1), i))
        t, counts = part.times(time_key, i, rows)
        total += np.asarray(counts * jnp.square(x0 - best(noise_key, t))[:, 0])
    alpha, sigma = process.on_host(part.edges[0])
    ratio = sigma / alpha
    assert total.mean() == pytest.approx(
        0.5 * np.log(1 + (deviation / ratio) ** 2), abs=4 * total.std() / np.sqrt(rows)
    )
    last = np.asarray(part.decoder(x0, best(jax.random.key(2), jnp.full(rows, part.edges[0], jnp.float32))))

    def mass(z):
        return stats.norm.cdf(z + 1 / 255 / ratio) - stats.norm.cdf(z - 1 / 255 / ratio)

    expected = integrate.quad(lambda z: -stats.norm.pdf(z) * np.log(mass(z)), -6, 6)[0]
    assert last.mean() == pytest.approx(expected, abs=0.01 + 4 * last.std() / np.sqrt(rows))
    entropy = 0.5 * np.log(2 * np.pi * np.e * deviation**2) - np.log(2 / 255)
    assert (total + last).mean() - entropy == pytest.approx(0.1, abs=0.15)
