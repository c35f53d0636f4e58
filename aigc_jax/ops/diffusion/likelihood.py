"""The log density of data under the probability flow, and what it says of data of levels in bits.

The flow takes x_first, next to the data, to x_last, which is N(0, prior²) to the model. By the denoiser D it is
dx/dt = α' D + σ' (x - α D) / σ (Song et al. 2021, arXiv:2011.13456, eq. 13). The density moves with it by the
instantaneous change of variables (Chen et al. 2018, arXiv:1806.07366, theorem 1; Song et al., appendix D.2):

    log p(x_first) = log p(x_last) + ∫ div dt,    div = the trace of the flow's Jacobian

It is solved for z = x / ρ, ρ = sqrt(α² + σ²), over s = log(σ / α), in which every process is the same equation:

    dz/ds = c (c z - D(ρ z, t)),    c = α / ρ = 1 / sqrt(1 + e^2s)

In t the slope of `ve` varies 5000-fold. In s no term has a pole: near the data dz/ds goes to z - D, and near noise c
keeps finite what the D of a network that predicts ε has over α. So equal steps of s serve, without a scale to choose.

The model is the flow's x_first over α: data with noise of deviation σ / α at `first` where D is the best one. That has
a density, which the samplers' last step, to D itself, need not leave.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from aigc_jax.errors import ConfigError
from aigc_jax.ops.batch import draw, per_example
from aigc_jax.ops.diffusion.process import Process
from aigc_jax.ops.diffusion.samplers import Denoise

FAINTEST = 1e-3  # α / σ at noise, at least: what is left of x_0 there moves log p by a thousandth of a nat
EXACT = 8  # dimensions up to which the trace costs no more than its estimate is worth
REACH, COUNT, NODE = (0, 0.5, 0.5, 1), (1 / 6, 1 / 3, 1 / 3, 1 / 6), (0, 1, 1, 2)  # of the method's four stages


class Nodes(NamedTuple):
    """Where the solver looks: the ends and the middles of its steps, from the data to noise; float64 [2 steps + 1]."""

    t: np.ndarray
    rho: np.ndarray
    cosine: np.ndarray  # c
    s: np.ndarray


def check(steps: int, levels: int) -> None:
    """Raises ConfigError where bits are asked of data that are not of levels. steps: of the solver, 0 = none."""
    if steps and not levels:
        raise ConfigError(
            f'"method.flow_likelihood" is {steps}, and these data are not of levels, of which bits could be measured: '
            "set it to 0."
        )


def nodes(process: Process, steps: int) -> Nodes:
    """Equal steps of s between the process's first and last time. Of a grid t lies between whole steps, where λ is
    interpolated."""
    alpha, sigma = process.on_host([process.first, process.last])
    first, last = np.log(sigma) - np.log(np.maximum(alpha, FAINTEST * sigma))
    s = np.linspace(first, last, 2 * steps + 1)
    t = process.time(np.exp(s))
    return Nodes(t, np.hypot(*process.on_host(t)), 1 / np.hypot(1, np.exp(s)), s)


def log_density(
    denoise: Denoise, process: Process, x0: jax.Array, key: jax.Array, *, steps: int, draws: int = 0
) -> jax.Array:
    """log p(x_0) of each example in nats, by Runge and Kutta's method of order 4. x0: float [B, ...] -> [B].

    denoise: of each row the expected x_0, by that row alone. steps: of the solver, four looks each. draws: of signs ±1
    whose products r · J r estimate the trace without bias, the same along an example's way (Hutchinson 1990; Grathwohl
    et al. 2019, arXiv:1810.01367, section 3.1); 0 = the trace itself, by as many products as x_0 has dimensions.
    """
    where = nodes(process, steps)
    dimensions = math.prod(x0.shape[1:])
    probes, share = _probes(key, x0, draws)
    columns = [jnp.asarray(column, x0.dtype) for column in where[:3]]
    reach, count = (jnp.asarray(column, x0.dtype) for column in (REACH, COUNT))
    node = jnp.asarray(NODE)
    h = jnp.asarray((where.s[-1] - where.s[0]) / steps, x0.dtype)

    def slopes(z: jax.Array, at: jax.Array) -> tuple[jax.Array, jax.Array]:
        """(dz/ds, its divergence [B])."""
        t, rho, cosine = (column[at] for column in columns)
        slope, product = jax.linearize(lambda z: cosine * (cosine * z - denoise(rho * z, t)), z)

        def add(total: jax.Array, probe: jax.Array) -> tuple[jax.Array, None]:
            probe = jnp.broadcast_to(probe, z.shape)
            return total + per_example(jnp.sum, probe * product(probe)), None

        trace, _ = jax.lax.scan(add, jnp.zeros(z.shape[:1], z.dtype), probes)
        return slope, share * trace

    def step(i: jax.Array, carried: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        z, gained = carried

        def stage(j: jax.Array, carried: tuple[jax.Array, ...]) -> tuple[jax.Array, ...]:
            slope, moved, gained = carried
            slope, divergence = slopes(z + h * reach[j] * slope, 2 * i + node[j])
            return slope, moved + h * count[j] * slope, gained + h * count[j] * divergence

        still = jnp.zeros_like(z)
        _, moved, gained = jax.lax.fori_loop(0, 4, stage, (still, still, gained))
        return z + moved, gained

    z = x0 * jnp.asarray(where.cosine[0], x0.dtype)  # x_first = α x_0, and z = x / ρ
    z, gained = jax.lax.fori_loop(0, steps, step, (z, jnp.zeros(x0.shape[:1], x0.dtype)))
    deviation = process.prior / math.hypot(*process.on_host(process.last))  # of z in the model's noise
    constant = math.log(where.cosine[0]) - math.log(deviation) - 0.5 * math.log(2 * math.pi)
    return gained - per_example(jnp.sum, 0.5 * jnp.square(z / deviation)) + dimensions * constant


def _probes(key: jax.Array, x0: jax.Array, draws: int) -> tuple[jax.Array, float]:
    """(vectors [k, B or 1, ...], what a product with one of them counts)."""
    if draws:
        of_one = lambda key: draw(jax.random.rademacher, key, x0.shape, x0.dtype)  # noqa: E731
        return jnp.stack([of_one(each) for each in jax.random.split(key, draws)]), 1 / draws
    dimensions = math.prod(x0.shape[1:])
    return jnp.eye(dimensions, dtype=x0.dtype).reshape(dimensions, 1, *x0.shape[1:]), 1.0


def dequantized(key: jax.Array, x0: jax.Array, levels: int) -> jax.Array:
    """Each value of so many levels in [-1, 1] anywhere within its level, as often. x0: [B, ...] -> the same."""
    return x0 + 2 / (levels - 1) * draw(jax.random.uniform, key, x0.shape, x0.dtype, -0.5, 0.5)


def bits_per_dim(density: jax.Array, dimensions: int, levels: int) -> jax.Array:
    """What a value costs, from the log density [B] of dequantised data, in nats -> [B].

    The mean over dequantisations is an upper bound of what the model's mass within the levels costs, by Jensen's
    inequality (Theis et al. 2016, arXiv:1511.01844, section 3.1).
    """
    return -(density / dimensions + math.log(2 / (levels - 1))) / math.log(2)


def bits(density: Callable[..., jax.Array], key: jax.Array, x0: jax.Array, levels: int) -> jax.Array:
    """Bits per dimension of data of levels, [B]. density: (key, x0=…, draws=…) -> log p(x_0) in nats, [B]."""
    level_key, key = jax.random.split(key)
    dimensions = int(np.prod(x0.shape[1:]))
    found = density(key, x0=dequantized(level_key, x0, levels), draws=int(dimensions > EXACT))
    return bits_per_dim(found, dimensions, levels)
