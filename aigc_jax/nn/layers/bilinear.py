"""Images halved and doubled by bilinear interpolation, which weighs (1, 3, 3, 1) along each axis."""

import jax
import jax.numpy as jnp


def halve_bilinear(x: jax.Array) -> jax.Array:
    """[B, 2H, 2W, C] -> [B, H, W, C]: weighted means of 4x4 pixels; beyond the border are zeros."""
    return _halve(_halve(x, 1), 2)


def double_bilinear(x: jax.Array) -> jax.Array:
    """[B, H, W, C] -> [B, 2H, 2W, C]: 4 times the adjoint of `halve_bilinear`."""
    return _double(_double(x, 1), 2)


def _halve(x: jax.Array, axis: int) -> jax.Array:
    """Pixel i is (x[2i - 1] + 3 x[2i] + 3 x[2i + 1] + x[2i + 2]) / 8 along the axis."""
    pairs = x.reshape(*x.shape[:axis], x.shape[axis] // 2, 2, *x.shape[axis + 1 :])
    even, odd = (jax.lax.index_in_dim(pairs, i, axis + 1, keepdims=False) for i in (0, 1))
    return (3 * (even + odd) + _shifted(odd, axis, 1) + _shifted(even, axis, -1)) / 8


def _double(x: jax.Array, axis: int) -> jax.Array:
    """Pixels 2i and 2i + 1 are (3 x[i] + x[i - 1]) / 4 and (3 x[i] + x[i + 1]) / 4 along the axis."""
    pairs = jnp.stack([(3 * x + _shifted(x, axis, by)) / 4 for by in (1, -1)], axis + 1)
    return pairs.reshape(*x.shape[:axis], 2 * x.shape[axis], *x.shape[axis + 1 :])


def _shifted(x: jax.Array, axis: int, by: int) -> jax.Array:
    """x[i - by] at i, by = ±1, and zero where there is none."""
    borders = [(0, 0)] * x.ndim
    borders[axis] = (1, 0) if by > 0 else (0, 1)
    length = x.shape[axis]
    return jax.lax.slice_in_dim(jnp.pad(x, borders), *((0, length) if by > 0 else (1, length + 1)), axis=axis)
