"""Images between storage (uint8) and networks (float in [-1, 1]), and their augmentation."""

import jax
import jax.numpy as jnp
import numpy as np

from aigc_jax.ops import batch as whole

HALF = 127.5  # half of uint8's range


def to_float(images: jax.Array) -> jax.Array:
    """uint8 -> float32 in [-1, 1]; 0 becomes -1 and 255 becomes 1, both exactly."""
    return images.astype(jnp.float32) / HALF - 1


def to_uint8(images: np.typing.ArrayLike) -> np.ndarray:
    """float -> the nearest uint8, on the host; values outside [-1, 1] are clipped. Inverse of `to_float`."""
    return np.clip(np.rint((np.asarray(images, np.float32) + 1) * HALF), 0, 255).astype(np.uint8)


def pad(images: jax.Array, pixels: int) -> jax.Array:
    """[B, H, W, C] -> [B, H + 2 pixels, W + 2 pixels, C], framed by zeros (black, while still uint8)."""
    return jnp.pad(images, ((0, 0), (pixels, pixels), (pixels, pixels), (0, 0)))


def flip(key: jax.Array, images: jax.Array) -> jax.Array:
    """Mirrors each image left to right with probability one half. images: [B, H, W, C]."""
    mirrored = whole.draw(jax.random.uniform, key, images.shape[:1]) < 0.5
    return jnp.where(mirrored[:, None, None, None], images[:, :, ::-1], images)
