"""Samplers of the discrete diffusion: tables of coefficients, and the loop that they share.

Every sampler here goes from x_t to an earlier x_s by

    x_s = data · x̂_0 + state · x_t + noise · z,    z ~ N(0, I),

where x̂_0 = denoise(x_t, t) is all that is known of the network. t counts as in `ops.diffusion`. A table is data, padded
to a common number of rows: one program samples with any sampler and any number of steps.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from aigc_jax.ops import batch
from aigc_jax.ops.diffusion import Process, Variance, posterior

Denoise = Callable[[jax.Array, jax.Array], jax.Array]
"""(x_t [B, ...], t int32 scalar) -> the expected x_0 [B, ...]."""


class Steps(NamedTuple):
    """A sampler, one entry a step, from t = T down to the data. Arrays of NumPy on the host, of JAX in a program."""

    time: Any  # int [rows]: t
    data: Any  # float [rows], coefficients; float64 as they are computed
    state: Any
    noise: Any
    count: Any  # int: the steps; rows beyond them are not taken

    def table(self, rows: int) -> "Steps":
        """The same in single precision, filled up to so many rows."""
        time, *coefficients = (np.pad(column, (0, rows - len(column))) for column in self[:4])
        data, state, noise = map(np.float32, coefficients)
        return Steps(np.int32(time), data, state, noise, np.int32(self.count))


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
    return Steps(t, q.data, q.state, np.where(s > 0, noise, 0.0), len(t))


def ddim(process: Process, steps: int, eta: float) -> Steps:
    """Song, Meng & Ermon 2021 (arXiv:2010.02502), eq. 12 with σ of eq. 16, on `steps` of the T steps.

    eta: 0 is deterministic given x_T, 1 is `ancestral` with the small variance.
    ε is the one that takes x̂_0 to x_t, also where x̂_0 was clipped.
    """
    t, s = times(process.timesteps, steps)
    alpha_bar_t, alpha_bar_s = process.alpha_bar[t], process.alpha_bar[s]
    noise = eta * np.sqrt((1 - alpha_bar_s) / (1 - alpha_bar_t) * (1 - alpha_bar_t / alpha_bar_s))
    direction = np.sqrt(1 - alpha_bar_s - noise**2) / np.sqrt(1 - alpha_bar_t)
    return Steps(t, np.sqrt(alpha_bar_s) - direction * np.sqrt(alpha_bar_t), direction, noise, len(t))


def run(denoise: Denoise, steps: Steps, keys: jax.Array, x: jax.Array) -> jax.Array:
    """x_0 from x = x_T [n, ...]. The noise of an example's step i depends on (its key, i) only. keys: [n]."""
    time, data, state, noise = map(jnp.asarray, steps[:4])

    def step(i: jax.Array, x: jax.Array) -> jax.Array:
        mean = data[i] * denoise(x, time[i]) + state[i] * x

        def noised(mean: jax.Array) -> jax.Array:
            return mean + noise[i] * batch.normals(batch.fold_in(keys, i), x.shape[1:])

        return jax.lax.cond(noise[i] > 0, noised, lambda mean: mean, mean)

    return jax.lax.fori_loop(0, steps.count, step, x)
