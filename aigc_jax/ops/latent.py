"""Walks through a latent space whose prior is N(0, I)."""

import jax
import jax.numpy as jnp

from aigc_jax.ops import batch


def walk(key: jax.Array, n: int, shape: tuple[int, ...]) -> jax.Array:
    """n points on the arc cos(φ) a + sin(φ) b, φ = 0 … π/2, between two draws a and b: float32 [n, *shape].

    Each point is distributed as N(0, I). On a straight line the middle would be nearer to the origin than a draw is
    (White 2016, arXiv:1609.04468, section 2.1).
    """
    start, end = jax.random.normal(key, (2, *shape))
    angles = jnp.linspace(0, jnp.pi / 2, n).reshape(n, *[1] * len(shape))
    return batch.spread(jnp.cos(angles) * start + jnp.sin(angles) * end)
