"""A history of generated images for a discriminator (Shrivastava et al. 2017, arXiv:1612.07828, section 2.3).

As in CycleGAN (Zhu et al. 2017, arXiv:1703.10593, section 4): images fill the pool first, and are shown as they come.
Then each is shown itself with probability 1/2; else a random one of the pool is shown, and it takes that one's place.
"""

from typing import Any

import jax
import jax.numpy as jnp
from flax import struct

from aigc_jax.ops import batch

Array = jax.Array
Key = jax.Array
PyTree = Any


class Pool(struct.PyTreeNode):
    """Under `pmap` every device has the same copy."""

    held: PyTree  # arrays [size, ...]
    filled: Array  # int32 scalar: the first so many rows are images


def empty(size: int, like: PyTree) -> Pool:
    """A pool of so many images. like: arrays [B, ...] of what it is to hold."""
    return Pool(jax.tree.map(lambda x: jnp.zeros((size, *x.shape[1:]), x.dtype), like), jnp.int32(0))


def exchanged(key: Key, pool: Pool, images: PyTree) -> tuple[PyTree, Pool]:
    """(what to show the discriminator, the pool after it), image by image in the order of the whole batch.

    key: the same on every device. images: arrays [B, ...], the rows of a device under `pmap`.
    """
    axis, rows = batch.axis(), len(jax.tree.leaves(images)[0])
    everything = jax.lax.all_gather(images, axis, tiled=True) if axis else images
    size, count = len(jax.tree.leaves(pool.held)[0]), len(jax.tree.leaves(everything)[0])

    def one(pool: Pool, turn: tuple[Key, PyTree]) -> tuple[Pool, PyTree]:
        key, image = turn
        coin, place_key = jax.random.split(key)
        full = pool.filled == size
        place = jnp.where(full, jax.random.randint(place_key, (), 0, size), pool.filled)
        old = full & jax.random.bernoulli(coin)
        kept = old | ~full
        shown = jax.tree.map(lambda held, new: jnp.where(old, held[place], new), pool.held, image)
        held = jax.tree.map(lambda held, new: held.at[place].set(jnp.where(kept, new, held[place])), pool.held, image)
        return Pool(held, jnp.minimum(pool.filled + 1, size)), shown

    pool, shown = jax.lax.scan(one, pool, (jax.random.split(key, count), everything))
    if axis:
        first = jax.lax.axis_index(axis) * rows
        return jax.tree.map(lambda x: jax.lax.dynamic_slice_in_dim(x, first, rows), shown), pool
    return jax.tree.map(batch.spread, shown), pool
