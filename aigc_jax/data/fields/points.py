"""Points of a density in the plane whose every mass is known (`ops.densities`)."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from aigc_jax.data import scatter
from aigc_jax.data.dataset import Field, Source
from aigc_jax.data.exhibit import Exhibit
from aigc_jax.data.fields.pixels import LOOKED_AT, Pixels
from aigc_jax.method import Array, Key
from aigc_jax.ops import densities
from aigc_jax.ops.likelihood import LEVELS

SHAPE = (1, 1, 2)  # of a point as networks see it: an image of one pixel, whose two channels are x and y
AS_IMAGES = Pixels(SHAPE)


@dataclass(frozen=True)
class Point(Field):
    """Points uint8 [n, 2], x and y. A likelihood of one is of 256 × 256 cells, for every family."""

    kind: ClassVar = "points"
    of: str  # the density's name

    @cached_property
    def density(self) -> densities.Density:
        """What the points are drawn from."""
        return densities.density(self.of)

    @property
    def facts(self) -> Mapping[str, Any]:
        """shape: of a point as networks see it; levels: that a coordinate has."""
        return dict(shape=SHAPE, levels=LEVELS)

    def prepare(self, key: Key, stored: Array, train: bool) -> Array:
        """-> float32 [B, 1, 1, 2] in [-1, 1]."""
        return AS_IMAGES.prepare(key, stored.reshape(-1, *SHAPE), train)

    def stored(self, prepared: np.ndarray) -> np.ndarray:
        """float [n, 1, 1, 2] in [-1, 1] -> the cell that each lies in, uint8 [n, 2]."""
        return AS_IMAGES.stored(prepared).reshape(-1, 2)

    def show(self, values: np.ndarray, columns: int | None = None) -> Exhibit:
        """The true density beside the points."""
        return Exhibit.picture(scatter.picture(self.density, values))

    def sheet(self, source: Source, name: str) -> Exhibit:
        """The true density beside points of the split."""
        return self.show(source[np.arange(min(len(source), LOOKED_AT))][name])

    def describe(self, source: Source, name: str) -> str:
        """The entropy of what the points are drawn from."""
        return f" of a density of {self.density.entropy:.4f} bits"
