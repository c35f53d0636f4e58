"""What training knows of a data set: its splits, its medium and its facts."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np
from PIL import Image

from aigc_jax.method import Batch, Key


class Source(Protocol):
    """The examples of one split, addressed by number."""

    @property
    def arrays(self) -> Mapping[str, np.ndarray] | None:
        """The whole split in memory, as it is stored (uint8 images, small integer tokens); None if it streams."""

    def __len__(self) -> int: ...

    def __getitem__(self, indices: np.ndarray) -> dict[str, np.ndarray]:
        """The examples of these numbers, in their order. indices: int64 [n]."""


class Medium(Protocol):
    """How examples of a kind become what a network sees, and samples what a person sees."""

    kind: ClassVar[str]  # the module of aigc_jax.evaluate that measures samples of this medium: "images", "texts", …

    def prepare(self, key: Key, batch: Batch, train: bool) -> Batch:
        """A stored batch -> a batch as methods see it. Traced on the device; train: draw augmentations."""

    def stored(self, samples: np.ndarray) -> np.ndarray:
        """Samples of a method as the data set stores its own. Raises UserError for those that are not finite."""

    def values(self, samples: np.ndarray) -> np.ndarray:
        """Samples of a method as a person works with them: uint8 [n, H, W, C], uint8 [n, 2], strings [n], …"""

    def examples(self, rows: Mapping[str, np.ndarray]) -> np.ndarray:
        """Stored examples, as `values` gives samples."""

    def picture(self, values: np.ndarray) -> Image.Image | str:
        """What there is to look at of some `values`: a picture, or text."""

    def write(self, samples: np.ndarray, stem: Path, *, columns: int | None = None) -> Path:
        """Writes samples where a person can look at them. The path is `stem` with a suffix added."""

    def save(self, samples: np.ndarray, asked: np.ndarray | None, stem: Path) -> Path:
        """Writes samples where a program can read them, with what was asked for. The path is `stem` with a suffix."""

    def condition(self, text: str, n: int) -> Any:
        """What `sample.condition` asks for, as int32 arrays whose leading axis is n; "" -> None."""

    def sheet(self, source: Source, stem: Path) -> Path:
        """Writes examples of a split where a person can look at them. The path is `stem` with a suffix added."""

    def describe(self, source: Source) -> str:
        """What is in a split, besides how many examples, in half a line."""


@dataclass(frozen=True)
class DataSet:
    """A data set as training uses it.

    name: for messages; facts: what networks and methods are filled from (image_shape, vocabulary, ...);
    folder: where TFDS keeps it, with its licence and citation;
    notes: what was read, changed and left out, a line each;
    changed: what is new since the run was trained, a line each (`data.meaning`).
    """

    name: str
    splits: Mapping[str, Source]
    medium: Medium
    facts: Mapping[str, Any]
    folder: Path | None = None
    notes: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()


@dataclass(frozen=True)
class ArraySource:
    """A split in memory. arrays: field -> [N, ...]."""

    arrays: Mapping[str, np.ndarray]

    def __len__(self) -> int:
        return len(next(iter(self.arrays.values())))

    def __getitem__(self, indices: np.ndarray) -> dict[str, np.ndarray]:
        return {name: array[indices] for name, array in self.arrays.items()}

    @cached_property
    def sha256(self) -> str:
        """Of all fields, with their names, dtypes and shapes."""
        digest = hashlib.sha256()
        for name, array in sorted(self.arrays.items()):
            digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()


@dataclass(frozen=True)
class TextSource(ArraySource):
    """A split of texts. texts: reads the texts themselves, for baselines that want no windows."""

    texts: Callable[[], list[str]]


def fingerprint(source: Source) -> str:
    """The SHA-256 of a split in memory; "" for one that streams."""
    return source.sha256 if isinstance(source, ArraySource) else ""
