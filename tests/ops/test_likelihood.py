"""Likelihoods against scipy, the divergence and the bounds against closed forms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate, stats

from aigc_jax.ops import likelihood

LEVELS = np.linspace(-1, 1, 256)
PLACES = [(0.0, -2.0), (0.3, -5.5), (-0.98, -3.0), (1.7, -1.0), (-1.0, 2.0), (0.999, -6.9)]


def parameters(location, log_scale, count):
    return jnp.broadcast_to(jnp.float32([location, log_scale]), (count, 2))


@pytest.mark.parametrize(("location", "log_scale"), PLACES)
def test_the_discretized_logistic_is_the_mass_between_edges_and_sums_to_one(location, log_scale):
    got = likelihood.discretized_logistic(0.0).log_prob(parameters(location, log_scale, 256), jnp.float32(LEVELS))
    edges = np.concatenate([[-np.inf], (LEVELS[1:] + LEVELS[:-1]) / 2, [np.inf]])
    spread = stats.logistic(location, np.exp(log_scale))
    mass = np.where(edges[1:] < location, np.diff(spread.cdf(edges)), -np.diff(spread.sf(edges)))
    assert np.isclose(np.exp(np.float64(got)).sum(), 1, atol=2e-5)
    seen = mass > 1e-30
    np.testing.assert_allclose(got[seen], np.log(mass[seen]), rtol=2e-4, atol=2e-4)


def test_the_discretized_logistic_has_a_finite_gradient_far_away():
    far = jnp.float32([[1.0, -7.0], [-1.0, -7.0], [0.0, -20.0], [3.0, 9.0]])
    image = jnp.float32([-0.9, 1.0, LEVELS[250], -1.0])
    log_prob = likelihood.discretized_logistic(0.0).log_prob
    gradient = jax.grad(lambda p: jnp.sum(log_prob(p, image)))(far)
    assert np.isfinite(gradient).all() and np.isfinite(log_prob(far, image)).all()
    assert gradient[0, 0] < 0 < gradient[1, 0]


@pytest.mark.parametrize("scale", [0.0, 0.1])
@pytest.mark.parametrize(("make", "of"), [(likelihood.gaussian, stats.norm), (likelihood.laplace, stats.laplace)])
def test_a_density_is_scipys_and_integrates_to_one(make, of, scale):
    given = make(scale)
    deviation = scale or np.exp(-1.5)

    def log_prob(x):
        raw = jnp.float32([[0.2, -1.5]])[:, : given.parameters]
        return float(given.log_prob(raw, jnp.float32([x]))[0])

    for x in (-1.0, 0.2, 0.9):
        np.testing.assert_allclose(log_prob(x), of(0.2, deviation).logpdf(x), rtol=1e-5, atol=1e-5)
    total, _ = integrate.quad(lambda x: np.exp(log_prob(x)), -2, 2, points=[0.2], limit=40, epsabs=1e-4)
    assert abs(total - 1) < 1e-3


def test_a_fixed_scale_is_the_learned_one_at_that_value():
    images = jnp.float32(LEVELS)
    for make in (likelihood.gaussian, likelihood.laplace, likelihood.discretized_logistic):
        learned = make(0.0).log_prob(parameters(0.1, np.log(0.05), 256), images)
        np.testing.assert_allclose(make(0.05).log_prob(jnp.full((256, 1), 0.1), images), learned, rtol=1e-5, atol=1e-5)
        assert (make(0.0).parameters, make(0.05).parameters) == (2, 1)


def test_bernoulli_is_scipys_and_sums_to_one():
    logits = jnp.linspace(-8, 8, 33)[:, None]
    given = likelihood.bernoulli()
    one, zero = (given.log_prob(logits, jnp.full(33, value)) for value in (1.0, -1.0))
    chance = 1 / (1 + np.exp(-np.float64(logits[:, 0])))
    np.testing.assert_allclose(one, stats.bernoulli(chance).logpmf(1), rtol=1e-5)
    np.testing.assert_allclose(np.exp(one) + np.exp(zero), 1, rtol=1e-6)
    np.testing.assert_allclose(given.mean(logits), 2 * chance - 1, atol=1e-6)


def test_binary_images_have_the_intensities_as_their_means():
    images = jnp.tile(jnp.float32([-1.0, -0.5, 0.2, 1.0]), (20000, 1))
    seen = likelihood.bernoulli().observe(jax.random.key(0), images)
    assert set(np.unique(seen)) == {-1.0, 1.0}
    np.testing.assert_allclose(seen.mean(0), images[0], atol=0.03)
    assert (seen[:, 0] == -1).all() and (seen[:, 3] == 1).all()


def test_bits_per_dim_of_uniform_levels_is_eight():
    assert np.isclose(likelihood.bits_per_dim(jnp.float32(784 * np.log(256)), 784), 8)


def test_the_divergence_is_that_of_multivariate_normals():
    rng = np.random.default_rng(0)
    mean, log_variance = rng.normal(size=(5, 3)), rng.normal(size=(5, 3))
    got = likelihood.gaussian_kl(jnp.float32(mean), jnp.float32(log_variance))
    for row in range(5):
        q = stats.multivariate_normal(mean[row], np.diag(np.exp(log_variance[row])))
        p = stats.multivariate_normal(np.zeros(3))
        z = q.rvs(200000, random_state=rng)
        drawn = q.logpdf(z) - p.logpdf(z)
        assert abs(got[row] - drawn.mean()) < 5 * drawn.std() / np.sqrt(len(z))
    assert np.allclose(likelihood.gaussian_kl(jnp.zeros((2, 3)), jnp.zeros((2, 3))), 0)


# x = weight z + 0.5 e with z, e standard normal: p(x) is normal with covariance weight weight' + 0.25.
WEIGHT = np.array([[1.0, 0.3], [-0.5, 0.8], [0.2, -1.1]])
NOISE = 0.5
X = np.array([[0.7, -1.2, 0.4], [2.0, 0.1, -1.5], [0.0, 0.0, 0.0], [-1.0, 1.0, 1.0]])
EXACT = stats.multivariate_normal(np.zeros(3), WEIGHT @ WEIGHT.T + NOISE**2 * np.eye(3)).logpdf(X)
Q_MEAN, Q_SCALE = 0.3 * X @ WEIGHT, 0.6


def log_weight(key):
    noise = jax.random.normal(key, Q_MEAN.shape)
    z = Q_MEAN + Q_SCALE * noise
    x_given_z = -0.5 * jnp.sum(((X - z @ WEIGHT.T) / NOISE) ** 2, -1) - 3 * jnp.log(NOISE * jnp.sqrt(2 * jnp.pi))
    log_q = likelihood.standard_normal_log_prob(noise) - 2 * jnp.log(Q_SCALE)
    return x_given_z + likelihood.standard_normal_log_prob(z) - log_q


def exact_elbo():
    """E_q log p(x, z) - E_q log q(z) for the Gaussians above, by their moments."""
    residual = X - Q_MEAN @ WEIGHT.T
    expected = -0.5 * ((residual**2).sum(-1) + Q_SCALE**2 * (WEIGHT**2).sum()) / NOISE**2
    expected -= 3 * np.log(NOISE * np.sqrt(2 * np.pi))
    kl = 0.5 * (2 * Q_SCALE**2 + (Q_MEAN**2).sum(-1) - 2 - 4 * np.log(Q_SCALE))
    return expected - kl


def test_bounds_rise_from_the_elbo_to_log_p():
    counts = (1, 10, 100, 20000)
    elbo, ten, hundred, many = likelihood.importance_bounds(log_weight, jax.random.key(0), counts)
    np.testing.assert_allclose(elbo, exact_elbo(), atol=0.1)
    assert (elbo < ten).all() and (ten < hundred).all() and (hundred < EXACT).all()
    np.testing.assert_allclose(many, EXACT, atol=0.05)
    assert (np.abs(many - EXACT) < np.abs(hundred - EXACT) + 0.03).all() and (EXACT - elbo > 0.2).all()


def test_bounds_are_means_over_groups_of_draws():
    key = jax.random.key(3)
    drawn = np.float64(jnp.stack([log_weight(k) for k in jax.random.split(key, 5)]))
    one, two, five = likelihood.importance_bounds(log_weight, key, (1, 2, 5))
    np.testing.assert_allclose(one, drawn.mean(0), rtol=1e-5)
    pairs = [np.log(np.exp(drawn[i : i + 2]).mean(0)) for i in (0, 2)]
    np.testing.assert_allclose(two, np.mean(pairs, 0), rtol=1e-5)
    np.testing.assert_allclose(five, np.log(np.exp(drawn).mean(0)), rtol=1e-5)


def test_every_draw_is_log_p_where_q_is_the_posterior():
    covariance = np.linalg.inv(np.eye(2) + WEIGHT.T @ WEIGHT / NOISE**2)
    mean, root = X @ WEIGHT @ covariance / NOISE**2, np.linalg.cholesky(covariance)

    def weight(key):
        noise = jax.random.normal(key, mean.shape)
        z = mean + noise @ root.T
        x_given_z = -0.5 * jnp.sum(((X - z @ WEIGHT.T) / NOISE) ** 2, -1) - 3 * jnp.log(NOISE * jnp.sqrt(2 * jnp.pi))
        log_q = likelihood.standard_normal_log_prob(noise) - np.log(np.diag(root)).sum()
        return x_given_z + likelihood.standard_normal_log_prob(z) - log_q

    for bound in likelihood.importance_bounds(weight, jax.random.key(1), (1, 3)):
        np.testing.assert_allclose(bound, EXACT, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("mean", "scale"), [(0.0, 0.3), (0.2, 0.007), (-1.4, 0.05), (1.0, 2.0)])
def test_a_discretized_gaussian_sums_to_one_over_the_levels(mean, scale):
    levels = jnp.asarray(np.arange(256) * (2 / 255) - 1, jnp.float32)
    total = jnp.exp(likelihood.discretized_log_likelihood(levels, mean, scale)).sum()
    assert float(total) == pytest.approx(1, abs=2e-4)


def test_a_discretized_gaussian_is_the_mass_of_the_bin():
    levels = np.arange(256) * 2 / 255 - 1
    low = np.where(levels < -0.999, -np.inf, levels - 1 / 255)
    high = np.where(levels > 0.999, np.inf, levels + 1 / 255)
    normal = stats.norm(0.1, 0.2)
    above = levels > 0.1
    mass = np.where(above, normal.sf(low) - normal.sf(high), normal.cdf(high) - normal.cdf(low))
    found = likelihood.discretized_log_likelihood(jnp.asarray(levels, jnp.float32), 0.1, 0.2)
    np.testing.assert_allclose(found, np.log(mass), rtol=1e-4, atol=5e-4)


def test_a_discretized_gaussian_stays_finite_far_from_the_mean():
    values = likelihood.discretized_log_likelihood(jnp.array([-1.0, 0.5, 1.0]), jnp.array([1.0, -1.0, -1.0]), 0.007)
    assert np.isfinite(values).all()
    # more than 20,000 nats each: a floor on the probability would hide them
    np.testing.assert_allclose(
        values,
        [
            stats.norm.logcdf(-1 + 1 / 255, 1, 0.007),
            stats.norm.logsf(0.5 - 1 / 255, -1, 0.007),
            stats.norm.logsf(1 - 1 / 255, -1, 0.007),
        ],
        rtol=2e-3,
    )
