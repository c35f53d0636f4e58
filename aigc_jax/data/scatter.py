"""A picture of points beside the density that they are meant to be of."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from aigc_jax.ops.densities import Density
from aigc_jax.ops.likelihood import LEVELS

SCALE = 2  # pixels of a cell's side
SIDE = SCALE * LEVELS  # of a panel
MARGIN, CAPTION = 16, 34  # pixels around the panels, and below them for a line of text
FONT = 16  # pixels
INK = 0.55  # of the paper that a dot covers: several in one place are darker than one
GAMMA = 0.5  # of the density's shades, so that its tails show

PAPER = np.array([255, 255, 255])
SHADE = np.array([236, 239, 244])  # where the data are
TEXT = (40, 44, 52)
ON, OFF = np.array([24, 72, 150]), np.array([214, 48, 49])  # dots, where the data are and elsewhere
RAMP = np.array([[255, 255, 255], [190, 214, 240], [84, 140, 204], [24, 72, 150], [10, 24, 66]])  # from 0 to the peak


def write(density: Density, points: np.ndarray, stem: Path) -> Path:
    """The `picture` as `<stem>.png`."""
    path = stem.with_name(stem.name + ".png")
    path.parent.mkdir(parents=True, exist_ok=True)
    picture(density, points).save(path)
    return path


def picture(density: Density, points: np.ndarray) -> Image.Image:
    """The density, and beside it the points, with those off the data in red. points: uint8 [n, 2]."""
    x, y = points.T
    off = 1 - density.region[x, y].mean() if len(points) else 0.0
    panels = (
        (_shades(density.masses), f"{density.name}: the true density, {density.entropy:.2f} bits"),
        (_dots(density.region, points), f"{len(points):,} samples, {off:.1%} of them off the data"),
    )
    page = Image.new("RGB", (2 * SIDE + 3 * MARGIN, SIDE + MARGIN + CAPTION), tuple(PAPER))
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(FONT)
    for number, (panel, caption) in enumerate(panels):
        left = MARGIN + number * (SIDE + MARGIN)
        page.paste(Image.fromarray(panel), (left, MARGIN))
        draw.rectangle((left - 1, MARGIN - 1, left + SIDE, MARGIN + SIDE), outline=tuple(SHADE - 40))
        draw.text((left + SIDE / 2, MARGIN + SIDE + CAPTION / 2), caption, TEXT, font, anchor="mm")
    return page


def _shades(masses: np.ndarray) -> np.ndarray:
    height = (masses / masses.max()) ** GAMMA
    places = np.linspace(0, 1, len(RAMP))
    return _upright(np.stack([np.interp(height, places, channel) for channel in RAMP.T], -1))


def _dots(region: np.ndarray, points: np.ndarray) -> np.ndarray:
    counts = np.zeros(region.shape)
    np.add.at(counts, tuple(points.T), 1)
    paper = np.where(region[..., None], SHADE, PAPER)
    covered = (1 - (1 - INK) ** counts)[..., None]
    return _upright(paper + covered * (np.where(region[..., None], ON, OFF) - paper))


def _upright(cells: np.ndarray) -> np.ndarray:
    """Cells [x, y, RGB] as the rows of an image, with y upwards: uint8 [SIDE, SIDE, 3]."""
    rows = np.rint(cells.swapaxes(0, 1)[::-1]).astype(np.uint8)
    return rows.repeat(SCALE, axis=0).repeat(SCALE, axis=1)
