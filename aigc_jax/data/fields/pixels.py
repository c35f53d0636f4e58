"""Images."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np

from aigc_jax.data import pictures
from aigc_jax.data.dataset import Field, Source
from aigc_jax.data.exhibit import Exhibit
from aigc_jax.data.grid import grid
from aigc_jax.errors import UserError
from aigc_jax.method import Array, Key
from aigc_jax.ops import augment
from aigc_jax.ops.likelihood import LEVELS
from aigc_jax.places import expanded

SHEET_COLUMNS, SHEET_ROWS = 10, 32  # of a contact sheet: images of a class, and classes at most
LOOKED_AT = 4096  # examples of a split that streams from disk, to find them
Augment = Literal["flip"]  # what a configuration of images may name


@dataclass(frozen=True)
class Pixels(Field):
    """Images uint8 [n, H, W, C]; C is 1 (grey) or 3 (RGB). pad: pixels of black added on every side for networks."""

    kind: ClassVar = "images"
    augmentations: ClassVar = {"flip": augment.flip}
    size: tuple[int, int, int]  # (H, W, C), as stored
    pad: int = 0

    @property
    def facts(self) -> Mapping[str, Any]:
        """shape: of an image as networks see it; levels: that a value has."""
        height, width, channels = self.size
        return dict(shape=(height + 2 * self.pad, width + 2 * self.pad, channels), levels=LEVELS)

    def prepare(self, key: Key, stored: Array, train: bool) -> Array:
        """-> float32 [B, H, W, C] in [-1, 1]."""
        return augment.to_float(augment.pad(stored, self.pad))

    def stored(self, prepared: np.ndarray) -> np.ndarray:
        """float [n, H, W, C] in [-1, 1] -> uint8, rounded and clipped, without what `prepare` pads."""
        bad = np.flatnonzero(~np.isfinite(prepared).all((1, 2, 3)))
        if len(bad):
            raise UserError(
                f"{len(bad)} of {len(prepared)} samples hold NaN or infinity, the first is number {bad[0]}."
            )
        _, height, width, _ = prepared.shape
        inner = prepared[:, self.pad : height - self.pad, self.pad : width - self.pad]
        return augment.to_uint8(inner)

    def show(self, values: np.ndarray, columns: int | None = None) -> Exhibit:
        """A grid."""
        return Exhibit.picture(grid(values, columns))

    def sheet(self, source: Source, name: str) -> Exhibit:
        """A grid, with a row of images for each class where there are labels."""
        rows = source[np.arange(len(source) if source.arrays else min(len(source), LOOKED_AT))]
        images, labels = rows[name], rows.get("label", np.zeros(len(rows[name]), np.int32))
        page = np.zeros((min(int(labels.max()) + 1, SHEET_ROWS), SHEET_COLUMNS, *images.shape[1:]), np.uint8)
        for label in range(len(page)):
            found = images[labels == label][:SHEET_COLUMNS]
            page[label, : len(found)] = found
        return self.show(page.reshape(-1, *images.shape[1:]), SHEET_COLUMNS)

    def describe(self, source: Source, name: str) -> str:
        """Where it is read from, if not from memory."""
        return "" if source.arrays else ", read from disk"

    def parse(self, text: str, n: int) -> np.ndarray:
        """The path of an image's file -> that image n times, cropped and resized."""
        path, (height, width, channels) = Path(expanded(text)), self.size
        if not path.is_file():
            raise UserError(
                f'There is no image "{text}": give the path of one, or rows of the data (split:test).', code=2
            )
        if height != width:
            raise UserError(f"Images of {height} × {width} cannot be given as files: give rows of the data.", code=2)
        return np.repeat(pictures.read(path, height, channels).pixels[None], n, axis=0)
