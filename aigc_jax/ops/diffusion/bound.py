"""The Gaussian diffusion in discrete time: schedules, q's conditionals, what a network predicts, the bound's terms.

Steps are counted as in Ho, Jain & Abbeel 2020 (arXiv:2006.11239): t = 1 .. T, and t = 0 is the data, so that

    q(x_t | x_0) = N(sqrt(ᾱ_t) x_0, (1 - ᾱ_t) I),    ᾱ_t = Π (1 - β_s), s = 1 .. t,    ᾱ_0 = 1.    (eq. 4)

Tables are float64 numpy, because 1 - ᾱ_1 = 1e-4 keeps three digits in float32; only what meets an
array on the device is cast. Images are float32 in [-1, 1].
"""

from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from aigc_jax.ops.batch import per_example
from aigc_jax.ops.likelihood import discretized_log_likelihood

Schedule = Literal["linear", "cosine"]
Prediction = Literal["noise", "data", "velocity"]
Variance = Literal["small", "large"]

BETA_FIRST, BETA_LAST = 1e-4, 0.02  # Ho et al. 2020, section 4, for T = 1000
COSINE_OFFSET, COSINE_BETA_MAX = 0.008, 0.999  # Nichol & Dhariwal 2021, section 3.2


class Process(NamedTuple):
    """The forward process q, as its ᾱ."""

    alpha_bar: np.ndarray  # float64 [T + 1], from ᾱ_0 = 1 downwards

    @property
    def timesteps(self) -> int:
        """T."""
        return len(self.alpha_bar) - 1

    def signal(self, t: jax.Array, like: jax.Array) -> jax.Array:
        """sqrt(ᾱ_t), t: int [B] or a scalar, to be multiplied with `like` [B, ...]."""
        return _at(np.sqrt(self.alpha_bar), t, like)

    def noise(self, t: jax.Array, like: jax.Array) -> jax.Array:
        """sqrt(1 - ᾱ_t), t: int [B] or a scalar, to be multiplied with `like` [B, ...]."""
        return _at(np.sqrt(1 - self.alpha_bar), t, like)

    def diffuse(self, x0: jax.Array, t: jax.Array, noise: jax.Array) -> jax.Array:
        """A draw of q(x_t | x_0) made of a standard normal draw (eq. 4). x0, noise: [B, ...], t: int [B]."""
        return self.signal(t, x0) * x0 + self.noise(t, x0) * noise


def _at(table: np.ndarray, t: jax.Array, like: jax.Array) -> jax.Array:
    values = jnp.asarray(table, jnp.float32)[t]
    return values.reshape(values.shape + (1,) * (like.ndim - values.ndim)) if values.ndim else values


def process(schedule: Schedule, timesteps: int) -> Process:
    """The process of a named schedule with T = timesteps.

    linear: β from 1e-4 to 0.02 in equal steps (Ho et al. 2020, section 4), whatever T is: meant for T = 1000.
    cosine: ᾱ_t = f(t) / f(0), f(t) = cos²((t/T + s) / (1 + s) · π/2), β at most 0.999
        (Nichol & Dhariwal 2021, arXiv:2102.09672, eq. 17).
    """
    if schedule == "linear":
        beta = np.linspace(BETA_FIRST, BETA_LAST, timesteps)
    else:
        f = np.cos((np.arange(timesteps + 1) / timesteps + COSINE_OFFSET) / (1 + COSINE_OFFSET) * np.pi / 2) ** 2
        beta = np.minimum(1 - f[1:] / f[:-1], COSINE_BETA_MAX)
    return Process(np.concatenate([[1.0], np.cumprod(1 - beta)]))


class Posterior(NamedTuple):
    """q(x_s | x_t, x_0) = N(data · x_0 + state · x_t, variance · I), and β between s and t. Each like t."""

    data: np.ndarray
    state: np.ndarray
    variance: np.ndarray  # "β tilde": 0 where s = 0
    beta: np.ndarray  # variance of q(x_t | x_s)


def posterior(process: Process, t: np.ndarray, s: np.ndarray) -> Posterior:
    """Ho et al. 2020, eq. 6-7, from any step t to any earlier step s (s = t - 1 in the paper). t, s: int arrays."""
    alpha_bar_t, alpha_bar_s = process.alpha_bar[t], process.alpha_bar[s]
    alpha = alpha_bar_t / alpha_bar_s
    return Posterior(
        data=np.sqrt(alpha_bar_s) * (1 - alpha) / (1 - alpha_bar_t),
        state=np.sqrt(alpha) * (1 - alpha_bar_s) / (1 - alpha_bar_t),
        variance=(1 - alpha_bar_s) / (1 - alpha_bar_t) * (1 - alpha),
        beta=1 - alpha,
    )


def target(prediction: Prediction, process: Process, x0: jax.Array, noise: jax.Array, t: jax.Array) -> jax.Array:
    """What the network is to say of x_t = sqrt(ᾱ) x_0 + sqrt(1 - ᾱ) ε.

    noise: ε (Ho et al. 2020, eq. 11). data: x_0. velocity: sqrt(ᾱ) ε - sqrt(1 - ᾱ) x_0
    (Salimans & Ho 2022, arXiv:2202.00512, section 4).
    """
    if prediction == "noise":
        return noise
    if prediction == "data":
        return x0
    return process.signal(t, x0) * noise - process.noise(t, x0) * x0


def to_data(prediction: Prediction, process: Process, output: jax.Array, x: jax.Array, t: jax.Array) -> jax.Array:
    """The x_0 that a network's output implies for x = x_t: the inverse of `target`."""
    if prediction == "noise":
        return (x - process.noise(t, x) * output) / process.signal(t, x)  # eq. 15
    if prediction == "data":
        return output
    return process.signal(t, x) * x - process.noise(t, x) * output


class Bound(NamedTuple):
    """The terms of the variational bound (Ho et al. 2020, eq. 5), in nats summed over an example's dimensions.

    The reverse process is p(x_{t-1} | x_t) = N(mean of q's posterior at the predicted x_0, σ_t² I), with σ_t²
    the posterior's own variance ("small") or β_t ("large"); p(x_0 | x_1) is `discretized_log_likelihood`
    with σ_1² = the posterior's variance at t = 2, since at t = 1 it is 0 (the authors' choice for both variances).
    """

    process: Process
    variance: Variance

    def prior(self, x0: jax.Array) -> jax.Array:
        """L_T = KL(q(x_T | x_0) || N(0, I)). x0: [B, ...] -> [B]."""
        alpha_bar = self.process.alpha_bar[-1]
        constant = -alpha_bar - np.log1p(-alpha_bar)
        return per_example(jnp.sum, 0.5 * (jnp.float32(alpha_bar) * jnp.square(x0) + jnp.float32(constant)))

    def step(self, x0: jax.Array, predicted: jax.Array, t: jax.Array) -> jax.Array:
        """L_{t-1} = KL(q(x_{t-1} | x_t, x_0) || p(x_{t-1} | x_t)), t in 2 .. T. x0, predicted: [B, ...], t: int [B]."""
        steps = np.arange(2, self.process.timesteps + 1)
        q = posterior(self.process, steps, steps - 1)
        p = q.variance if self.variance == "small" else q.beta
        mismatch = 0.5 * (np.log(p / q.variance) + q.variance / p - 1)
        squares = _at(0.5 * q.data**2 / p, t - 2, x0) * jnp.square(x0 - predicted)
        return per_example(jnp.sum, squares + _at(mismatch, t - 2, x0))

    def decoder(self, x0: jax.Array, predicted: jax.Array) -> jax.Array:
        """L_0 = -log p(x_0 | x_1), where the mean given x_1 is the predicted x_0. x0, predicted: [B, ...] -> [B]."""
        scale = np.sqrt(posterior(self.process, np.array(2), np.array(1)).variance)
        return -per_example(jnp.sum, discretized_log_likelihood(x0, predicted, jnp.float32(scale)))
