"""Samplers of the discrete diffusion: tables of coefficients, and the loop that they share.

Every sampler here goes from x_t to an earlier x_s by

    x_s = data · x̂_0 + state · x_t + noise · z,    z ~ N(0, I),

where x̂_0 = denoise(x_t, t) is all that is known of the network. t counts as in `ops.diffusion`.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from aigc_jax.ops import batch
from aigc_jax.ops.diffusion import Process, Variance, posterior

Denoise = Callable[[jax.Array, jax.Array], jax.Array]
"""(x_t [B, ...], t int32 scalar) -> the expected x_0 [B, ...]."""


class Steps(NamedTuple):
    """A sampler, one entry a step, from t = T down to the data. Each [steps]."""

    time: np.ndarray  # int: t
    data: np.ndarray  # float64 coefficients
    state: np.ndarray
    noise: np.ndarray


def times(timesteps: int, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """(t, s) of each step: `steps` evenly spaced t from T down to 1, and the s that follow, the last one 0."""
    t = np.rint(np.linspace(timesteps, 1, steps)).astype(np.int64)
    return t, np.append(t[1:], 0)


def ancestral(process: Process, steps: int, variance: Variance) -> Steps:
    """Ho et al. 2020, algorithm 2, on `steps` of the T steps (all of them in the paper).

    variance: "small" is that of q's posterior, "large" β; they are the best choices for data at a point
    and for normal data (section 3.2). The last step adds no noise.
    """
    t, s = times(process.timesteps, steps)
    q = posterior(process, t, s)
    noise = np.sqrt(q.variance if variance == "small" else q.beta)
    return Steps(t, q.data, q.state, np.where(s > 0, noise, 0.0))


def ddim(process: Process, steps: int, eta: float) -> Steps:
    """Song, Meng & Ermon 2021 (arXiv:2010.02502), eq. 12 with σ of eq. 16, on `steps` of the T steps.

    eta: 0 is deterministic given x_T, 1 is `ancestral` with the small variance.
    ε is the one that takes x̂_0 to x_t, also where x̂_0 was clipped.
    """
    t, s = times(process.timesteps, steps)
    alpha_bar_t, alpha_bar_s = process.alpha_bar[t], process.alpha_bar[s]
    noise = eta * np.sqrt((1 - alpha_bar_s) / (1 - alpha_bar_t) * (1 - alpha_bar_t / alpha_bar_s))
    direction = np.sqrt(1 - alpha_bar_s - noise**2) / np.sqrt(1 - alpha_bar_t)
    return Steps(t, np.sqrt(alpha_bar_s) - direction * np.sqrt(alpha_bar_t), direction, noise)


def run(denoise: Denoise, steps: Steps, key: jax.Array, x: jax.Array) -> jax.Array:
    """x_0 from x = x_T [B, ...]. The noise of step i depends on (key, i) only."""
    time = jnp.asarray(steps.time, jnp.int32)
    data, state, noise = (jnp.asarray(c, jnp.float32) for c in (steps.data, steps.state, steps.noise))

    def step(i: jax.Array, x: jax.Array) -> jax.Array:
        mean = data[i] * denoise(x, time[i]) + state[i] * x
        if not steps.noise.any():
            return mean
        return mean + noise[i] * batch.draw(jax.random.normal, jax.random.fold_in(key, i), x.shape)

    return jax.lax.fori_loop(0, len(steps.time), step, x)
