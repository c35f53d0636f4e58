"""The likelihood by the flow against closed forms: what a flow of normals and of their mixtures does is known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate, optimize, stats

from aigc_jax.ops.diffusion import likelihood
from aigc_jax.ops.diffusion.process import process as named

PROCESSES = ("vp", "trigonometric", "flow", "ve", "edm", "linear", "cosine")
SHARES, MEANS, STDS = np.array([0.3, 0.7]), np.array([-0.6, 0.4]), np.array([0.15, 0.3])
ANGLE = 0.6
TURN = np.array([[np.cos(ANGLE), -np.sin(ANGLE)], [np.sin(ANGLE), np.cos(ANGLE)]])
CUT = ("trigonometric", "flow", "cosine")  # which end where there is no α
KEY = jax.random.key(0)


def expected(x, alpha, sigma):
    """E[x_0 | x_t] of the mixture, of each value alone."""
    variance = (alpha * STDS) ** 2 + sigma**2
    apart = x[..., None] - alpha * MEANS
    share = jax.nn.softmax(jnp.log(SHARES) - 0.5 * jnp.log(variance) - 0.5 * apart**2 / variance)
    return jnp.sum(share * (MEANS + alpha * STDS**2 / variance * apart), -1)


def denoiser(process, turn=None):
    """Of the mixture in each coordinate, turned."""

    def denoise(x, t):
        alpha, sigma = process.at(t, t)
        return expected(x, alpha, sigma) if turn is None else expected(x @ turn, alpha, sigma) @ turn.T

    return denoise


def law(alpha, sigma):
    """(density, distribution function) of x_t."""
    parts = [stats.norm(alpha * mean, np.hypot(alpha * std, sigma)) for mean, std in zip(MEANS, STDS, strict=True)]
    pdf, cdf = (
        lambda x, of=of: sum(share * getattr(part, of)(x) for share, part in zip(SHARES, parts, strict=True))
        for of in ("pdf", "cdf")
    )
    return pdf, cdf


def exact(process, x0):
    """The model's log density in one dimension: there the flow keeps the quantile. x0: [n]."""
    (alpha, sigma), last = process.on_host(process.first), law(*process.on_host(process.last))
    first = law(alpha, sigma)

    def one(x0):
        quantile = first[1](alpha * x0)
        end = optimize.brentq(lambda x: last[1](x) - quantile, -10 * process.prior, 10 * process.prior, xtol=1e-12)
        return np.log(alpha * first[0](alpha * x0)) + stats.norm(0, process.prior).logpdf(end) - np.log(last[0](end))

    return np.array([one(each) for each in x0])


def found(process, x, steps, draws=0, key=KEY, turn=None):
    denoise = denoiser(process, turn)
    run = jax.jit(lambda x, key: likelihood.log_density(denoise, process, x, key, steps=steps, draws=draws))
    return np.asarray(run(jnp.asarray(x, jnp.float32), key), np.float64)


@pytest.mark.parametrize("name", PROCESSES)
def test_a_mixture_s_density_and_errors_fall_by_the_order(name):
    process, x = named(name, 1000), np.linspace(-1.2, 1.3, 9)
    truth = exact(process, x)
    errors = [np.abs(found(process, x[:, None], steps) - truth).max() for steps in (10, 20, 80)]
    assert np.log2(errors[0] / errors[1]) > 3.3, errors
    assert errors[2] < (2e-3 if name in CUT else 1e-4)
    wider, _ = law(1, np.divide(*process.on_host(process.first)[::-1]))
    assert np.abs(truth - np.log(wider(x))).max() < 0.05, "nearly the data's, but for what noise is left at the end"


@pytest.mark.parametrize("name", ["flow", "edm", "linear"])
def test_two_dimensions_that_hang_together(name):
    process = named(name, 1000)
    apart = np.random.default_rng(0).normal(0, 0.6, (6, 2))
    truth = exact(process, apart.ravel()).reshape(6, 2).sum(1)
    np.testing.assert_allclose(found(process, apart @ TURN.T, 60, turn=TURN), truth, atol=3e-3)


def test_turning_the_data_does_not_change_it():
    process, x = named("vp"), np.random.default_rng(1).normal(0, 0.6, (5, 3))
    turn = np.linalg.qr(np.random.default_rng(2).normal(size=(3, 3)))[0]
    one, other = found(process, x, 20), found(process, x @ turn.T, 20, turn=turn)
    np.testing.assert_allclose(other, one, atol=2e-5)
    assert np.ptp(one) > 0.5


def test_draws_of_signs_are_unbiased():
    process, rows = named("flow"), 1500
    x = np.broadcast_to([0.2, -0.5], (rows, 2))
    truth = found(process, x[:1], 10, turn=TURN)[0]
    one, four = (found(process, x, 10, draws, turn=TURN) for draws in (1, 4))
    assert one.std() > 0.05, "the Jacobian is not diagonal"
    for each in (one, four):
        assert each.mean() == pytest.approx(truth, abs=4 * each.std() / np.sqrt(rows))
    assert four.std() == pytest.approx(one.std() / 2, rel=0.15)
    assert len(np.unique(one.round(3))) == 2, "one draw serves the whole way: here signs are equal, or they are not"


def test_draws_are_exact_where_the_jacobian_is_diagonal():
    process, x = named("ve"), np.random.default_rng(1).normal(0, 0.6, (4, 2, 3, 1))
    truth = found(process, x, 10)
    np.testing.assert_allclose(found(process, x, 10, 1), truth, atol=2e-5)
    np.testing.assert_allclose(found(process, x, 10, 3, jax.random.key(5)), truth, atol=2e-5)


def test_the_density_has_mass_one_whatever_the_denoiser():
    """Of a function that is the best denoiser of no data."""
    process, x = named("trigonometric"), np.linspace(-6, 6, 601)

    def denoise(x, t):
        alpha, sigma = process.at(t, t)
        return alpha * x + sigma * (0.4 * jnp.sin(3 * x) - 0.2)

    run = jax.jit(lambda x: likelihood.log_density(denoise, process, x, KEY, steps=40))
    density = np.exp(np.asarray(run(jnp.asarray(x[:, None], jnp.float32)), np.float64))
    assert integrate.simpson(density, x=x) == pytest.approx(1, abs=5e-4)
    assert density.max() > 1.2 * stats.norm.pdf(0), "and it is not the noise's"


def test_places_are_equal_steps_of_s_and_t_fits_them():
    for name in PROCESSES:
        process = named(name, 1000)
        where = likelihood.nodes(process, 7)
        alpha, sigma = process.on_host(where.t)
        np.testing.assert_allclose(alpha / np.hypot(alpha, sigma), where.cosine, rtol=1e-6, atol=1e-9)
        np.testing.assert_allclose(np.diff(where.s, 2), 0, atol=1e-12)
        assert where.t[0] == pytest.approx(process.first) and where.t[-1] == pytest.approx(process.last, rel=2e-3)


def test_bits_of_dequantised_data_bound_those_of_the_levels():
    """Levels as coarse as the data's deviation: the gap is Jensen's, by quadrature, and it is above 0."""
    levels, std, rows = 21, 0.06, 20_000
    x0 = jnp.full((rows, 1), 0.1)
    dequantised = likelihood.dequantized(KEY, x0, levels)
    assert float(jnp.abs(dequantised - 0.1).max()) == pytest.approx(0.05, rel=1e-3)
    density = stats.norm(0.13, std)
    bits = likelihood.bits_per_dim(jnp.asarray(density.logpdf(dequantised)).sum(1), 1, levels)
    mass = density.cdf(0.15) - density.cdf(0.05)
    gap = integrate.quad(lambda x: np.log2(mass / (0.1 * density.pdf(x))) / 0.1, 0.05, 0.15)[0]
    assert gap > 0.04
    error = float(bits.std()) / np.sqrt(rows)
    assert float(bits.mean()) == pytest.approx(-np.log2(mass) + gap, abs=4 * error)
