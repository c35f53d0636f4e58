"""What the sets of images share."""

import warnings
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from aigc_jax.data import pictures
from aigc_jax.data.dataset import DataSet, Source
from aigc_jax.data.fields.labels import Label
from aigc_jax.data.fields.pixels import Augment, Pixels


def image_dataset(
    name: str,
    splits: Mapping[str, Source],
    shape: tuple[int, int, int],
    class_names: tuple[str, ...],
    folder: Path,
    *,
    pad: int = 0,
    augment: tuple[Augment, ...] = (),
    notes: tuple[str, ...] = (),
) -> DataSet:
    """A set of images with their labels. shape: (H, W, C) as stored."""
    fields = {"image": Pixels(shape, pad), "label": Label(class_names)}
    return DataSet(name, splits, fields, "image", augment, folder, notes)


def read_image(path: Path, size: int, channels: int) -> np.ndarray:
    """The pixels of one file, as `pictures.read` has them. -> uint8 [H, W, channels]; size 0: as they are."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's, about metadata
        return pictures.read(path, size, channels).pixels
