"""What is evaluated of a denoiser: the mean of (F - target)² over all times, and a bound on -log p(x_0).

Both functions take `seen`: (key, t=[B]) -> (D, the mean of (F - target)²) of each example at its t.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from aigc_jax.ops.batch import draw, per_example
from aigc_jax.ops.diffusion import bound
from aigc_jax.ops.diffusion import times as laws
from aigc_jax.ops.diffusion.process import Process

Seen = Callable[..., tuple[jax.Array, jax.Array]]
Found = tuple[jax.Array, tuple[jax.Array, jax.Array] | None]
TERMS = 8  # times that the loss of continuous time is evaluated at


def of_grid(
    process: Process, variance: bound.Variance, seen: Seen, key: jax.Array, x0: jax.Array, terms: int, bounded: bool
) -> Found:
    """(simple, (rate, distortion) in nats, None where there are none) of each example; exact with all T - 1 terms."""
    rows, steps, part = x0.shape[0], process.steps, bound.OfGrid(process, variance)
    count = terms or steps - 1

    def add(sums: tuple[jax.Array, jax.Array], i: jax.Array) -> tuple[tuple[jax.Array, jax.Array], None]:
        time_key, noise_key = jax.random.split(jax.random.fold_in(key, i))
        place = draw(jax.random.uniform, time_key, (rows,)) if terms else jnp.zeros(rows)
        t = jnp.floor((i + place) * ((steps - 1) / count)).astype(jnp.int32) + 2
        t = jnp.minimum(t, steps)  # where i + place rounded up
        predicted, simple = seen(noise_key, t=t)
        return (sums[0] + part.step(x0, predicted, t), sums[1] + simple), None

    (middle, simple), _ = jax.lax.scan(add, (jnp.zeros(rows), jnp.zeros(rows)), jnp.arange(count))
    first, simple_first = seen(jax.random.fold_in(key, count), t=jnp.ones(rows, jnp.int32))
    simple = (simple * ((steps - 1) / count) + simple_first) / steps
    if not bounded:
        return simple, None
    return simple, (part.prior(x0) + middle * ((steps - 1) / count), part.decoder(x0, first))


def of_time(
    process: Process, times: laws.Law, seen: Seen, key: jax.Array, x0: jax.Array, terms: int, bounded: bool
) -> Found:
    """The same of continuous time."""
    rows, part = x0.shape[0], bound.OfTime.of(process, terms)
    loss_key, key = jax.random.split(key)

    def at_law(total: jax.Array, i: jax.Array) -> tuple[jax.Array, None]:
        time_key, noise_key = jax.random.split(jax.random.fold_in(loss_key, i))
        return total + seen(noise_key, t=laws.times(times, process, time_key, rows, False))[1] / TERMS, None

    def add(total: jax.Array, i: jax.Array) -> tuple[jax.Array, None]:
        time_key, noise_key = jax.random.split(jax.random.fold_in(key, i))
        t, counts = part.times(time_key, i, rows)
        predicted, _ = seen(noise_key, t=t)
        return total + counts * per_example(jnp.sum, jnp.square(x0 - predicted)), None

    simple, _ = jax.lax.scan(at_law, jnp.zeros(rows), jnp.arange(TERMS))
    if not bounded:
        return simple, None
    middle, _ = jax.lax.scan(add, jnp.zeros(rows), jnp.arange(terms))
    first, _ = seen(jax.random.fold_in(key, terms), t=jnp.full(rows, part.edges[0], jnp.float32))
    return simple, (part.prior(x0) + middle, part.decoder(x0, first))


def in_bits(rate: jax.Array, distortion: jax.Array, dimensions: int) -> dict[str, jax.Array]:
    """The bound and its parts in bits per dimension, from nats [B]."""
    bits = 1 / (np.log(2) * dimensions)
    return {"bits_per_dim": (rate + distortion) * bits, "rate": rate * bits, "distortion": distortion * bits}
