"""What images look like that want restoring. Each kind is drawn anew for each image, from a generator of its own.

    noisy      Gaussian noise of 20 to 80 levels
    blurred    a Gaussian of 1/64 to 3/64 of the height, about 1 to 3 pixels of 64
    masked     one to four boxes of mid grey, an eighth to three eighths of either side each
    mixed      one of these, or grey, or small: each as likely

grey and small draw nothing (`data.reduction`).
"""

import zlib
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from scipy import ndimage

from aigc_jax.data.reduction import grey, small

VERSION = 1  # of what is drawn and how: prepared images of another one are made again
NOISE = (20.0, 80.0)  # levels
BLUR = (1 / 64, 3 / 64)  # of the height
BOXES, SIDES = (1, 4), (1 / 8, 3 / 8)
GREY = 128  # the level of a box: zero, nearly, to networks

Damage = Callable[[np.ndarray, np.random.Generator], np.ndarray]
"""(uint8 [H, W, C], where its chances come from) -> what is left, of the same shape and dtype."""


def noisy(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """With noise, cut off at black and white."""
    noise = rng.uniform(*NOISE) * rng.standard_normal(image.shape, np.float32)
    return np.rint(image + noise).clip(0, 255).astype(np.uint8)


def blurred(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Out of focus; beyond its edges an image goes on as it ends."""
    deviation = rng.uniform(*BLUR) * len(image)
    found = ndimage.gaussian_filter(image.astype(np.float32), (deviation, deviation, 0), mode="nearest")
    return np.rint(found).clip(0, 255).astype(np.uint8)


def masked(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """With boxes in front of it, wholly within."""
    found = image.copy()
    for _ in range(rng.integers(BOXES[0], BOXES[1] + 1)):
        sides = [max(1, round(share * side)) for share, side in zip(rng.uniform(*SIDES, 2), image.shape, strict=False)]
        top, left = (rng.integers(whole - side + 1) for side, whole in zip(sides, image.shape, strict=False))
        found[top : top + sides[0], left : left + sides[1]] = GREY
    return found


def _always(derive: Callable[[np.ndarray], np.ndarray]) -> Damage:
    return lambda image, rng: derive(image[None])[0]


SINGLE: Mapping[str, Damage] = {
    "noisy": noisy,
    "blurred": blurred,
    "masked": masked,
    "grey": _always(grey),
    "small": _always(small),
}


def mixed(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One of `SINGLE`."""
    return [*SINGLE.values()][rng.integers(len(SINGLE))](image, rng)


DAMAGES: Mapping[str, Damage] = {"noisy": noisy, "blurred": blurred, "masked": masked, "mixed": mixed}


def damaged(kind: str, images: np.ndarray, numbers: Sequence[int], seed: int, split: str) -> np.ndarray:
    """Each image as a function of (seed, split, its number) alone. images: uint8 [N, H, W, C] -> the same, one or more.

    kind: of `DAMAGES`. Splits differ, so that no noise of a training image comes back in a test image.
    """
    of_split = zlib.crc32(split.encode())
    damage = DAMAGES[kind]
    rngs = (np.random.default_rng([seed, of_split, number]) for number in numbers)
    return np.stack([damage(image, rng) for image, rng in zip(images, rngs, strict=True)])
