"""The bound of a linear Gaussian VAE in closed form, and the terms of the others."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from scipy import stats

from aigc_jax.errors import ConfigError
from aigc_jax.learner import Learner, ema
from aigc_jax.method import Batch
from aigc_jax.methods.vae import vae
from aigc_jax.nn.conv_vae import ConvVAE

IMAGES = jnp.round(jnp.tanh(jax.random.normal(jax.random.key(5), (8, 4, 4, 1))) * 127.5 + 127.5) / 127.5 - 1
KEY = jax.random.key(2)
SCALE = 0.5


class Linear(nn.Module):
    """x = W z + b + scale e, of which log p(x) is known; images are [B, 1, 2, 1]."""

    latent: int = 2

    def setup(self):
        # Small, so that q is at first near the prior and not far from the posterior.
        small = nn.initializers.normal(0.3)
        self.mean, self.log_variance, self.out = (nn.Dense(2, kernel_init=small) for _ in range(3))

    def encode(self, images):
        x = images.reshape(-1, 2)
        return self.mean(x), self.log_variance(x)

    def decode(self, z):
        return self.out(z).reshape(-1, 1, 2, 1, 1)

    def __call__(self, images):
        mean, log_variance = self.encode(images)
        return self.decode(mean + log_variance)


def learners(module, tx=None, decay=0.0, accumulate=1):
    return {
        "net": Learner("net", module, tx or optax.adam(1e-2), {"net": ema(decay, False)} if decay else {}, accumulate)
    }


def settings(**changes):
    return dict(dict(likelihood="gaussian", scale=SCALE, beta=1.0, importance_samples=(1, 10, 2000))) | changes


def conv(parameters):
    return ConvVAE((4, 4, 1), (4, 4), 8, 3, parameters)


def test_bounds_of_a_linear_gaussian_model_reach_its_likelihood():
    method = vae(learners(Linear()), **settings())
    batch = Batch(jax.random.normal(jax.random.key(3), (6, 1, 2, 1)) * 0.6, {})
    state = method.init(jax.random.key(0), batch, {})
    weights = jax.tree.map(np.float64, state.params["net"])
    measures = {name: np.float64(m.total) for name, m in jax.jit(method.evaluate)(KEY, state, batch).items()}

    x = np.float64(batch.target).reshape(6, 2)
    matrix = weights["out"]["kernel"].T
    exact = stats.multivariate_normal(weights["out"]["bias"], matrix @ matrix.T + SCALE**2 * np.eye(2)).logpdf(x)
    np.testing.assert_allclose(measures["bound_2000"], exact, atol=0.15)

    mean = x @ weights["mean"]["kernel"]
    variance = np.exp(x @ weights["log_variance"]["kernel"])
    residual = ((x - mean @ matrix.T) ** 2).sum(-1) + (variance * (matrix**2).sum(0)).sum(-1)
    reconstruction = 0.5 * residual / SCALE**2 + np.log(2 * np.pi * SCALE**2)
    kl = 0.5 * (variance + mean**2 - 1 - np.log(variance)).sum(-1)
    np.testing.assert_allclose(measures["kl"], kl, rtol=1e-4)
    np.testing.assert_allclose(measures["bound_1"], -reconstruction - kl, atol=0.3)  # 2000 draws
    assert measures["bound_1"].mean() < measures["bound_10"].mean() < measures["bound_2000"].mean()
    np.testing.assert_allclose(measures["elbo"], -measures["reconstruction"] - measures["kl"], rtol=1e-6)
    assert "bits_per_dim" not in measures


def test_training_a_linear_model_finds_the_bound_tight():
    """With p(x) = N(0, I/2) and scale 1/2, the best W has W W' = I/4 and q is the posterior: the bound is log p(x)."""
    method = vae(learners(Linear(), optax.adam(2e-2), 0.99), **settings(importance_samples=(1,)))

    def batch(key, count=256):
        return Batch(jax.random.normal(key, (count, 1, 2, 1)) * np.sqrt(0.5), {})

    state = method.init(jax.random.key(0), batch(KEY), {})

    def turn(i, state):
        data_key, key = jax.random.split(jax.random.fold_in(KEY, i))
        return method.step(key, state, batch(data_key))[0]

    state = jax.jit(lambda s: jax.lax.fori_loop(0, 1500, turn, s))(state)
    elbo = float(method.evaluate(KEY, state, batch(jax.random.key(8), 20000))["elbo"].total.mean())
    entropy = stats.multivariate_normal(np.zeros(2), 0.5 * np.eye(2)).entropy()
    assert abs(elbo + entropy) < 0.04
    matrix = np.float64(state.ema["net"]["out"]["kernel"]).T
    np.testing.assert_allclose(matrix @ matrix.T, 0.25 * np.eye(2), atol=0.06)


def test_the_loss_is_reconstruction_plus_beta_divergence():
    """By the slopes of two steps of plain descent: the update is linear in beta."""
    ends = {}
    for beta in (0.0, 1.0, 3.0):
        net = learners(conv(2), optax.sgd(1e-2))
        method = vae(net, **settings(likelihood="discretized_logistic", scale=0.0, beta=beta, importance_samples=(1,)))
        state = method.init(jax.random.key(0), Batch(IMAGES, {}), {})
        after, metrics = jax.jit(method.step)(KEY, state, Batch(IMAGES, {}))
        ends[beta] = after.params["net"]
    np.testing.assert_allclose(
        metrics["bits_per_dim"], (metrics["reconstruction"] + metrics["kl"]) / (16 * np.log(2)), rtol=1e-5
    )
    jax.tree.map(
        lambda none, one, three: np.testing.assert_allclose(three - none, 3 * (one - none), atol=2e-6, rtol=1e-2),
        *ends.values(),
    )
    moved = jax.tree.map(lambda none, one: float(np.abs(one - none).max()), ends[0.0], ends[1.0])
    assert moved["posterior"]["kernel"] > 1e-5 and moved["decoder_grid"]["kernel"] == 0  # the KL is the encoder's


@pytest.mark.parametrize(
    ("likelihood", "scale", "parameters"),
    [("bernoulli", 0.0, 1), ("gaussian", 0.0, 2), ("gaussian", 0.3, 1), ("discretized_logistic", 0.0, 2)],
)
def test_each_likelihood_trains_measures_and_samples(likelihood, scale, parameters):
    method = vae(learners(conv(parameters)), **settings(likelihood=likelihood, scale=scale, importance_samples=(1, 4)))
    state = method.init(jax.random.key(0), Batch(IMAGES, {}), {})
    step = jax.jit(method.step)
    first = None
    for i in range(40):
        state, metrics = step(jax.random.fold_in(KEY, i), state, Batch(IMAGES, {}))
        total = float(metrics["reconstruction"] + metrics["kl"])
        first = total if first is None else first
    assert total < first
    keys = jax.random.split(KEY, 5)
    images = method.sample(keys, state, {}, method.plan())
    assert images.shape == (5, 4, 4, 1) and np.abs(images).max() <= 1
    np.testing.assert_allclose(method.sample(keys[3:], state, {}, method.plan()), images[3:], atol=1e-6)
    assert ("bits_per_dim" in metrics) == (likelihood == "discretized_logistic")


def test_accumulated_gradients_are_those_of_the_whole_batch():
    ends = []
    for count in (1, 4):
        net = learners(conv(1), optax.sgd(1e-2), accumulate=count)
        method = vae(net, **settings(likelihood="bernoulli", scale=0.0, importance_samples=(1,)))
        state = method.init(jax.random.key(0), Batch(IMAGES, {}), {})
        ends.append(jax.jit(method.step)(KEY, state, Batch(IMAGES, {}))[0].params)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), *ends)


def test_what_does_not_fit_is_refused_with_the_remedy():
    with pytest.raises(ConfigError, match=r"set networks\.net\.parameters=2"):
        vae(learners(conv(1)), **settings(scale=0.0)).init(jax.random.key(0), Batch(IMAGES, {}), {})
    with pytest.raises(ConfigError, match="set it to 0"):
        vae(learners(conv(1)), **settings(likelihood="bernoulli"))


def test_the_temperature_scales_the_prior():
    method = vae(learners(Linear()), **settings())
    state = method.init(jax.random.key(0), Batch(jnp.zeros((2, 1, 2, 1)), {}), {})
    keys = jax.random.split(KEY, 500)
    cold, usual = (method.sample(keys, state, {}, method.plan(temperature=t)) for t in (0.0, 1.0))
    assert np.ptp(cold, axis=0).max() < 1e-6 and np.std(usual, axis=0).max() > 0.01
