"""Neighbouring places of a row, of which a step predicts some and not all.

The windows of a row begin at the multiples of their size. A sum over a row is the mean, over a window drawn from n, of
n times the sum over that window.
"""

import jax
import jax.numpy as jnp

from aigc_jax.ops import batch


def drawn(key: jax.Array, mask: jax.Array, size: int) -> tuple[jax.Array, jax.Array]:
    """A window of each row up to the last place that counts: (its first place, int32 [B]; n, float32 [B]).

    mask: [B, T], 0 where a place does not count. T is a multiple of size.
    """
    places = jnp.arange(1, mask.shape[1] + 1)
    count = jnp.maximum(-(-jnp.max(jnp.where(mask != 0, places, 0), axis=1) // size), 1)
    number = jnp.floor(batch.draw(jax.random.uniform, key, (len(mask),)) * count).astype(jnp.int32)
    return size * jnp.minimum(number, count - 1), count.astype(jnp.float32)


def within(x: jax.Array, first: jax.Array, size: int) -> jax.Array:
    """x [B, T, ...] from place `first` [B] on: [B, size, ...]."""
    return jax.vmap(lambda row, start: jax.lax.dynamic_slice_in_dim(row, start, size))(x, first)
