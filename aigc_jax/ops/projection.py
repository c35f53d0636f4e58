"""The latent of a given image, found by gradient: Karras et al. 2020, arXiv:1912.04958, appendix D.

Adam moves w so that the image of w comes nearer to the given one. It starts at the mean of w. Noise on w, which dies
away, keeps it from the first poor minimum; the rate rises at the beginning and falls at the end. The paper's maps of
noise are no part of w, and stay as the generator has them.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from aigc_jax.ops.batch import fold_in, normals, per_example

Array = jax.Array

RATE = 0.1  # the highest learning rate
RISE, FALL = 0.05, 0.25  # shares of the steps in which it rises from 0, and falls to 0
NOISE = 0.05  # of the first step, in spreads of w
NOISY = 0.75  # share of the steps until it is gone

ADAM = optax.adam(1.0)  # the rate is a factor of its own


class Search(NamedTuple):
    """A search so far."""

    w: Array  # float32 [n, layers, width]
    moments: Any  # of Adam


def begin(w: Array) -> Search:
    """The search before its first step, at w [n, layers, width]."""
    return Search(w, ADAM.init(w))


def rate(done: Array) -> Array:
    """The learning rate after a share of the steps, 0 … 1."""
    return RATE * jnp.minimum(1.0, done / RISE) * (0.5 - 0.5 * jnp.cos(jnp.pi * jnp.minimum(1.0, (1 - done) / FALL)))


def noise(done: Array) -> Array:
    """The standard deviation of the noise after a share of the steps, in spreads of w."""
    return NOISE * jnp.maximum(0.0, 1 - done / NOISY) ** 2


def search(
    loss: Callable[[Array], Array], so_far: Search, keys: Array, first: Array, last: Array, steps: Array, spread: Array
) -> Search:
    """The search after the steps `first` … `last` - 1 of `steps`, each an int32 scalar that may be traced.

    loss: w [n, layers, width] -> [n], each row's own; keys: [n], of the noise; spread: the root mean square distance of
    w from its mean, a scalar or [n, 1, 1]. A row is searched for as if it were alone.
    """

    def step(number: Array, at: Search) -> Search:
        done = number / steps
        jitter = spread * noise(done) * normals(fold_in(keys, number), at.w.shape[1:])
        grads = jax.grad(lambda w: jnp.sum(loss(w + jitter)))(at.w)
        updates, moments = ADAM.update(grads, at.moments)
        return Search(at.w + rate(done) * updates, moments)

    return jax.lax.fori_loop(first, last, step, so_far)


def pyramid(one: Array, other: Array) -> Array:
    """The mean squared difference of images [B, H, W, C], averaged over a pyramid: float32 [B].

    Each level is half as large as the one before it, down to a side of one pixel. The coarse levels lead a search that
    fine detail would hold up.
    """
    difference, levels = one - other, []
    while True:
        levels.append(per_example(jnp.mean, difference**2))
        rows, height, width, channels = difference.shape
        if min(height, width) < 2:
            return sum(levels[1:], levels[0]) / len(levels)
        even = difference[:, : height // 2 * 2, : width // 2 * 2]
        difference = even.reshape(rows, height // 2, 2, width // 2, 2, channels).mean((2, 4))
