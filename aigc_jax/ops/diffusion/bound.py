"""Bounds on -log p(x_0), in nats summed over an example's dimensions: of a grid of T steps, and of continuous time.

Ho, Jain & Abbeel 2020 (arXiv:2006.11239, eq. 5) for the ancestral sampler of a grid with all T steps:

    L = KL(q(x_T | x_0) || p(x_T)) + Σ_{t>1} KL(q(x_{t-1} | x_t, x_0) || p(x_{t-1} | x_t)) - log p(x_0 | x_1)

Kingma, Salimans, Poole & Ho 2021 (arXiv:2107.00630, eq. 11 and 17) for infinitely many steps, with snr = α² / σ²:

    L = KL(q(x_last | x_0) || p(x_last)) - ½ ∫ snr'(t) |x_0 - D(x_t, t)|² dt - log p(x_0 | x_first)

The distributions over values of the data are `likelihood.discretized_log_likelihood`s.
"""

from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from aigc_jax.errors import ConfigError
from aigc_jax.ops.batch import draw, per_example
from aigc_jax.ops.diffusion.process import Process
from aigc_jax.ops.likelihood import discretized_log_likelihood

Variance = Literal["small", "large"]
FAINTEST = 1e-3  # α / σ at which the integral begins, at most: the KL there is 5e-7 x_0²
FINEST = 2 / 255  # σ / α at which it ends, at least, a level: beyond, a network that knows of none pays again


def check(terms: int, process: Process) -> None:
    """Raises ConfigError for a number of terms that the process does not have. terms: see `methods.diffusion`."""
    if process.steps and terms >= process.steps:
        raise ConfigError(f'"method.bound_terms" is {terms}, of only timesteps - 1 = {process.steps - 1} terms.')
    if not process.steps and not terms:
        raise ConfigError(
            '"method.bound_terms" is 0, and continuous time has no last term: set it to 10, for instance.'
        )


class Posterior(NamedTuple):
    """q(x_s | x_t, x_0) = N(data · x_0 + state · x_t, variance · I), and β between s and t. Each like t."""

    data: np.ndarray
    state: np.ndarray
    variance: np.ndarray  # "β tilde": 0 where s = 0
    beta: np.ndarray  # variance of q(x_t | x_s)


def posterior(process: Process, t: np.ndarray, s: np.ndarray) -> Posterior:
    """Ho et al. 2020, eq. 6-7, from any t to any earlier s (s = t - 1 in the paper)."""
    (alpha_t, sigma_t), (alpha_s, sigma_s) = process.on_host(t), process.on_host(s)
    kept = alpha_t / alpha_s
    beta = sigma_t**2 - kept**2 * sigma_s**2
    return Posterior(alpha_s * beta / sigma_t**2, kept * sigma_s**2 / sigma_t**2, sigma_s**2 / sigma_t**2 * beta, beta)


class OfGrid(NamedTuple):
    """The terms for a grid.

    The reverse process is p(x_{t-1} | x_t) = N(mean of q's posterior at the predicted x_0, σ_t² I), with σ_t²
    the posterior's own variance ("small") or β_t ("large"); p(x_0 | x_1) has σ_1² = the posterior's variance at t = 2,
    since at t = 1 it is 0 (the authors' choice for both variances).
    """

    process: Process
    variance: Variance

    def prior(self, x0: jax.Array) -> jax.Array:
        """L_T. x0: [B, ...] -> [B]."""
        return _divergence(x0, *self.process.on_host(self.process.last), 1.0)

    def step(self, x0: jax.Array, predicted: jax.Array, t: jax.Array) -> jax.Array:
        """L_{t-1}, t in 2 .. T. x0, predicted: [B, ...], t: int [B]."""
        steps = np.arange(2, self.process.steps + 1)
        q = posterior(self.process, steps, steps - 1)
        p = q.variance if self.variance == "small" else q.beta
        mismatch = 0.5 * (np.log(p / q.variance) + q.variance / p - 1)
        squares = _at(0.5 * q.data**2 / p, t - 2, x0) * jnp.square(x0 - predicted)
        return per_example(jnp.sum, squares + _at(mismatch, t - 2, x0))

    def decoder(self, x0: jax.Array, predicted: jax.Array) -> jax.Array:
        """L_0, where the mean given x_1 is the predicted x_0. x0, predicted: [B, ...] -> [B]."""
        scale = np.sqrt(posterior(self.process, np.array(2), np.array(1)).variance)
        return -per_example(jnp.sum, discretized_log_likelihood(x0, predicted, jnp.float32(scale)))


class OfTime(NamedTuple):
    """The terms for continuous time. A time in each of equal ranges of λ estimates the integral without bias."""

    process: Process
    edges: np.ndarray  # float64 [terms + 1]: the times between the ranges, rising

    @classmethod
    def of(cls, process: Process, terms: int) -> "OfTime":
        """With so many ranges."""
        (alpha, sigma), (alpha_first, sigma_first) = process.on_host(process.last), process.on_host(process.first)
        first, last = max(float(sigma_first / alpha_first), FINEST), 1 / max(float(alpha / sigma), FAINTEST)
        return cls(process, process.time(np.geomspace(first, last, terms + 1)))

    def prior(self, x0: jax.Array) -> jax.Array:
        """The first term. x0: [B, ...] -> [B]."""
        return _divergence(x0, *self.process.on_host(self.edges[-1]), self.process.prior)

    def times(self, key: jax.Array, i: jax.Array, rows: int) -> tuple[jax.Array, jax.Array]:
        """(t, what |x_0 - D(x_t, t)|² counts there), float32 [rows] both: the sum over i is the integral."""
        edges = jnp.asarray(self.edges, jnp.float32)
        length = edges[i + 1] - edges[i]
        t = edges[i] + length * draw(jax.random.uniform, key, (rows,))
        (alpha, sigma), (d_alpha, d_sigma) = self.process.at(t, t), self.process.rates(t, t)
        snr = jnp.square(alpha / sigma)
        return t, length * snr * (d_sigma / sigma - d_alpha / alpha)

    def decoder(self, x0: jax.Array, predicted: jax.Array) -> jax.Array:
        """The last term, where the mean given x_first is the predicted x_0. x0, predicted: [B, ...] -> [B]."""
        alpha, sigma = self.process.on_host(self.edges[0])
        return -per_example(jnp.sum, discretized_log_likelihood(x0, predicted, jnp.float32(sigma / alpha)))


def _divergence(x0: jax.Array, alpha: np.ndarray, sigma: np.ndarray, prior: float) -> jax.Array:
    """KL(N(α x_0, σ² I) || N(0, prior² I)) of each example."""
    alpha, sigma = alpha / prior, sigma / prior
    constant = sigma**2 - 1 - 2 * np.log(sigma)
    return per_example(jnp.sum, 0.5 * (jnp.float32(alpha**2) * jnp.square(x0) + jnp.float32(constant)))


def _at(table: np.ndarray, t: jax.Array, like: jax.Array) -> jax.Array:
    values = jnp.asarray(table, jnp.float32)[t]
    return values.reshape(values.shape + (1,) * (like.ndim - values.ndim))
