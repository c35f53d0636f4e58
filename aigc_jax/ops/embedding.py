"""Sinusoidal embeddings (Vaswani et al. 2017, arXiv:1706.03762, section 3.5)."""

import jax
import jax.numpy as jnp

PERIOD = 10_000  # the longest wavelength is 2π times as many steps


def embed_time(t: jax.Array, width: int, shift: int = 1) -> jax.Array:
    """sin and cos of t at width / 2 frequencies from 1 down.

    t: [B] in steps -> float32 [B, width]; several times of each example, [B, n] -> [B, n width].
    shift: 1 = down to 1 / PERIOD (Ho et al. 2020), 0 = to one frequency before it (Nichol & Dhariwal 2021).
    """
    half = width // 2
    frequencies = PERIOD ** -(jnp.arange(half, dtype=jnp.float32) / (half - shift))
    angles = t.astype(jnp.float32)[..., None] * frequencies
    return jnp.concatenate([jnp.sin(angles), jnp.cos(angles)], axis=-1).reshape(len(t), -1)
