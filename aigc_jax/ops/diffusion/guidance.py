"""Guidance: wrappers of what a network says of x_0, which move it away from what a weaker one says.

    D = D_weak + w (D_strong - D_weak)

| weaker | source |
|---|---|
| the same network without what is given | Ho & Salimans 2022, arXiv:2207.12598, eq. 6 with 1 + w |
| the same network with something else given, a negative condition | the same |
| a smaller or less trained network | Karras et al. 2024, arXiv:2406.02507, eq. 2 |

w = 1 is the stronger one and w = 0 the weaker one.
"""

import jax
import jax.numpy as jnp


def away(strong: jax.Array, weak: jax.Array, weight: jax.Array | float) -> jax.Array:
    """D. strong, weak: [B, ...]."""
    return weak + weight * (strong - weak)


def within(
    weight: jax.Array | float, low: jax.Array | float, high: jax.Array | float, alpha: jax.Array, sigma: jax.Array
) -> jax.Array:
    """The weight where low <= σ / (α + σ) <= high, elsewhere 1 (Kynkäänniemi et al. 2024, arXiv:2404.07724, eq. 5)."""
    share = sigma / (alpha + sigma)
    return jnp.where((share >= low) & (share <= high), weight, 1.0)


def rescaled(guided: jax.Array, strong: jax.Array, share: jax.Array | float) -> jax.Array:
    """`guided` with a share of the way to the deviation of `strong` (Lin et al. 2023, arXiv:2305.08891, eq. 15-16).

    Deviations are those of an example's values. guided, strong: [B, ...].
    """
    axes = tuple(range(1, guided.ndim))
    ratio = jnp.std(strong, axes, keepdims=True) / jnp.maximum(jnp.std(guided, axes, keepdims=True), 1e-12)
    return guided * (1 + share * (ratio - 1))


def by_classifier(
    expected: jax.Array, gradient: jax.Array, weight: jax.Array | float, variance: jax.Array
) -> jax.Array:
    """D moved along ∇ log p(y | x_t) (Dhariwal & Nichol 2021, arXiv:2105.05233, algorithm 2, by Tweedie's formula).

    variance: σ² / α, by which the score's change moves E[x_0 | x_t]. gradient: ∇ with respect to x_t.
    """
    return expected + weight * variance * gradient
