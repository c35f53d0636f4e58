"""What training knows of a data set: its splits, and the fields of their rows, one of which is the target."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Protocol

import jax
import numpy as np

from aigc_jax.data.exhibit import Exhibit
from aigc_jax.errors import UserError
from aigc_jax.method import KNOWN, UNLIKE, Array, Batch, Given, Key, Rows


class Source(Protocol):
    """The examples of one split, addressed by number."""

    @property
    def arrays(self) -> Mapping[str, np.ndarray] | None:
        """The whole split in memory, as it is stored (uint8 images, small integer tokens); None if it streams."""

    def __len__(self) -> int: ...

    def __getitem__(self, indices: np.ndarray) -> dict[str, np.ndarray]:
        """The examples of these numbers, in their order: field -> [n, ...]. indices: int64 [n]."""


class Field(ABC):
    """One column of a data set: what is generated, or what it is generated from.

    A field is a dataclass whose fields JSON can hold, so that a run keeps it (`data.meaning`). Its rows have three
    forms: as they are *stored* (uint8 pixels, tokens), *prepared* for networks, and *values* that a person works with.
    """

    augmentations: ClassVar[Mapping[str, Callable[[Key, Array], Array]]] = {}  # of prepared training examples, by name
    kind: ClassVar[str]  # the module of aigc_jax.evaluate that measures samples of this kind: "images", "texts", …

    @property
    @abstractmethod
    def facts(self) -> Mapping[str, Any]:
        """What networks and methods are filled from: shape, vocabulary, …"""

    @property
    def meanings(self) -> tuple[str, ...]:
        """What each number of this field means: class names, characters. (): numbers are quantities."""
        return ()

    @abstractmethod
    def prepare(self, key: Key, stored: Array, train: bool) -> Array:
        """Stored rows -> what networks see. Traced on the device. train: for training, not for measuring."""

    @abstractmethod
    def stored(self, prepared: np.ndarray) -> np.ndarray:
        """Samples, which are as `prepare` gives rows -> stored rows. Raises UserError for those that are not finite."""

    def values(self, stored: np.ndarray) -> np.ndarray:
        """Stored rows as a person works with them: uint8 [n, H, W, C], uint8 [n, 2], strings [n], …"""
        return stored

    def among(self, rows: Mapping[str, np.ndarray], name: str, fields: Mapping[str, "Field"]) -> np.ndarray:
        """The values of this field, called so in stored rows, which may depend on what stands beside it in them."""
        return self.values(rows[name])

    @abstractmethod
    def show(self, values: np.ndarray, columns: int | None = None) -> Exhibit:
        """What there is to look at or to listen to. columns: of a grid; None = about square."""

    def sheet(self, source: Source, name: str) -> Exhibit:
        """Examples of a split to look at. name: of this field in its rows."""
        return self.show(self.values(source[np.arange(min(len(source), 100))][name]))

    def describe(self, source: Source, name: str) -> str:
        """What is in a split, besides how many examples, in half a line."""
        return ""

    def parse(self, text: str, n: int) -> np.ndarray:
        """What a person asks for, such as a class's name -> n stored rows. Raises UserError for what there is not."""
        raise UserError(f'"{text}" cannot be given here: give rows of the data, as sample.given=split:test.', code=2)

    def anything(self, n: int, seed: int) -> np.ndarray | None:
        """n stored rows where nothing is asked for, the first ones the same for any n. None: it takes data."""
        return None

    def begin(self, text: str, n: int) -> np.ndarray:
        """The beginning of a target -> n stored rows, as `method.KNOWN`. Raises UserError for what cannot begin one."""
        raise UserError(f'Nothing here begins with "{text}": leave sample.given empty.', code=2)

    def until(self, stored: np.ndarray, stop: str, known: np.ndarray | None) -> np.ndarray:
        """Samples, stored [n, ...], each to its first `stop` behind what was `known` of it, `stop` included.

        Raises UserError for what no text can stop.
        """
        raise UserError(f'Nothing here stops at "{stop}": leave sample.stop empty.', code=2)


@dataclass(frozen=True)
class DataSet:
    """A data set as training uses it.

    name: for messages; target: the field that is generated, from all the others; augment: what is done to training
    examples, in this order;
    folder: where TFDS keeps it, with its licence and citation;
    notes: what was read, changed and left out, a line each;
    changed: what is new since the run was trained, a line each (`data.meaning`);
    at_hand: whether the splits hold the examples, and not only their shapes;
    unpaired: the splits in which a row's target is not the true one for what the row gives.
    """

    name: str
    splits: Mapping[str, Source]
    fields: Mapping[str, Field]
    target: str
    augment: tuple[str, ...] = ()
    folder: Path | None = None
    notes: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    at_hand: bool = True
    unpaired: tuple[str, ...] = ()

    @property
    def made(self) -> Field:
        """The target's field."""
        return self.fields[self.target]

    @property
    def given(self) -> dict[str, Field]:
        """The fields that the target is generated from."""
        return {name: field for name, field in self.fields.items() if name != self.target}

    @property
    def given_facts(self) -> dict[str, Any]:
        """The facts of what is given, under the names of the fields: `label_classes`, `source_vocabulary`."""
        return {f"{name}_{key}": value for name, field in self.given.items() for key, value in field.facts.items()}

    @property
    def facts(self) -> dict[str, Any]:
        """What networks and methods are filled from, where no codec writes the target otherwise."""
        return {**self.given_facts, **self.made.facts}

    def prepare(self, key: Key, rows: Rows, train: bool) -> Batch:
        """Stored rows -> a batch. Traced on the device; train: with augmentation.

        An augmentation does the same to all fields that have one of its name, so that a pair stays a pair.
        """
        seen = {name: field.prepare(key, rows[name], train) for name, field in self.fields.items()}
        for name, name_key in zip(self.augment, jax.random.split(key, len(self.augment)), strict=True):
            for other, field in self.fields.items() if train else ():
                if name in field.augmentations:
                    seen[other] = field.augmentations[name](name_key, seen[other])
        return Batch(seen.pop(self.target), seen)

    def conditions(self, key: Key, rows: Rows) -> Given:
        """Stored rows of what is given -> as `prepare` has them. KNOWN, a part of the target, is prepared like it."""
        fields = {KNOWN: self.made, **self.fields}
        return {name: fields[name.removeprefix(UNLIKE)].prepare(key, stored, False) for name, stored in rows.items()}


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


def content_sha256(source: Source) -> str:
    """The SHA-256 of a split in memory; "" for one that streams."""
    return source.sha256 if isinstance(source, ArraySource) else ""
