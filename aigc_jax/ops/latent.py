"""Walks through a latent space whose prior is N(0, I)."""

import jax
import jax.numpy as jnp

from aigc_jax.ops import batch


def walk(key: jax.Array, n: int, shape: tuple[int, ...]) -> jax.Array:
    """n points on the arc between two draws of N(0, I): float32 [n, *shape]."""
    start, end = jax.random.normal(key, (2, *shape))
    return batch.spread(arc(start, end, n))


def arc(start: jax.Array, end: jax.Array, n: int) -> jax.Array:
    """n points on the arc cos(φ) a + sin(φ) b, φ = 0 … π/2, from a to b: [*shape] each -> [n, *shape].

    Of two draws of N(0, I), each point is distributed as N(0, I). On a straight line the middle would be nearer to the
    origin than a draw is (White 2016, arXiv:1609.04468, section 2.1).
    """
    angles = jnp.linspace(0, jnp.pi / 2, n).reshape(n, *[1] * start.ndim)
    return jnp.cos(angles) * start + jnp.sin(angles) * end


def line(start: jax.Array, end: jax.Array, n: int) -> jax.Array:
    """n points on the straight line from a to b: [*shape] each -> [n, *shape]. Of styles, which have no such law."""
    shares = jnp.linspace(0, 1, n).reshape(n, *[1] * start.ndim)
    return (1 - shares) * start + shares * end
