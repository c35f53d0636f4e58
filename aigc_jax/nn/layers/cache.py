"""What a transformer remembers of the tokens that it has read: keys and values of each block."""

from typing import Any

import jax
import jax.numpy as jnp

from aigc_jax.ops.platform import gpu_in_half

Memory = tuple[jax.Array, jax.Array]  # keys and values, each [B, heads of them, room, width of a head]
Cache = tuple[Memory, ...]  # one memory a block
ROOM = 2  # the axis of a memory that counts tokens


def empty(batch: int, room: int, layers: int, heads: int, width: int, dtype: Any) -> Cache:
    """The cache before the first token of `batch` sequences, with room for as many. width: of a head."""
    if batch == 1 and gpu_in_half(dtype):
        batch = 2  # see `gpu_in_half`: `in_rows` repeats the one that there is
    zeros = jnp.zeros((batch, heads, room, width), dtype)
    return ((zeros, zeros),) * layers


def longer(cache: Cache, room: int) -> Cache:
    """The same cache with room for more tokens. Attention reads all the room that there is, filled or not."""
    return jax.tree.map(lambda x: jnp.pad(x, ((0, 0), (0, 0), (0, room - x.shape[ROOM]), (0, 0))), cache)


def in_rows(tree: Any, rows: int, cache: Cache) -> Any:
    """Arrays of `rows` sequences [rows, ...], as many times over as the cache has rows for each."""
    return jax.tree.map(lambda x: jnp.repeat(x, cache[0][0].shape[0] // rows, axis=0), tree)
