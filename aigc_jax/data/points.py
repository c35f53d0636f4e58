"""The media of points: a density's points for families that read images, and for those that read tokens.

A point is stored in the same way for both, uint8 [1, 1, 2]: an image of one pixel whose two channels are x and y. So
its likelihood is one of 256 × 256 cells for every family, and what is measured on samples of one compares with another.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from PIL import Image

from aigc_jax.data import scatter
from aigc_jax.data.dataset import Source
from aigc_jax.data.images import LOOKED_AT, ImageMedium, save_arrays
from aigc_jax.data.pixels import facts_of, tokens_of
from aigc_jax.errors import UserError
from aigc_jax.method import Batch, Key
from aigc_jax.ops.densities import Density

SHAPE = (1, 1, 2)  # of a stored point


@dataclass(frozen=True, eq=False)
class PointMedium:
    """What both media share. density: the points' own."""

    kind: ClassVar = "points"
    density: Density

    def stored(self, samples: np.ndarray) -> np.ndarray:
        """Samples of a method -> uint8 [n, 1, 1, 2]."""
        raise NotImplementedError

    def values(self, samples: np.ndarray) -> np.ndarray:
        """uint8 [n, 2]: x and y of each."""
        return self.stored(samples).reshape(-1, 2)

    def examples(self, rows: Mapping[str, np.ndarray]) -> np.ndarray:
        """uint8 [n, 2]."""
        return rows["image"].reshape(-1, 2)

    def picture(self, values: np.ndarray) -> Image.Image:
        """The true density beside points. values: uint8 [n, 2]."""
        return scatter.picture(self.density, values)

    def write(self, samples: np.ndarray, stem: Path, *, columns: int | None = None) -> Path:
        """The true density beside the samples, as `<stem>.png`. columns: of a grid of samples, which this is not."""
        return scatter.write(self.density, self.stored(np.nan_to_num(samples)).reshape(-1, 2), stem)

    def save(self, samples: np.ndarray, asked: np.ndarray | None, stem: Path) -> Path:
        """`<stem>.npz` with "point", uint8 [n, 2], and where components were asked for "label"."""
        return save_arrays(stem, point=self.stored(samples).reshape(-1, 2), label=asked)

    def sheet(self, source: Source, stem: Path) -> Path:
        """The true density beside points of the split, as `<stem>.png`."""
        points = source[np.arange(min(len(source), LOOKED_AT))]["image"].reshape(-1, 2)
        return scatter.write(self.density, points, stem)

    def describe(self, source: Source) -> str:
        """The entropy of what the points are drawn from."""
        return f" of a density of {self.density.entropy:.4f} bits"


class PointImages(PointMedium):
    """Points for families that read images; the label is the density's component."""

    @property
    def _images(self) -> ImageMedium:
        return ImageMedium(tuple(map(str, range(self.density.components))), pad=0, augment=())

    def prepare(self, key: Key, batch: Batch, train: bool) -> Batch:
        """-> {"image": float32 [B, 1, 1, 2] in [-1, 1], "label": int32 [B]}."""
        return self._images.prepare(key, batch, train)

    def stored(self, samples: np.ndarray) -> np.ndarray:
        """float [n, 1, 1, 2] in [-1, 1] -> the cell that each lies in."""
        return self._images.stored(samples)

    def condition(self, text: str, n: int) -> np.ndarray | None:
        """A component's number -> that label n times; "each" -> the components in turn; "" -> None."""
        return self._images.condition(text, n)

    @property
    def facts(self) -> Mapping[str, Any]:
        return dict(image_shape=SHAPE, classes=self.density.components)


class PointTokens(PointMedium):
    """Points for families that read tokens: x, and then y given x."""

    def prepare(self, key: Key, batch: Batch, train: bool) -> Batch:
        """-> {"tokens": int32 [B, 3], BOS and two levels, "mask": float32 [B, 3] of ones}."""
        return tokens_of(batch["image"].reshape(-1, 2))

    def stored(self, samples: np.ndarray) -> np.ndarray:
        """int [n, 2], levels -> the same, as they are stored."""
        return np.asarray(samples, np.uint8).reshape(-1, *SHAPE)

    def condition(self, text: str, n: int) -> None:
        """ "" -> None. Raises UserError for a prompt, which points do not have."""
        if text:
            raise UserError(f'Points take no prompt such as "{text}": leave sample.condition empty.', code=2)

    @property
    def facts(self) -> Mapping[str, Any]:
        return facts_of(2)
