"""The medium of images: what networks see of them, grids to look at, and labels to ask for."""

import io
import math
import warnings
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import jax
import numpy as np
from PIL import Image

from aigc_jax.config import nearest
from aigc_jax.data import pictures
from aigc_jax.data.dataset import DataSet, Source
from aigc_jax.errors import UserError
from aigc_jax.method import Batch, Key
from aigc_jax.ops import augment

LOOKABLE = 64  # pixels: images with a shorter side are enlarged in a grid
GAP = 2  # pixels between the images of a grid
AUGMENTATIONS = {"flip": augment.flip}
Augmentation = Literal["flip"]  # what a configuration may name
PAPER = 255  # the grey level of the gaps
SHEET_COLUMNS, SHEET_ROWS = 10, 32  # of a contact sheet: images of a class, and classes at most
LOOKED_AT = 4096  # examples of a split that streams from disk, to find them


@dataclass(frozen=True)
class ImageMedium:
    """Images uint8 [B, H, W, C] with int32 labels [B]; C is 1 (grey) or 3 (RGB)."""

    kind: ClassVar = "images"
    class_names: tuple[str, ...]
    pad: int  # pixels of black added on every side
    augment: tuple[Augmentation, ...]  # what is done to training images, in this order

    def prepare(self, key: Key, batch: Batch, train: bool) -> Batch:
        """-> {"image": float32 [B, H, W, C] in [-1, 1], "label": int32 [B]}."""
        images = augment.to_float(augment.pad(batch["image"], self.pad))
        for name, name_key in zip(self.augment, jax.random.split(key, len(self.augment)), strict=True):
            if train:
                images = AUGMENTATIONS[name](name_key, images)
        return {"image": images, "label": batch["label"].astype("int32")}

    def stored(self, samples: np.ndarray) -> np.ndarray:
        """float [n, H, W, C] in [-1, 1] -> uint8, rounded, without what `prepare` pads."""
        bad = np.flatnonzero(~np.isfinite(samples).all((1, 2, 3)))
        if len(bad):
            raise UserError(f"{len(bad)} of {len(samples)} samples hold NaN or infinity, the first is number {bad[0]}.")
        _, height, width, _ = samples.shape
        return _pixels(samples)[:, self.pad : height - self.pad, self.pad : width - self.pad]

    def values(self, samples: np.ndarray) -> np.ndarray:
        """As `stored` gives them: uint8 [n, H, W, C]."""
        return self.stored(samples)

    def examples(self, rows: Mapping[str, np.ndarray]) -> np.ndarray:
        """As they are stored: uint8 [n, H, W, C]."""
        return rows["image"]

    def picture(self, values: np.ndarray) -> Image.Image:
        """A grid, about square. values: uint8 [n, H, W, C]."""
        return grid(values, None)

    def write(self, samples: np.ndarray, stem: Path, *, columns: int | None = None) -> Path:
        """A grid as `<stem>.png`. samples: float [n, H, W, C] in [-1, 1]; columns: None = about square."""
        return write_grid(_pixels(np.nan_to_num(samples)), stem, columns)

    def save(self, samples: np.ndarray, asked: np.ndarray | None, stem: Path) -> Path:
        """`<stem>.npz` with "image", as `stored` gives them, and where labels were asked for "label"."""
        return save_arrays(stem, image=self.stored(samples), label=asked)

    def condition(self, text: str, n: int) -> np.ndarray | None:
        """A class's name or number -> that label n times; "each" -> the classes in turn; "" -> None."""
        classes = len(self.class_names)
        if not text:
            return None
        if text in self.class_names:
            return np.full(n, self.class_names.index(text), np.int32)
        if text == "each":
            return np.arange(n, dtype=np.int32) % classes
        if text.isdecimal() and int(text) < classes:
            return np.full(n, int(text), np.int32)
        raise UserError(
            f'There is no class "{text}": give a number below {classes}, "each" or a class\'s name.'
            f"{nearest(text, self.class_names)}",
            code=2,
        )

    def sheet(self, source: Source, stem: Path) -> Path:
        """A grid as `<stem>.png` with a row of images for each class."""
        rows = source[np.arange(len(source) if source.arrays else min(len(source), LOOKED_AT))]
        images, labels = rows["image"], rows["label"]
        page = np.zeros((min(len(self.class_names), SHEET_ROWS), SHEET_COLUMNS, *images.shape[1:]), np.uint8)
        for label in range(len(page)):
            found = images[labels == label][:SHEET_COLUMNS]
            page[label, : len(found)] = found
        return write_grid(page.reshape(-1, *images.shape[1:]), stem, SHEET_COLUMNS)

    def describe(self, source: Source) -> str:
        """How many there are of each class."""
        if source.arrays is None:
            return ", read from disk"
        counts = Counter(source.arrays["label"].tolist())
        return "; " + ", ".join(f"{name} {counts[i]:,}" for i, name in enumerate(self.class_names))


def _pixels(samples: np.ndarray) -> np.ndarray:
    """The nearest uint8; what lies outside [-1, 1] is clipped."""
    return np.clip(np.rint((np.asarray(samples, np.float32) + 1) * augment.HALF), 0, 255).astype(np.uint8)


def image_dataset(
    name: str,
    splits: Mapping[str, Source],
    shape: tuple[int, int, int],
    class_names: tuple[str, ...],
    folder: Path,
    *,
    pad: int = 0,
    augment: tuple[Augmentation, ...] = (),
    notes: tuple[str, ...] = (),
) -> DataSet:
    """An image data set with the facts that networks and methods read. shape: (H, W, C) as stored."""
    height, width, channels = shape
    facts = dict(image_shape=(height + 2 * pad, width + 2 * pad, channels), classes=len(class_names))
    return DataSet(name, splits, ImageMedium(class_names, pad, augment), facts, folder, notes)


def save_arrays(stem: Path, **arrays: Any) -> Path:
    """Arrays as `<stem>.npz`, by their names; what is None is left out."""
    path = stem.with_name(stem.name + ".npz")
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, **{name: array for name, array in arrays.items() if array is not None})
    return path


def write_grid(images: np.ndarray, stem: Path, columns: int | None) -> Path:
    """A `grid` of images as `<stem>.png`."""
    path = stem.with_name(stem.name + ".png")
    path.parent.mkdir(parents=True, exist_ok=True)
    grid(images, columns).save(path)
    return path


def grid(images: np.ndarray, columns: int | None) -> Image.Image:
    """Images side by side, small ones enlarged by a whole factor.

    images: uint8 [n, H, W, C]; columns: None = about square.
    """
    n, height, width, channels = images.shape
    scale = max(1, math.ceil(LOOKABLE / min(height, width)))
    columns = columns or math.ceil(math.sqrt(n))
    rows = math.ceil(n / columns)
    cell = np.array([height, width]) * scale + GAP
    page = np.full((rows * cell[0] + GAP, columns * cell[1] + GAP, channels), PAPER, np.uint8)
    for i, image in enumerate(images):
        top, left = (i // columns) * cell[0] + GAP, (i % columns) * cell[1] + GAP
        large = image.repeat(scale, axis=0).repeat(scale, axis=1)
        page[top : top + height * scale, left : left + width * scale] = large
    return Image.fromarray(page[..., 0] if channels == 1 else page)


def png(image: np.ndarray) -> io.BytesIO:
    """An image as an encoded file, which TFDS stores without TensorFlow. image: uint8 [H, W, C]."""
    file = io.BytesIO()
    Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image).save(file, "png")
    file.seek(0)
    return file


def read_image(path: Path, size: int, channels: int) -> np.ndarray:
    """The pixels of one file, as `pictures.read` has them. -> uint8 [H, W, channels]; size 0: as they are."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's, about metadata
        return pictures.read(path, size, channels).pixels
