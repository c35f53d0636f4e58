"""What a network F says of x_t, and the x_0 that it implies:

    D(x, t) = c_skip(t) x + c_out(t) F(c_in(t) x, t)                       (Karras et al. 2022, arXiv:2206.00364, eq. 7)

| name | F is to be | source |
|---|---|---|
| `noise` | ε | Ho et al. 2020, arXiv:2006.11239, eq. 11 |
| `data` | x_0 | the same, section 3.2 |
| `velocity` | α ε - σ x_0 | Salimans & Ho 2022, arXiv:2202.00512, section 4 |
| `flow` | dx_t / dt = α' x_0 + σ' ε | Lipman et al. 2023, arXiv:2210.02747 |
| `edm` | what makes inputs and targets of variance 1 | Karras et al. 2022, table 1, with data of deviation 0.5 |

All are exact, so that one can be had of any other.
"""

from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp

from aigc_jax.errors import ConfigError
from aigc_jax.ops.diffusion.process import Process

Name = Literal["noise", "data", "velocity", "flow", "edm"]
DATA = 0.5  # σ_data of `edm`


class Scales(NamedTuple):
    """c_skip, c_out and c_in, to be multiplied with [B, ...]."""

    skip: jax.Array
    out: jax.Array
    into: jax.Array


def check(name: Name, process: Process) -> None:
    """Raises ConfigError for a prediction that the process does not have."""
    if process.steps and name == "flow":
        raise ConfigError(
            '"method.prediction" is "flow", and the schedule has a grid of times, which have no rates: set "velocity".'
        )


def scales(name: Name, process: Process, t: jax.Array, like: jax.Array) -> Scales:
    """Of times t [B] or a scalar, for `like` [B, ...]. For a process with a grid, "flow" needs its t as float."""
    alpha, sigma = process.at(t, like)
    one = jnp.ones_like(alpha)
    if name == "noise":
        return Scales(1 / alpha, -sigma / alpha, one)
    if name == "data":
        return Scales(0 * one, one, one)
    if name == "velocity":
        square = alpha**2 + sigma**2
        return Scales(alpha / square, -sigma / square, one)
    if name == "flow":
        d_alpha, d_sigma = process.rates(t, like)
        wronskian = alpha * d_sigma - sigma * d_alpha
        return Scales(d_sigma / wronskian, -sigma / wronskian, one)
    ratio = sigma / alpha
    total = jnp.sqrt(ratio**2 + DATA**2)
    return Scales(DATA**2 / total**2 / alpha, ratio * DATA / total, 1 / (alpha * total))


def inputs(name: Name, process: Process, x: jax.Array, t: jax.Array) -> tuple[jax.Array, jax.Array]:
    """What the network reads of x = x_t [B, ...] and t [B]: c_in x, and the time by the process's clock."""
    return x * scales(name, process, t, x).into, process.clock(t, jnp)


def target(name: Name, process: Process, x0: jax.Array, noise: jax.Array, t: jax.Array) -> jax.Array:
    """What F is to be of x_t = α x_0 + σ ε. x0, noise: [B, ...], t: [B]."""
    if name == "noise":
        return noise
    if name == "data":
        return x0
    if name == "velocity":
        alpha, sigma = process.at(t, x0)
        return alpha * noise - sigma * x0
    if name == "flow":
        d_alpha, d_sigma = process.rates(t, x0)
        return d_alpha * x0 + d_sigma * noise
    found = scales(name, process, t, x0)
    return (x0 - found.skip * process.diffuse(x0, t, noise)) / found.out


def to_data(name: Name, process: Process, output: jax.Array, x: jax.Array, t: jax.Array) -> jax.Array:
    """D: the x_0 that F's output implies for x = x_t."""
    if name == "noise":
        alpha, sigma = process.at(t, x)
        return (x - sigma * output) / alpha
    if name == "data":
        return output
    found = scales(name, process, t, x)
    return found.skip * x + found.out * output
