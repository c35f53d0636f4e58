"""Images side by side on one page."""

import io
import math
from pathlib import Path

import numpy as np
from PIL import Image

from aigc_jax.data.exhibit import Exhibit

LOOKABLE = 64  # pixels: images with a shorter side are enlarged
GAP = 2  # pixels between images
PAPER = 255  # the grey level of the gaps


def grid(images: np.ndarray, columns: int | None = None) -> Image.Image:
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


def write_grid(images: np.ndarray, stem: Path, columns: int | None = None) -> Path:
    """A `grid` of images as `<stem>.png`."""
    return Exhibit.picture(grid(images, columns)).write(stem)


def png(image: np.ndarray) -> io.BytesIO:
    """An image as an encoded file. image: uint8 [H, W, C]."""
    return io.BytesIO(Exhibit.picture(Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)).content)
