"""How an adversarial game fails, read from its measures on held-out data, and what to try.

Limits are from runs of `configs/gan_fashion_mnist.py` and `configs/dcgan_fashion_mnist.py`: those that went well had an
accuracy of 0.65 to 0.985, and a variety above 0.25 from their 50th step on.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp

from aigc_jax.ops.batch import per_example

WON = 0.99  # the share that the discriminator tells rightly
ALIKE = 0.2  # the mean distance of two samples over that of two real images

VARIETY = "variety"  # how the names of its measures begin: one, or one a field that is generated


class Lines(NamedTuple):
    """What is said of each failure."""

    won: str
    collapsed: str


def lines(to_win_less: str, to_vary: str) -> Lines:
    """The lines of a family. Its two remedies."""
    return Lines(
        f"The discriminator has won: it tells {WON:.0%} or more of real images and samples rightly, and the generator "
        f"learns little from it. Try {to_win_less}.",
        f"The samples have collapsed: two of them differ by less than {ALIKE:.0%} of what two real images do. Try "
        f"{to_vary}.",
    )


SLOWER = "a smaller optimizers.discriminator.learning_rate"
OF_NOISE = lines(
    f"method.r1, {SLOWER}, method.augmentation, or more data",
    "method.loss=relativistic with method.r1 and method.r2, method.gradient_penalty, a smaller "
    "optimizers.generator.learning_rate, or a larger data.batch_size",
)
OF_IMAGES = lines(f"{SLOWER}, or more data", f"a larger method.cycle or method.l1, or {SLOWER}")
DISCRIMINATOR_WON, COLLAPSED = OF_NOISE


def apart(images: jax.Array) -> jax.Array:
    """The distance of each image from the next of the batch: [B, ...] -> [B]. Of samples over real ones: variety."""
    return jnp.sqrt(per_example(jnp.sum, (images - jnp.roll(images, 1, axis=0)) ** 2))


def diagnose(loss: str, measures: Mapping[str, float], said: Lines = OF_NOISE) -> Sequence[str]:
    """The failures that the measures show, a line each.

    loss: the game, a key of `adversarial.GAMES`. measures: accuracy and variety of a family, or the variety of each
    field, of which the least counts; one that is missing shows nothing. A critic of the game of Wasserstein should be
    at its optimum, and so cannot win.
    """
    found = []
    if measures.get("accuracy", 0.0) >= WON and loss != "wasserstein":
        found.append(said.won)
    if min((value for name, value in measures.items() if name.startswith(VARIETY)), default=1.0) < ALIKE:
        found.append(said.collapsed)
    return found
