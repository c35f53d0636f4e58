"""Path length regularisation (Karras et al. 2020, arXiv:1912.04958, section 3.2).

    E_{w, y}(|J_w^T y| - a)^2,    y ~ N(0, I) in the space of images, J_w = dg(w)/dw              (eq. 4)

where a is a running mean of the lengths |J_w^T y|. A generator whose images change as much as w does, whichever way w
goes, has the least penalty.
"""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax

from aigc_jax.ops import batch

DECAY = 0.99  # of the running mean of lengths (appendix B)


def path_length(
    render: Callable[[jax.Array], jax.Array], w: jax.Array, key: jax.Array, mean: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """(what each example adds to the penalty, without its weight [B]; the mean length over the batch, a scalar).

    render: styles [B, L, d] -> images [B, H, W, C], each from its own styles alone. w: styles. mean: a of eq. 4.
    y is divided by sqrt(H W), so that a length does not depend on the resolution. The square of a length is the mean
    over the L layers.
    """

    def projected(w: jax.Array) -> jax.Array:
        images = render(w)
        y = batch.draw(jax.random.normal, key, images.shape) / math.sqrt(math.prod(images.shape[1:3]))
        return jnp.sum(images * y)

    slopes = jax.grad(projected)(w)
    lengths = optax.safe_norm(slopes.reshape(w.shape[0], -1), 0.0, axis=1) / math.sqrt(w.shape[1])
    return (lengths - mean) ** 2, batch.mean(jnp.mean(lengths))
