"""Skips updates with a metric that is not finite, or with a gradient norm far above its running mean.

A skipped step leaves the state as it was, except for its number. At every log the trainer reads what is kept here, and
goes back to a checkpoint when too many updates in a row were skipped.
"""

from collections.abc import Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp

GRADIENT = "_gradient"  # a metric's name ends so when it is the global norm of a network's gradient
MEMORY = 0.98  # of the running mean: about 50 steps
SETTLED = 50  # steps taken before a gradient can be called unusual


class Watch(NamedTuple):
    """What is kept of the steps so far. Scalars; "since" = since the last log."""

    taken: jax.Array  # steps taken since, float32
    skipped: jax.Array  # steps not taken since, float32
    run: jax.Array  # steps not taken in a row until now, int32; it goes on over logs
    longest: jax.Array  # the longest such row that reached into the time since, int32
    until: jax.Array  # the step at which that row ended, int32
    usual: Mapping[str, jax.Array]  # running mean of each network's gradient norm over the steps taken, float32
    all_taken: jax.Array  # steps taken since the first, int32


def start(metrics: Mapping[str, jax.Array]) -> Watch:
    """Before the first step."""
    whole, real = jnp.int32(0), jnp.float32(0)
    return Watch(real, real, whole, whole, whole, {name: real for name in metrics if name.endswith(GRADIENT)}, whole)


def admit(metrics: Mapping[str, jax.Array], watch: Watch, step: jax.Array, spike: float) -> tuple[jax.Array, Watch]:
    """(whether to take the update with these metrics, what is kept). step: its number, from 1 on.

    spike: the largest gradient norm, in units of its running mean; 0 = any. A norm that overflows is not finite.
    """
    good = jnp.all(jnp.isfinite(jnp.stack(list(metrics.values()))))
    norms = {name: metrics[name] for name in watch.usual}
    if spike and norms:
        within = jnp.stack([norms[name] <= spike * watch.usual[name] for name in norms])
        good = good & (jnp.all(within) | (watch.all_taken < SETTLED))
    run = jnp.where(good, 0, watch.run + 1)
    longer = run > watch.longest
    # An exact mean at first, then an exponential one.
    rest = jnp.maximum(1 - MEMORY, 1 / (watch.all_taken + 1).astype(jnp.float32))
    return good, Watch(
        taken=watch.taken + jnp.where(good, 1.0, 0.0),
        skipped=watch.skipped + jnp.where(good, 0.0, 1.0),
        run=run,
        longest=jnp.where(longer, run, watch.longest),
        until=jnp.where(longer, step, watch.until),
        usual={name: jnp.where(good, mean + rest * (norms[name] - mean), mean) for name, mean in watch.usual.items()},
        all_taken=watch.all_taken + jnp.where(good, 1, 0),
    )


def logged(watch: Watch) -> Watch:
    """What is kept after a log."""
    real, whole = jnp.zeros_like(watch.taken), jnp.zeros_like(watch.run)
    return watch._replace(taken=real, skipped=real, longest=whole, until=whole)
