"""Augmentations of what a discriminator sees."""

from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp

AUGMENTATIONS: Mapping[str, Callable[[jax.Array, jax.Array, jax.Array], jax.Array]] = {}


def ada_probability(p: jax.Array, signs_mean: jax.Array, target: float, images: int, images_to_one: int) -> jax.Array:
    """The probability after a step (Karras et al. 2020, arXiv:2006.06676, section 3.1)."""
    return jnp.clip(p + jnp.sign(signs_mean - target) * images / images_to_one, 0.0, 1.0)
