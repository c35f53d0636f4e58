"""Positions in a line of tokens, and on a grid of height x width places, which are numbered row by row."""

import math

import jax
import jax.numpy as jnp

PERIOD = 10_000  # of sines: the longest wavelength is nearly 2π times as many places
ROTARY_PERIOD = 100  # of rotations: a grid has fewer places a side than a text has tokens


def line_sines(positions: jax.Array, features: int, closed: bool = False) -> jax.Array:
    """sin and then cos of positions [...] at features / 2 frequencies -> float32 [..., features]; features is even.

    Frequency i is PERIOD^(-2i / features) (Vaswani et al. 2017, arXiv:1706.03762, section 3.5). closed: the last one is
    1 / PERIOD, as in tensor2tensor and in Whisper: frequency i is PERIOD^(-i / (features / 2 - 1)).
    """
    half = features // 2
    frequencies = PERIOD ** -(jnp.arange(half, dtype=jnp.float32) / (half - closed))
    angles = positions.astype(jnp.float32)[..., None] * frequencies
    return jnp.concatenate([jnp.sin(angles), jnp.cos(angles)], axis=-1)


def grid_sines(height: int, width: int, features: int) -> jax.Array:
    """`line_sines` of the column, then those of the row: float32 [height * width, features], a multiple of 4.

    The order is that of the published weights of ViT-like networks (Peebles & Xie 2023, arXiv:2212.09748, section 3.2).
    """
    rows, columns = _places(height, width)
    return jnp.concatenate([line_sines(columns, features // 2), line_sines(rows, features // 2)], axis=-1)


def grid_angles(height: int, width: int, features: int) -> jax.Array:
    """The angles of rotary positions along both axes: float32 [height * width, features / 2].

    A quarter of the features turns with the row, and as many with the column, at frequencies ROTARY_PERIOD^(-4i /
    features) (Heo et al. 2024, arXiv:2403.13298, section 3.2, axial frequencies). features: of a head, a multiple of 4.
    """
    quarter = features // 4
    frequencies = ROTARY_PERIOD ** -(jnp.arange(quarter, dtype=jnp.float32) / quarter)
    rows, columns = (axis.astype(jnp.float32)[:, None] * frequencies for axis in _places(height, width))
    return jnp.concatenate([rows, columns], axis=-1)


def line_angles(positions: jax.Array, features: int, period: float = PERIOD) -> jax.Array:
    """The angles of rotary positions in a line: float32 [..., features / 2] of int [...]; features is even.

    Frequency i is period^(-2i / features) (Su et al. 2021, arXiv:2104.09864, eq. 15). features: of a head.
    """
    frequencies = period ** -(jnp.arange(0, features, 2, dtype=jnp.float32) / features)
    return positions.astype(jnp.float32)[..., None] * frequencies


def relative_buckets(offsets: jax.Array, both: bool, buckets: int, farthest: int) -> jax.Array:
    """The buckets of T5 for key positions minus query positions: int32 of the same shape, from 0 to buckets - 1.

    One half of the buckets, of a direction, has one distance each. The other half divides the distances up to
    `farthest` into parts that are equal on a logarithmic scale; the last holds what is beyond (Raffel et al. 2020,
    arXiv:1910.10683, section 2.1). both: keys that follow have buckets of their own, half of all; else they have that
    of distance 0. A direction has 2 buckets at least.
    """
    each = buckets // 2 if both else buckets
    first = jnp.where(offsets > 0, each, 0) if both else jnp.zeros_like(offsets)
    distances = jnp.abs(offsets) if both else jnp.maximum(-offsets, 0)
    single = each // 2
    along = jnp.log(jnp.maximum(distances, 1).astype(jnp.float32) / single) / math.log(farthest / single)
    far = single + (along * (each - single)).astype(jnp.int32)
    return first + jnp.where(distances < single, distances, jnp.minimum(far, each - 1))


def rotate(x: jax.Array, angles: jax.Array) -> jax.Array:
    """Turns the pair (i, i + d/2) of each vector by angle i: the product of two depends on the difference of angles.

    x: [B, N, heads, d], angles: float32 [N, d / 2] -> as x (Su et al. 2021, arXiv:2104.09864, eq. 14 and 15).
    """
    return turned(x, angles[:, None])


def turned(x: jax.Array, angles: jax.Array) -> jax.Array:
    """`rotate` of x [..., d] by angles float32 [..., d / 2], whose leading axes broadcast."""
    cos, sin = jnp.cos(angles), jnp.sin(angles)
    one, two = jnp.split(x.astype(jnp.float32), 2, axis=-1)
    return jnp.concatenate([one * cos - two * sin, one * sin + two * cos], axis=-1).astype(x.dtype)


def _places(height: int, width: int) -> tuple[jax.Array, jax.Array]:
    """The row and the column of each place, int32 [height * width] both."""
    rows, columns = jnp.mgrid[:height, :width]
    return rows.reshape(-1), columns.reshape(-1)
