"""Small images at the size of large ones, smooth between their pixels."""

import jax
import jax.numpy as jnp
import numpy as np


def enlarged(images: jax.Array, size: tuple[int, int]) -> jax.Array:
    """Bicubic (Keys 1981, doi:10.1109/TASSP.1981.1163711, a = -1/2), as Pillow enlarges; of that size: as they are.

    images: float [B, h, w, C]; size: (H, W), whole multiples of h and w -> [B, H, W, C], beyond the range of the values
    by some percent where they step.
    """
    if images.shape[1:3] == size:
        return images
    return jax.image.resize(images, (len(images), *size, images.shape[-1]), "bicubic", antialias=False)


def fits(small: tuple[int, ...], large: tuple[int, ...]) -> bool:
    """Whether images of the one shape can be enlarged to the other's size: both sides by one whole factor.

    small, large: (H, W, ...).
    """
    times = large[0] // small[0]
    return times > 0 and (small[0] * times, small[1] * times) == tuple(large[:2])


def enlarged_levels(images: np.ndarray, size: tuple[int, int]) -> jax.Array:
    """The same of levels: uint8 -> uint8, rounded and clipped."""
    found = enlarged(jnp.asarray(images, jnp.float32), size)
    return jnp.clip(jnp.rint(found), 0, 255).astype(jnp.uint8)
