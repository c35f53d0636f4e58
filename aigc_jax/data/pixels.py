"""The medium of pixels: images for families that read tokens, a token for each grey level or colour channel.

Rows from the top, each from the left, of each pixel its channels (van den Oord et al. 2016, arXiv:1601.06759, section
2.1). Images are stored as ever, and so the likelihood of the 256 levels and what is measured on samples compare with
those of families that read images.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from PIL import Image

from aigc_jax.data.dataset import Source
from aigc_jax.data.images import ImageMedium, save_arrays, write_grid
from aigc_jax.errors import UserError
from aigc_jax.method import Batch, Key
from aigc_jax.ops.augment import HALF
from aigc_jax.ops.likelihood import LEVELS

BOS = LEVELS  # the token before an image; 0 … 255 are the levels
NONE = -1  # no token: an image has no end of its own


def tokens_of(levels: jax.Array) -> Batch:
    """Levels [B, L] -> {"tokens": int32 [B, L + 1], BOS and the levels, "mask": float32 [B, L + 1] of ones}."""
    tokens = jnp.concatenate([jnp.full_like(levels[:, :1], BOS, jnp.int32), levels.astype(jnp.int32)], axis=1)
    return {"tokens": tokens, "mask": jnp.ones(tokens.shape, jnp.float32)}


def facts_of(length: int) -> dict[str, Any]:
    """What networks and methods are filled from. length: levels of an example."""
    # BOS pads too, since a sampler never chooses what pads: its samples are levels, all of them.
    return dict(vocabulary=LEVELS + 1, length=length, pad=BOS, bos=BOS, eos=NONE, unit="dim")


@dataclass(frozen=True)
class PixelTokens:
    """Images uint8 [B, H, W, C] as tokens. shape: of an image as the network sees it, with what `images` pads."""

    kind: ClassVar = ImageMedium.kind
    images: ImageMedium
    shape: tuple[int, int, int]

    def prepare(self, key: Key, batch: Batch, train: bool) -> Batch:
        """-> {"tokens": int32 [B, H W C + 1], "mask": float32 of ones}."""
        seen = self.images.prepare(key, batch, train)["image"]
        levels = jnp.rint((seen + 1) * HALF)
        return tokens_of(levels.reshape(levels.shape[0], -1))

    def stored(self, samples: np.ndarray) -> np.ndarray:
        """int [n, H W C], levels -> uint8 [n, H, W, C], without what `prepare` pads."""
        (height, width, _), pad = self.shape, self.images.pad
        levels = np.asarray(samples, np.uint8).reshape(-1, *self.shape)
        return levels[:, pad : height - pad, pad : width - pad]

    def values(self, samples: np.ndarray) -> np.ndarray:
        """As `stored` gives them: uint8 [n, H, W, C]."""
        return self.stored(samples)

    def examples(self, rows: Mapping[str, np.ndarray]) -> np.ndarray:
        """As for images."""
        return self.images.examples(rows)

    def picture(self, values: np.ndarray) -> Image.Image:
        """As for images."""
        return self.images.picture(values)

    def write(self, samples: np.ndarray, stem: Path, *, columns: int | None = None) -> Path:
        """A grid as `<stem>.png`. samples: int [n, H W C]; columns: None = about square."""
        return write_grid(self.stored(samples), stem, columns)

    def save(self, samples: np.ndarray, asked: np.ndarray | None, stem: Path) -> Path:
        """`<stem>.npz` with "image", as `stored` gives them."""
        return save_arrays(stem, image=self.stored(samples))

    def condition(self, text: str, n: int) -> None:
        """ "" -> None. Raises UserError for a prompt, which pixels do not have."""
        if text:
            raise UserError(f'Pixels take no prompt such as "{text}": leave sample.condition empty.', code=2)

    def sheet(self, source: Source, stem: Path) -> Path:
        """As for images."""
        return self.images.sheet(source, stem)

    def describe(self, source: Source) -> str:
        """As for images."""
        return self.images.describe(source)

    @property
    def facts(self) -> dict[str, Any]:
        return facts_of(math.prod(self.shape))
