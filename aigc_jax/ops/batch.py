"""Quantities of the whole batch, the same under `jax.jit` and `jax.pmap`.

Under `jit` over a mesh a program sees the global batch, and these functions are the plain operations. Under `pmap`
each device sees its own rows: means then go over all devices, and random numbers are drawn for the global batch, of
which each device keeps its rows. So both ways of compiling train the same model.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from aigc_jax.errors import ConfigError

AXIS = "batch"  # the name of pmap's axis
ROWS = ("data", "fsdp")  # the mesh axes that a batch's leading axis is split over


def axis() -> str | None:
    """`AXIS` inside a program mapped over devices, else None (what flax's BatchNorm takes)."""
    try:
        jax.lax.axis_index(AXIS)
    except NameError:
        return None
    return AXIS


def mean(tree: Any) -> Any:
    """Means over devices of per-device means: of gradients, statistics, metrics."""
    return jax.lax.pmean(tree, AXIS) if axis() else tree


def count(rows: int) -> int:
    """The number of examples in the batch of all devices. rows: of the batch at hand."""
    return rows * jax.lax.axis_size(AXIS) if axis() else rows


def draw(sampler: Callable, key: jax.Array, shape: tuple[int, ...], *args: Any, **kwargs: Any) -> jax.Array:
    """`sampler(key, shape, ...)` for the rows of the batch at hand; shape[0] counts rows.

    sampler: a function of `jax.random` with the signature (key, shape, ...).
    """
    if not axis():
        return spread(sampler(key, shape, *args, **kwargs))
    rows = shape[0]
    everything = sampler(key, (count(rows), *shape[1:]), *args, **kwargs)
    return jax.lax.dynamic_slice_in_dim(everything, jax.lax.axis_index(AXIS) * rows, rows)


def evenly(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """A sampler for `draw`: of one number u for all rows, row i has (u + i / rows) mod 1. float32 [rows].

    Each row is uniform, and the mean over a batch varies less (Kingma et al. 2021, arXiv:2107.00630, appendix I.1).
    """
    return (jax.random.uniform(key) + jnp.arange(shape[0]) / shape[0]) % 1


def normals(keys: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """Of each key a draw of N(0, I), float32 [n, *shape], which the other keys do not change. keys: [n]."""
    return spread(jax.vmap(lambda key: jax.random.normal(key, shape))(keys))


def fold_in(keys: jax.Array, number: jax.Array | int) -> jax.Array:
    """`jax.random.fold_in` of each key. keys: [n] -> [n]."""
    return jax.vmap(jax.random.fold_in, (0, None))(keys, number)


def per_example(reduction: Callable[..., jax.Array], x: jax.Array) -> jax.Array:
    """The sum, the mean or another reduction of each example's values. [B, ...] -> [B]."""
    return reduction(x, axis=tuple(range(1, x.ndim)))


def spread(x: jax.Array) -> jax.Array:
    """Asks the compiler to split the leading axis over the mesh's devices, where it divides."""
    mesh = jax.sharding.get_abstract_mesh()
    if mesh.empty or not set(ROWS) <= set(mesh.axis_names):
        return x
    devices = mesh.shape[ROWS[0]] * mesh.shape[ROWS[1]]
    if devices == 1 or x.ndim == 0 or x.shape[0] % devices:
        return x
    return jax.lax.with_sharding_constraint(x, jax.sharding.PartitionSpec(ROWS))


def microbatches(batch: Any, count: int) -> Any:
    """[B, ...] leaves -> [count, B / count, ...], every device keeping its own rows."""

    def split(x: jax.Array) -> jax.Array:
        if x.shape[0] % count:
            raise ConfigError(
                f"A batch of {x.shape[0]} examples cannot be split into {count} equal parts: set data.batch_size to a "
                "multiple of that, or change what asks for the parts (optimizers.*.accumulate, "
                "method.discriminator_steps)."
            )
        return jnp.swapaxes(x.reshape(x.shape[0] // count, count, *x.shape[1:]), 0, 1)

    return jax.tree.map(split, batch)
