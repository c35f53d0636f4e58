"""Relative positions as numbers that are added to the scores of attention (Raffel et al. 2020, arXiv:1910.10683)."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from aigc_jax.nn.layers.style import embedding
from aigc_jax.ops.positions import relative_buckets
from aigc_jax.ranges import Size


class RelativeBias(nn.Module):
    """A number for each bucket of distances and each head; all blocks share them."""

    heads: Size
    buckets: Size
    farthest: Size  # the distance from which on all are in one bucket

    @nn.compact
    def __call__(self, queries: Any, keys: Any, both: bool) -> jax.Array:
        """Positions, int [Q] and [K] -> float32 [1, heads, Q, K]. both: see `relative_buckets`."""
        offsets = jnp.asarray(keys)[None, :] - jnp.asarray(queries)[:, None]
        table = embedding(self.buckets, self.heads, jnp.float32, "table")
        found = table(relative_buckets(offsets, both, self.buckets, self.farthest))
        return jnp.moveaxis(found, -1, 0)[None]
