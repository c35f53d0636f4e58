"""Losses of the two players of a generative adversarial game, from logits.

Goodfellow et al. 2014, "Generative Adversarial Nets", arXiv:1406.2661, eq. 1:

    min_G max_D V(D, G) = E_x[log D(x)] + E_z[log(1 - D(G(z)))]

The discriminator gives the logit t of D = sigmoid(t), so that log D = -softplus(-t) and
log(1 - D) = -softplus(t), which neither over- nor underflow. Both players minimise here: the
discriminator -V, the generator a loss of its own. At D = 1/2, V is -2 log 2.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

Array = jax.Array


class Game(NamedTuple):
    """What each player minimises, one value an example. Logits: float32 [B]."""

    discriminator: Callable[[Array, Array], Array]
    """(logits of real examples, logits of as many fakes) -> [B].

    A penalty on the discriminator's gradient (WGAN-GP, R1) needs the discriminator itself and
    not only its logits: it is one more term [B] where a family adds this loss up.
    """

    generator: Callable[[Array], Array]
    """(logits of fakes) -> [B]."""


def cross_entropy(real: Array, fake: Array) -> Array:
    """-log D(x) - log(1 - D(G(z))), the negated value function (eq. 1)."""
    return jax.nn.softplus(-real) + jax.nn.softplus(fake)


GAMES: dict[str, Game] = {
    # The generator minimises V itself. Its gradient, -D(G(z)) an example, vanishes while the
    # discriminator recognises fakes: it is here for comparison.
    "minimax": Game(cross_entropy, lambda fake: -jax.nn.softplus(fake)),
    # Section 3: maximise log D(G(z)) instead. The same fixed point, a gradient that is strong
    # where the fakes are bad.
    "non_saturating": Game(cross_entropy, lambda fake: jax.nn.softplus(-fake)),
    # Mao et al. 2017, arXiv:1611.04076, eq. 9 (a = 0, b = c = 1): the output estimates the label and is
    # no logit, so that the threshold is 1/2 and not 0.
    "least_squares": Game(
        lambda real, fake: 0.5 * (real - 1) ** 2 + 0.5 * fake**2,
        lambda fake: 0.5 * (fake - 1) ** 2,
    ),
    # Lim & Ye 2017, arXiv:1705.02894; Miyato et al. 2018, arXiv:1802.05957, eq. 16 and 17.
    "hinge": Game(
        lambda real, fake: jnp.maximum(0.0, 1 - real) + jnp.maximum(0.0, 1 + fake),
        lambda fake: -fake,
    ),
}


def threshold(loss: str) -> float:
    """The output above which an example counts as real under the game `loss`."""
    return 0.5 if loss == "least_squares" else 0.0
