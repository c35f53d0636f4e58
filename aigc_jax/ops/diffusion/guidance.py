"""Guidance: wrappers of what a network says of x_0, which move it away from a weaker one or along a gradient.

    D = D_1 + (w - 1) (D_1 - D_0) + (v - 1) (D_1 - D_guide) + u σ² / α ∇ log p(y | D_1(x_t))

| weight | D_1, the model, is led | source |
|---|---|---|
| w | away from itself without what is given, D_0 | Ho & Salimans 2022, arXiv:2207.12598, eq. 6 with 1 + w |
| w | away from itself with something else given, a negative condition | the same |
| v | away from a smaller or less trained network | Karras et al. 2024, arXiv:2406.02507, eq. 2 |
| u | along the gradient of a classifier's log p(y) | Dhariwal & Nichol 2021, arXiv:2105.05233, algorithm 2 |

w = 1, v = 1 and u = 0 are the model itself; w = 0 and v = 0, alone, are the weaker one. Samples by several are those of
the product p_1^(w + v - 1) p_0^(1 - w) p_guide^(1 - v) p(y)^u, as far as any of them is that of a product.

The classifier of algorithm 2 is trained on noisy x_t. Here it is one of data, and reads the estimate D_1(x_t) in place
of x_t (Bansal et al. 2023, arXiv:2302.07121, eq. 6). ∇ is with respect to x_t, so it goes through the network.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from aigc_jax.errors import ConfigError

CLASS = "label"  # the field of which a classifier tells the classes
MOST = 10.0  # of σ / α in a classifier's weight: beyond, errors of the network's slope are all that is left of it
Look = Callable[[jax.Array], jax.Array]
"""x_t [B, ...] -> what it says of x_0 [B, ...], at one time."""


class Strengths(NamedTuple):
    """Weights of guidance: data of a program."""

    given: Any  # float32 scalars: w,
    guide: Any  # v
    classifier: Any  # and u
    interval: Any  # float32 [2]: of σ / (α + σ), outside of which there is none
    rescale: Any  # float32: see `rescaled`


class There(NamedTuple):
    """What there is to guide with."""

    drop: bool  # the network has learned to do without what is given
    given: bool  # it reads something
    guide: bool  # a weaker network is there
    classifier: bool

    def check(self, guidance: float, negative: str, autoguidance: float, classifier: float) -> None:
        """Raises ConfigError for settings of sampling that need what is not there."""
        if negative and not self.given:
            raise ConfigError(
                f'"sample.negative" is "{negative}", and the network reads nothing that samples could be unlike: set '
                'it to "".'
            )
        if guidance != 1 and not (self.drop or negative):
            raise ConfigError(
                f'"sample.guidance" is {guidance}, and the model has not learned to do without what is given: set it '
                'to 1, or train with "method.drop" above 0.'
            )
        for key, value, none, name, there in (
            ("autoguidance", autoguidance, 1, "guide", self.guide),
            ("classifier_guidance", classifier, 0, "classifier", self.classifier),
        ):
            if value != none and not there:
                raise ConfigError(
                    f'"sample.{key}" is {value}, and there is no network for it: set it to {none}, or name one with '
                    f"--config.frozen.{name}.weights=run:FOLDER#net."
                )


def check_drop(drop: float, reads: Sequence[str]) -> None:
    """Raises ConfigError where training is to leave out what is given, and the network reads nothing."""
    if drop and not reads:
        raise ConfigError(
            f'"method.drop" is {drop}, and the network reads nothing that could be left out: set it to 0.'
        )


def check_images(classifier: Any, shape: tuple[int, ...]) -> None:
    """Raises ConfigError for a classifier of images of another shape; None is none."""
    if (told := getattr(classifier, "image_shape", shape)) != shape:
        raise ConfigError(
            f'"frozen.classifier.weights" is of images of {told}, and these are {shape}: name a run on such images.'
        )


def log_class(classifier: Any, variables: Any, given: Mapping[str, jax.Array]) -> Look:
    """x_0 -> log p(y | x_0), [B], of the classes that are given. classifier: a module, x_0 to (features, logits)."""

    def look(x0: jax.Array) -> jax.Array:
        if CLASS not in given:
            raise ConfigError(f'"frozen.classifier" tells classes, and these data have no "{CLASS}": leave it out.')
        _, logits = classifier.apply(variables, x0)
        return -optax.softmax_cross_entropy_with_integer_labels(logits, given[CLASS])

    return look


class Looks(NamedTuple):
    """Who says what of x_0; None = there is no such one."""

    model: Look
    pair: Callable[[jax.Array], tuple[jax.Array, jax.Array]] | None  # (D_1, D_0), in one call
    guide: Look | None
    log_class: Look | None  # x_0 -> log p(y | x_0), [B]


def guided(looks: Looks, strengths: Strengths, alpha: jax.Array, sigma: jax.Array, x: jax.Array) -> jax.Array:
    """D of x = x_t [B, ...]. alpha, sigma: scalars. A network whose weight leaves it out is not called."""
    inside = partial(within, low=strengths.interval[0], high=strengths.interval[1], alpha=alpha, sigma=sigma)
    w, v, u = inside(strengths.given), inside(strengths.guide), inside(strengths.classifier, otherwise=0.0)
    pair, guide, log_class = looks.pair, looks.guide, looks.log_class
    kinds = [(pair, w != 1), (guide, v != 1), (log_class, u != 0)]
    asked = [moves for kind, moves in kinds if kind]
    if not asked:
        return looks.model(x)
    several = len(asked) > 1  # else a switch within the one below would compile the model once more

    def where(moves: jax.Array, yes: Callable, no: Callable) -> Any:
        return jax.lax.cond(moves, yes, no, x) if several else yes(x)

    def alone(x: jax.Array) -> tuple[jax.Array, jax.Array]:
        return (looks.model(x),) * 2

    def moved(x: jax.Array) -> jax.Array:
        strong, weak = where(w != 1, pair, alone) if pair else alone(x)
        found = away(strong, weak, w)
        if guide:
            found += where(v != 1, lambda x: away(strong, guide(x), v) - strong, jnp.zeros_like)
        if log_class:
            slope = jax.grad(lambda x: jnp.sum(log_class(looks.model(x))))
            found = by_classifier(found, where(u != 0, slope, jnp.zeros_like), u, alpha, sigma)
        return rescaled(found, strong, strengths.rescale)

    return jax.lax.cond(jnp.any(jnp.stack(asked)), moved, looks.model, x)


def away(strong: jax.Array, weak: jax.Array, weight: jax.Array | float) -> jax.Array:
    """weak + weight (strong - weak). strong, weak: [B, ...]."""
    return weak + weight * (strong - weak)


def within(
    weight: jax.Array | float,
    low: jax.Array | float,
    high: jax.Array | float,
    alpha: jax.Array,
    sigma: jax.Array,
    otherwise: float = 1.0,
) -> jax.Array:
    """The weight where low <= σ / (α + σ) <= high, else `otherwise`.

    Kynkäänniemi et al. 2024, arXiv:2404.07724, eq. 5.
    """
    share = sigma / (alpha + sigma)
    return jnp.where((share >= low) & (share <= high), weight, otherwise)


def rescaled(guided: jax.Array, strong: jax.Array, share: jax.Array | float) -> jax.Array:
    """`guided` with a share of the way to the deviation of `strong` (Lin et al. 2023, arXiv:2305.08891, eq. 15-16).

    Deviations are those of an example's values. guided, strong: [B, ...].
    """
    axes = tuple(range(1, guided.ndim))
    ratio = jnp.std(strong, axes, keepdims=True) / jnp.maximum(jnp.std(guided, axes, keepdims=True), 1e-12)
    return guided * (1 + share * (ratio - 1))


def by_classifier(
    expected: jax.Array, gradient: jax.Array, weight: jax.Array | float, alpha: jax.Array, sigma: jax.Array
) -> jax.Array:
    """D moved along ∇ log p(y | x_t), with respect to x_t.

    By Tweedie's formula σ² / α is what E[x_0 | x_t] moves with the score. It grows without bound towards noise, where
    the gradient vanishes: σ / α counts as at most MOST.
    """
    return expected + weight * sigma * jnp.minimum(sigma / alpha, MOST) * gradient
