"""What networks that see a given image have in common.

The image stands beside x as further channels of the first layer (SR3: Saharia et al. 2021, arXiv:2104.07636, section
2.2; Palette: Saharia et al. 2021, arXiv:2111.05826, section 3). A smaller one is enlarged to the size of x first.
"""

from collections.abc import Mapping

import jax
import jax.numpy as jnp

from aigc_jax.errors import Unfit
from aigc_jax.ops.enlarge import enlarged, fits


def beside(x: jax.Array, image: str, given: Mapping[str, jax.Array] | None, kept: jax.Array | None) -> jax.Array:
    """x: [B, H, W, C], and the given image's c channels -> [B, H, W, C + c].

    image: the name of its field, [B, h, w, c] in -1 … 1; "" = x alone. kept: bool [B], of which examples it is seen;
    None = of all. The others see zeros, mid grey. Raises Unfit where it is not given, or its size does not fit.
    """
    if not image:
        return x
    if image not in (given or {}):
        there = ", ".join(given or {}) or "nothing"
        raise Unfit("image", image, f"given is {there}: it names a field of images that is given, or is empty")
    seen = given[image]  # type: ignore[index]
    if seen.ndim != x.ndim or not fits(seen.shape[1:], x.shape[1:]):
        sizes = f"{list(seen.shape[1:])}, to be seen beside images of {list(x.shape[1:])}"
        raise Unfit("image", image, f"its shape is {sizes}: it takes images of that size, or of a whole part of it")
    seen = enlarged(seen, (x.shape[1], x.shape[2]))
    if kept is not None:
        seen = jnp.where(kept[:, None, None, None], seen, 0)
    return jnp.concatenate([x, seen], axis=-1)
