"""Losses of the two players of a generative adversarial game, and penalties on the critic's gradient.

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
import optax

from aigc_jax.ops.batch import draw

Array = jax.Array
Key = jax.Array

Critic = Callable[[Array], Array]
"""The discriminator as a player sees it: images [B, ...] -> logits, float32 [B].

A family may close over more: a critic of pairs knows the source images beside it.
"""

Player = Callable[[Critic, Array, Array], Array]
"""(critic, real examples [B, ...], as many fakes) -> what the player minimises, one value an example [B].

The discriminator calls the critic on `real` and then on `fake`. The generator calls it on what it needs of them.
"""

Penalty = Callable[[Critic, Array, Array, Key], Array]
"""(critic, real examples [B, ...], as many fakes, key) -> one value an example [B], to add to the critic's loss.

The gradient for all images is taken at once. It is each image's own where the critic judges images apart.
"""


class Game(NamedTuple):
    """What each player minimises."""

    discriminator: Player
    generator: Player
    border: float | None  # the output above which an example counts as real; None: outputs are compared in pairs


def cross_entropy(critic: Critic, real: Array, fake: Array) -> Array:
    """-log D(x) - log(1 - D(G(z))): the negated value function (eq. 1)."""
    return jax.nn.softplus(-critic(real)) + jax.nn.softplus(critic(fake))


def paired(critic: Critic, better: Array, worse: Array) -> Array:
    """-log sigmoid(D(better) - D(worse)): how much more real the ones are than the others."""
    answer = critic(better)
    return jax.nn.softplus(critic(worse) - answer)


GAMES: dict[str, Game] = {
    # The generator minimises V itself. Its gradient, -D(G(z)) an example, vanishes while the
    # discriminator recognises fakes: it is here for comparison.
    "minimax": Game(cross_entropy, lambda critic, real, fake: -jax.nn.softplus(critic(fake)), 0.0),
    # Section 3: maximise log D(G(z)) instead. The same fixed point, a gradient that is strong
    # where the fakes are bad.
    "non_saturating": Game(cross_entropy, lambda critic, real, fake: jax.nn.softplus(-critic(fake)), 0.0),
    # Mao et al. 2017, arXiv:1611.04076, eq. 9 (a = 0, b = c = 1): the output estimates the label and is
    # no logit, so that the threshold is 1/2 and not 0.
    "least_squares": Game(
        lambda critic, real, fake: 0.5 * (critic(real) - 1) ** 2 + 0.5 * critic(fake) ** 2,
        lambda critic, real, fake: 0.5 * (critic(fake) - 1) ** 2,
        0.5,
    ),
    # Lim & Ye 2017, arXiv:1705.02894; Miyato et al. 2018, arXiv:1802.05957, eq. 16 and 17.
    "hinge": Game(
        lambda critic, real, fake: jnp.maximum(0.0, 1 - critic(real)) + jnp.maximum(0.0, 1 + critic(fake)),
        lambda critic, real, fake: -critic(fake),
        0.0,
    ),
    # Arjovsky et al. 2017, arXiv:1701.07875, eq. 2: the critic's means differ by at most K times the Wasserstein
    # distance where its slope is at most K, which clipping or a penalty has to see to.
    "wasserstein": Game(
        lambda critic, real, fake: -critic(real) + critic(fake),
        lambda critic, real, fake: -critic(fake),
        None,
    ),
    # Jolicoeur-Martineau 2018, arXiv:1807.00734, eq. 5; with `r1` and `r2` the game of R3GAN (Huang et al. 2024,
    # arXiv:2501.05441, eq. 2). The generator needs real images, too.
    "relativistic": Game(paired, lambda critic, real, fake: paired(critic, fake, real), None),
}


def told_apart(loss: str, on_real: Array, on_fake: Array) -> Array:
    """The share of each pair of a real example and a fake that the outputs tell rightly, [B]; 1/2 is a guess."""
    border = GAMES[loss].border
    if border is None:
        return (on_real > on_fake).astype(jnp.float32)
    return jnp.mean(jnp.stack([on_real > border, on_fake <= border]).astype(jnp.float32), 0)


def gradient_penalty(critic: Critic, real: Array, fake: Array, key: Key) -> Array:
    """(|grad D(x')| - 1)^2 at a random x' between a real example and a fake.

    Gulrajani et al. 2017, arXiv:1704.00028, eq. 3, without its weight lambda: x' = e x + (1 - e) G(z), e ~ U[0, 1].
    """
    share = draw(jax.random.uniform, key, (real.shape[0], *(1,) * (real.ndim - 1)))
    slopes = _slopes(critic, share * real + (1 - share) * fake)
    return (optax.safe_norm(slopes, 0.0, axis=1) - 1) ** 2


def r1(critic: Critic, real: Array, fake: Array, key: Key) -> Array:
    """|grad D(x)|^2 / 2 at real examples: Mescheder et al. 2018, arXiv:1801.04406, eq. 9, without its weight gamma."""
    return 0.5 * jnp.sum(_slopes(critic, real) ** 2, axis=1)


def r2(critic: Critic, real: Array, fake: Array, key: Key) -> Array:
    """`r1` at the fakes: Mescheder et al. 2018, arXiv:1801.04406, eq. 10, without its weight gamma."""
    return r1(critic, fake, real, key)


def _slopes(critic: Critic, images: Array) -> Array:
    """The critic's gradient by each image, [B, n]."""
    return jax.grad(lambda x: jnp.sum(critic(x)))(images).reshape(images.shape[0], -1)
