"""The diffusion's formulas against loops, simulation, Gaussian conditioning and numerical integrals."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate, stats

from aigc_jax.ops.diffusion import bound, parameterisation
from aigc_jax.ops.diffusion.process import process as named


def bars(process):
    """ᾱ at t = 0 .. T."""
    return process.on_host(np.arange(process.steps + 1))[0] ** 2


@pytest.fixture(scope="module")
def linear():
    return named("linear", 1000)


def test_linear_schedule_is_the_paper_s(linear):
    alpha_bar = 1.0
    for t in range(1, 1001):
        alpha_bar *= 1 - (1e-4 + (0.02 - 1e-4) * (t - 1) / 999)
        assert bars(linear)[t] == pytest.approx(alpha_bar, rel=1e-10)
    assert linear.steps == 1000
    assert bars(linear)[0] == 1
    # section 4: KL(q(x_T | x_0) || N(0, I)) is about 1e-5 bits a dimension
    bits = bound.OfGrid(linear, "small").prior(jnp.full((1, 64), 0.5)) / 64 / math.log(2)
    assert 1e-6 < float(bits[0]) < 1e-4


def test_cosine_schedule_follows_equation_17():
    process = named("cosine", 400)

    def f(t):
        return math.cos((t / 400 + 0.008) / 1.008 * math.pi / 2) ** 2

    alpha_bar = 1.0
    for t in range(1, 401):
        alpha_bar *= 1 - min(1 - f(t) / f(t - 1), 0.999)
        assert bars(process)[t] == pytest.approx(alpha_bar, rel=1e-10)
        if t < 400:  # where nothing is clipped the product telescopes
            assert bars(process)[t] == pytest.approx(f(t) / f(0), rel=1e-9)
    assert bars(process)[400] > 0


def test_diffusing_at_once_equals_the_chain_in_law():
    process = named("linear", 50)
    rng, count = np.random.default_rng(0), 200_000
    x = np.full(count, 0.7)
    for t in range(1, 51):
        beta = 1 - bars(process)[t] / bars(process)[t - 1]
        x = np.sqrt(1 - beta) * x + np.sqrt(beta) * rng.normal(size=count)
    noise = jnp.asarray(rng.normal(size=(count, 1)), jnp.float32)
    once = process.diffuse(jnp.full((count, 1), 0.7), jnp.full(count, 50), noise)
    assert float(once.mean()) == pytest.approx(x.mean(), abs=6e-3)
    assert float(once.std()) == pytest.approx(x.std(), abs=6e-3)


def test_each_row_has_its_own_time(linear):
    t = jnp.array([1, 500, 1000])
    x0, noise = jnp.full((3, 2, 2, 1), 2.0), jnp.full((3, 2, 2, 1), 3.0)
    expected = [2 * math.sqrt(a) + 3 * math.sqrt(1 - a) for a in bars(linear)[np.asarray(t)]]
    np.testing.assert_allclose(linear.diffuse(x0, t, noise)[:, 1, 0, 0], expected, rtol=1e-6)


@pytest.mark.parametrize(("t", "s"), [(2, 1), (500, 499), (700, 100), (1000, 999)])
def test_posterior_is_gaussian_conditioning(linear, t, s):
    a_t, a_s = bars(linear)[t], bars(linear)[s]
    step = a_t / a_s  # x_t = sqrt(step) x_s + sqrt(1 - step) z
    # the joint law of (x_s, x_t) given x_0, and the regression of x_s on x_t
    variance_s, covariance = 1 - a_s, np.sqrt(step) * (1 - a_s)
    gain = covariance / (1 - a_t)
    q = bound.posterior(linear, np.int64(t), np.int64(s))
    assert q.state == pytest.approx(gain, rel=1e-9)
    assert q.data == pytest.approx(np.sqrt(a_s) - gain * np.sqrt(a_t), rel=1e-6)
    assert q.variance == pytest.approx(variance_s - gain * covariance, rel=1e-6)
    assert q.beta == pytest.approx(1 - step)


def test_posterior_of_the_first_step_is_the_data(linear):
    q = bound.posterior(linear, np.int64(1), np.int64(0))
    assert (q.data, q.state, q.variance) == pytest.approx((1, 0, 0), abs=1e-12)


@pytest.mark.parametrize("prediction", ["noise", "data", "velocity"])
def test_the_data_is_recovered_from_each_prediction(linear, prediction):
    x0, noise = jax.random.normal(jax.random.key(0), (2, 3, 4, 4, 1))
    t = jnp.array([1, 400, 1000])
    target = parameterisation.target(prediction, linear, x0, noise, t)
    x = linear.diffuse(x0, t, noise)
    np.testing.assert_allclose(parameterisation.to_data(prediction, linear, target, x, t), x0, atol=2e-4)


def test_velocity_is_the_derivative_along_the_circle(linear):
    # Salimans & Ho 2022: with x = cos φ x_0 + sin φ ε, the velocity is dx/dφ
    t, h = 300, 1e-4
    angle = math.acos(math.sqrt(bars(linear)[t]))
    slope = [(math.cos(angle + d) * 0.3 + math.sin(angle + d) * 1.7) for d in (h, -h)]
    v = parameterisation.target("velocity", linear, jnp.array([[0.3]]), jnp.array([[1.7]]), jnp.array([t]))
    assert float(v[0, 0]) == pytest.approx((slope[0] - slope[1]) / (2 * h), rel=1e-4)


@pytest.mark.parametrize("variance", ["small", "large"])
def test_middle_terms_are_the_divergence_between_two_normals(linear, variance):
    x0, predicted, x_t = 0.4, -0.2, 0.9
    for t in (2, 3, 400, 1000):
        q = bound.posterior(linear, np.int64(t), np.int64(t - 1))
        true = stats.norm(q.data * x0 + q.state * x_t, math.sqrt(q.variance))
        model = stats.norm(q.data * predicted + q.state * x_t, math.sqrt(q.variance if variance == "small" else q.beta))
        reach = np.linspace(true.mean() - 9 * true.std(), true.mean() + 9 * true.std(), 20_001)
        expected = integrate.simpson(true.pdf(reach) * (true.logpdf(reach) - model.logpdf(reach)), x=reach)
        found = bound.OfGrid(linear, variance).step(jnp.full((1, 5), x0), jnp.full((1, 5), predicted), jnp.array([t]))
        assert float(found[0]) == pytest.approx(5 * expected, rel=1e-4)


def test_prior_term_is_the_divergence_from_the_standard_normal():
    process = named("linear", 30)  # far from noise at T, so that every part counts
    mean, variance = math.sqrt(bars(process)[-1]) * 0.8, 1 - bars(process)[-1]
    expected = 0.5 * (mean**2 + variance - 1 - math.log(variance))
    found = bound.OfGrid(process, "small").prior(jnp.full((2, 3, 1), 0.8))
    np.testing.assert_allclose(found, 3 * expected, rtol=1e-5)


@pytest.mark.parametrize("variance", ["small", "large"])
def test_decoder_s_variance_is_the_second_posterior_s(linear, variance):
    beta = [1 - bars(linear)[t] / bars(linear)[t - 1] for t in (1, 2)]
    second = beta[1] * (1 - bars(linear)[1]) / (1 - bars(linear)[2])
    x, mean = jnp.full((1, 1), 1 / 255), jnp.full((1, 1), 3 / 255)
    expected = -np.diff(stats.norm(3 / 255, math.sqrt(second)).cdf([0, 2 / 255]))[0]
    found = bound.OfGrid(linear, variance).decoder(x, mean)
    assert float(found[0]) == pytest.approx(-math.log(-expected), rel=1e-4)
