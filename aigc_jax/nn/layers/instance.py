"""Instance normalisation (Ulyanov et al. 2016, arXiv:1607.08022): of each channel over the pixels of its image."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

EPSILON = 1e-5


class InstanceNorm(nn.Module):
    """(x - mean) / deviation of each image and channel, then a scale and a bias for each channel."""

    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """[B, H, W, C] -> the same shape."""
        # Large flat areas have small variances, which E[x²] - E[x]² would lose to cancellation.
        return nn.InstanceNorm(epsilon=EPSILON, use_fast_variance=False, dtype=self.dtype)(x)
