"""Matrices of 8 bits a number: whole numbers from -127 to 127, and a float32 scale for each channel, symmetric.

    x ≈ scale · q,   scale = max |x| / 127 over the channel,   q = round(x / scale)

A number is off by half a scale at most (Dettmers et al. 2022, arXiv:2208.07339, section 2.1, vector-wise; 2023,
arXiv:2305.14314, section 2, freeze a base that is kept so while an adapter is trained beside it).
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

LARGEST = 127  # -128 has no opposite


class Int8(NamedTuple):
    """Numbers of 8 bits. values: int8; scale: float32, 1 along the axes that a channel spans."""

    values: jax.Array
    scale: jax.Array


def quantised(x: jax.Array, axis: int) -> Int8:
    """float32 -> 8 bits. axis: along which the numbers of a channel lie. A channel of zeros stays one."""
    scale = jnp.max(jnp.abs(x), axis, keepdims=True) / LARGEST
    return Int8(jnp.round(x / jnp.where(scale > 0, scale, 1)).astype(jnp.int8), scale)


def dequantised(x: Int8) -> jax.Array:
    """The float32 numbers that these stand for."""
    return x.values.astype(jnp.float32) * x.scale
