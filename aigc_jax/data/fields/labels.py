"""Classes."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from aigc_jax.config import nearest
from aigc_jax.data.dataset import Field, Source
from aigc_jax.data.exhibit import Exhibit
from aigc_jax.errors import UserError
from aigc_jax.method import Array, Key

LISTED = 200  # classes whose counts a line gives


@dataclass(frozen=True)
class Label(Field):
    """The class of an example, int32 [n]. names: of the classes, in the order of their numbers."""

    kind: ClassVar = "labels"
    names: tuple[str, ...]

    @property
    def facts(self) -> Mapping[str, Any]:
        """classes: how many there are."""
        return dict(classes=len(self.names))

    @property
    def meanings(self) -> tuple[str, ...]:
        """The names."""
        return self.names

    def prepare(self, key: Key, stored: Array, train: bool) -> Array:
        """-> int32 [B]."""
        return stored.astype("int32")

    def stored(self, prepared: np.ndarray) -> np.ndarray:
        """-> int32 [n]."""
        return np.asarray(prepared, np.int32)

    def values(self, stored: np.ndarray) -> np.ndarray:
        """The classes' names, strings [n]."""
        return np.array(self.names)[stored]

    def show(self, values: np.ndarray, columns: int | None = None) -> Exhibit:
        """A name a line."""
        return Exhibit.text("".join(f"{name}\n" for name in values))

    def describe(self, source: Source, name: str) -> str:
        """How many there are of each class, or of how many classes."""
        if source.arrays is None:
            return ""
        counts = Counter(source.arrays[name].tolist())
        if len(self.names) > LISTED:
            return f"; {len(counts):,} of {len(self.names):,} classes"
        return "; " + ", ".join(f"{each} {counts[i]:,}" for i, each in enumerate(self.names))

    def parse(self, text: str, n: int) -> np.ndarray:
        """A class's name or number -> that label n times; "each" -> the classes in turn."""
        classes = len(self.names)
        if text in self.names:
            return np.full(n, self.names.index(text), np.int32)
        if text == "each":
            return np.arange(n, dtype=np.int32) % classes
        if text.isdecimal() and int(text) < classes:
            return np.full(n, int(text), np.int32)
        raise UserError(
            f'There is no class "{text}": give a number below {classes}, "each" or a class\'s name.'
            f"{nearest(text, self.names)}",
            code=2,
        )

    def anything(self, n: int, seed: int) -> np.ndarray:
        """Classes drawn at random, all alike probable."""
        return np.random.RandomState(seed).randint(len(self.names), size=n, dtype=np.int32)
