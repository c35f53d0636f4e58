"""Pairs of any set of images: each image, and what is left of it when its colours or details are taken away.

    edges    where it changes, as dark lines: the largest gradient of its channels (Sobel)
    grey     its luminance (ITU-R 601)
    small    each block of 4 x 4 pixels as its mean

What is derived has the shape of the image, so that they can be looked at side by side.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from scipy import ndimage

from aigc_jax.data import catalogue
from aigc_jax.data.dataset import ArraySource, DataSet, Source, content_sha256
from aigc_jax.data.fields.pixels import Pixels
from aigc_jax.data.store import cached, folder_name
from aigc_jax.errors import ConfigError

BLOCK = 4  # pixels that become one in a small image
LUMINANCE = (0.299, 0.587, 0.114)
STEEPEST = 4.0  # what Sobel's filter gives for a step by one level
CHUNK = 1024  # images derived at a time


def edges(images: np.ndarray) -> np.ndarray:
    """White where nothing changes, black at a step of all levels. uint8 [N, H, W, C] -> the same shape and dtype."""
    levels = images.astype(np.float32)
    down, right = (_differences(levels, along, across) for along, across in ((1, 2), (2, 1)))
    steep = np.hypot(down, right).max(-1, keepdims=True) / STEEPEST
    return np.broadcast_to(255 - np.rint(steep).clip(0, 255), images.shape).astype(np.uint8)


def _differences(levels: np.ndarray, along: int, across: int) -> np.ndarray:
    differences = ndimage.correlate1d(levels, (-1, 0, 1), along, mode="nearest")
    return ndimage.correlate1d(differences, (1, 2, 1), across, mode="nearest")


def grey(images: np.ndarray) -> np.ndarray:
    """Without colours. uint8 [N, H, W, C] -> the same shape and dtype."""
    if images.shape[-1] == 1:
        return images
    return np.broadcast_to(np.rint(images @ np.array(LUMINANCE))[..., None], images.shape).astype(np.uint8)


def small(images: np.ndarray) -> np.ndarray:
    """Without details. uint8 [N, H, W, C] -> the same shape and dtype. H and W are multiples of `BLOCK`."""
    count, height, width, channels = images.shape
    means = images.reshape(count, height // BLOCK, BLOCK, width // BLOCK, BLOCK, channels).mean((2, 4))
    return np.rint(means).astype(np.uint8).repeat(BLOCK, axis=1).repeat(BLOCK, axis=2)


DERIVE: Mapping[str, Callable[[np.ndarray], np.ndarray]] = {"edges": edges, "grey": grey, "small": small}


@dataclass(frozen=True)
class Derived:
    """A split that streams, with what is derived. image: the field that it is derived from."""

    source: Source
    image: str
    derive: str
    arrays: None = None

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, indices: np.ndarray) -> dict[str, np.ndarray]:
        rows = self.source[indices]
        return {self.derive: DERIVE[self.derive](rows[self.image]), **rows}


def load(*, data_dir: Path, of: Mapping[str, Any], derive: Literal["edges", "grey", "small"]) -> DataSet:
    """The pairs: the fields of `of`, and one that is named by what is derived, which its image is made from.

    of: a section `data` of images, with its name and keys; derive: edges, grey or small.
    """
    data = catalogue.load(of, data_dir)
    made = data.made
    if not isinstance(made, Pixels):
        raise ConfigError(f'"data.of" names {data.name}, which holds no images: name a set of images.')
    if derive == "small" and (made.size[0] % BLOCK or made.size[1] % BLOCK):
        sides = f"{made.size[0]} × {made.size[1]}"
        raise ConfigError(
            f"data.derive: small takes blocks of {BLOCK} pixels, and the images are {sides}: resize them."
        )
    streaming = {split: Derived(source, data.target, derive) for split, source in data.splits.items()}
    splits = _in_memory(data, streaming) if all(s.arrays is not None for s in data.splits.values()) else streaming
    notes = (*data.notes, f"Derived from each image: {derive}.")
    return replace(data, name="derived_pairs", splits=splits, fields={derive: made, **data.fields}, notes=notes)


def _in_memory(data: DataSet, streaming: Mapping[str, Derived]) -> Mapping[str, Source]:
    derive = next(iter(streaming.values())).derive

    def make() -> dict[str, np.ndarray]:
        return {split: np.concatenate(_chunks(source)) for split, source in streaming.items()}

    def _chunks(source: Derived) -> list[np.ndarray]:
        starts = range(0, len(source), CHUNK)
        return [source[np.arange(i, min(i + CHUNK, len(source)))][derive] for i in starts]

    if data.folder is None:
        arrays = make()
    else:
        content = [derive.encode(), *(content_sha256(source).encode() for source in data.splits.values())]
        arrays = cached(data.folder / f"derived_{folder_name(content)}", [*streaming], make)
    return {
        split: ArraySource({derive: arrays[split], **(source.arrays or {})}) for split, source in data.splits.items()
    }
