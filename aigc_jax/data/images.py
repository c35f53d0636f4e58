"""What the sets of images share."""

import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from aigc_jax.data import pictures
from aigc_jax.data.dataset import ArraySource, DataSet, Source
from aigc_jax.data.fields.labels import Label
from aigc_jax.data.fields.pixels import Augment, Pixels
from aigc_jax.data.files import printable
from aigc_jax.data.store import image_sources
from aigc_jax.errors import ConfigError, UserError
from aigc_jax.places import expanded


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


@dataclass(frozen=True)
class Beside:
    """Images side by side that stream. columns: field -> as many images as in the others, under "image"."""

    columns: Mapping[str, Source]
    arrays: None = None

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def __getitem__(self, indices: np.ndarray) -> dict[str, np.ndarray]:
        return {name: source[indices]["image"] for name, source in self.columns.items()}


@dataclass(frozen=True)
class Joined:
    """Rows that stream, with columns of arrays beside them."""

    rows: Source
    columns: Mapping[str, np.ndarray]
    arrays: None = None

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, indices: np.ndarray) -> dict[str, np.ndarray]:
        return {**self.rows[indices], **{name: column[indices] for name, column in self.columns.items()}}


def joined(source: Source, arrays: Mapping[str, np.ndarray]) -> Source:
    """The rows of a source with further columns. arrays: field -> as many rows, in the same order."""
    return Joined(source, arrays) if source.arrays is None else ArraySource({**source.arrays, **arrays})


def columns(builder: Any, names: Iterable[str], shape: tuple[int, int, int]) -> dict[str, Source]:
    """Split -> source of several images a row, in memory if small. names: of the builder's features, and the fields."""
    found = {name: image_sources(builder, shape, image=name, label=None) for name in names}
    return {split: beside({name: sources[split] for name, sources in found.items()}) for split in builder.info.splits}


def beside(sources: Mapping[str, Source]) -> Source:
    """The images of several sources, side by side. sources: field -> as many rows as in the others."""
    arrays = {name: source.arrays["image"] for name, source in sources.items() if source.arrays is not None}
    return ArraySource(arrays) if len(arrays) == len(sources) else Beside(sources)


def kinds_of(path: str, kinds: tuple[str, str]) -> dict[str, Path]:
    """The folders of two kinds of images inside a folder, by their names, which become those of fields.

    Raises ConfigError for names that are no words or one twice, UserError for a folder that is missing.
    """
    if kinds[0] == kinds[1] or not all(kind.isidentifier() for kind in kinds):
        raise ConfigError(f'"data.kinds" is {kinds}: give two names of folders, of letters, digits and underscores.')
    folders = {kind: expanded(path) / kind for kind in kinds}
    for folder in folders.values():
        if not folder.is_dir():
            raise UserError(f'There is no folder "{printable(folder)}" (keys "data.path" and "data.kinds").')
    return folders
