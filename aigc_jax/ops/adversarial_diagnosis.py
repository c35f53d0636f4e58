"""How an adversarial game fails, read from its measures on held-out data, and what to try.

Limits are from runs of `configs/gan_fashion_mnist.py` and `configs/dcgan_fashion_mnist.py`: those that went well had an
accuracy of 0.65 to 0.985, and a variety above 0.25 from their 50th step on.
"""

from collections.abc import Mapping, Sequence

WON = 0.99  # the share that the discriminator tells rightly
ALIKE = 0.2  # the mean distance of two samples over that of two real images

DISCRIMINATOR_WON = (
    f"The discriminator has won: it tells {WON:.0%} or more of real images and samples rightly, and the generator "
    "learns little from it. Try method.r1, a smaller optimizers.discriminator.learning_rate, method.augmentation, or "
    "more data."
)
COLLAPSED = (
    f"The samples have collapsed: two of them differ by less than {ALIKE:.0%} of what two real images do. Try "
    "method.loss=relativistic with method.r1 and method.r2, method.gradient_penalty, a smaller "
    "optimizers.generator.learning_rate, or a larger data.batch_size."
)


def diagnose(loss: str, measures: Mapping[str, float]) -> Sequence[str]:
    """The failures that the measures show, a line each.

    loss: the game, a key of `adversarial.GAMES`. measures: accuracy and variety of the family `gan`; one that is
    missing shows nothing. A critic of the game of Wasserstein should be at its optimum, and so cannot win.
    """
    found = []
    if measures.get("accuracy", 0.0) >= WON and loss != "wasserstein":
        found.append(DISCRIMINATOR_WON)
    if measures.get("variety", 1.0) < ALIKE:
        found.append(COLLAPSED)
    return found
