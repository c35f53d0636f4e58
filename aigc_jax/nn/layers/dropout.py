"""Dropout with the same mask under `jit` and `pmap`."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from aigc_jax.ops import batch
from aigc_jax.ranges import Part


class Dropout(nn.Module):
    """Srivastava et al. 2014: zeroes each value with probability `rate`, scales the rest up."""

    rate: Part

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        """x: [B, ...] -> the same shape and dtype."""
        if not train or self.rate == 0:
            return x
        keep = batch.draw(
            lambda key, shape: jax.random.bernoulli(key, 1 - self.rate, shape), self.make_rng("dropout"), x.shape
        )
        return jnp.where(keep, x / (1 - self.rate), jnp.zeros_like(x))
