"""Characters as fonts draw them.

A glyph is drawn by Pillow in black on white, `OVERSAMPLING` times as large as it is wanted, and reduced by the mean of
each block: fonts bring other drawings for small sizes, and rules for fitting them to pixels, which are passed by so.
The em is `EM` of the square's side, and the middle of what is inked lies in the middle of the square.
"""

import functools
import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from aigc_jax.data.files import printable
from aigc_jax.errors import ConfigError, UserError
from aigc_jax.places import expanded

EM, OVERSAMPLING = 7 / 8, 4
PROBE = 32  # pixels an em, to see what a font has
NO_CHARACTER = "\U0010ffff"  # which Unicode never assigns: every font draws what it draws for what it lacks


class Font(NamedTuple):
    """A file of fonts. package: of Debian and Ubuntu, that brings it; "" = the user's own."""

    path: Path
    number: int  # of the font in a collection
    package: str
    licence: str


def _font(package: str, file: str, licence: str, number: int = 0) -> Font:
    return Font(Path("/usr/share/fonts", file), number, package, licence)


ARPHIC = "Arphic Public License"
FONTS: Mapping[str, Font] = {
    "zenhei": _font("fonts-wqy-zenhei", "truetype/wqy/wqy-zenhei.ttc", "GPL-2 with font embedding exception"),
    "microhei": _font("fonts-wqy-microhei", "truetype/wqy/wqy-microhei.ttc", "Apache-2.0, or GPL-3+ with exception"),
    "wenkai": _font("fonts-lxgw-wenkai", "truetype/lxgw-wenkai/LXGWWenKai-Regular.ttf", "OFL-1.1"),
    "noto_sans": _font("fonts-noto-cjk", "opentype/noto/NotoSansCJK-Regular.ttc", "OFL-1.1", 2),
    "noto_serif": _font("fonts-noto-cjk", "opentype/noto/NotoSerifCJK-Regular.ttc", "OFL-1.1", 2),
    "gkai": _font("fonts-arphic-gkai00mp", "truetype/arphic-gkai00mp/gkai00mp.ttf", ARPHIC),
    "gbsn": _font("fonts-arphic-gbsn00lp", "truetype/arphic-gbsn00lp/gbsn00lp.ttf", ARPHIC),
    "ukai": _font("fonts-arphic-ukai", "truetype/arphic/ukai.ttc", ARPHIC),
    "uming": _font("fonts-arphic-uming", "truetype/arphic/uming.ttc", ARPHIC),
}
"""Fonts of Debian that have all of GB 2312. gkai and ukai are nearly the same, as are gbsn and uming."""


def found(name: str) -> tuple[str, Font]:
    """(name of its field, font) of a name of `FONTS` or the path of a file, `FILE.ttc:2` for the third font in it.

    Raises ConfigError for a name that is neither, UserError for a file that is missing or no font.
    """
    field, font = name, FONTS.get(name)
    if font is None:
        file, number = re.fullmatch(r"(.*?)(?::(\d+))?", name, re.DOTALL).groups()  # type: ignore[union-attr]
        path = expanded(file)
        if not path.suffix:
            raise ConfigError(f'data.fonts: "{name}" is no file of a font, and none of {", ".join(FONTS)}.')
        field = re.sub(r"\W+", "_", f"{path.stem}_{number}" if number else path.stem).lower()
        font = Font(path, int(number or 0), "", "that of the font; not known here")
    if not font.path.is_file():
        remedy = f"apt-get install {font.package}" if font.package else "check the path"
        raise UserError(f'There is no font {printable(font.path)} (key "data.fonts"): {remedy}')
    _opened(font, PROBE)
    return field, font


@functools.lru_cache(maxsize=16)
def _opened(font: Font, size: int) -> ImageFont.FreeTypeFont:
    try:
        return ImageFont.truetype(font.path, size, font.number, layout_engine=ImageFont.Layout.BASIC)
    except OSError as error:
        raise UserError(f'{printable(font.path)} cannot be read as a font ({error}; key "data.fonts").') from error


def has(font: Font, character: str) -> bool:
    """Whether a font draws this character, and not what it draws for those that it lacks."""
    shape = _shape(font, character)
    return any(shape[1]) and shape != _shape(font, NO_CHARACTER)


def _shape(font: Font, character: str) -> tuple[tuple[int, int], bytes]:
    """What is inked: size, and a byte a pixel."""
    mask = _opened(font, PROBE).getmask(character)
    return mask.size, bytes(mask)


def glyph(font: Font, character: str, size: int) -> np.ndarray:
    """A character -> uint8 [size, size, 1], black on white."""
    side = size * OVERSAMPLING
    opened = _opened(font, round(EM * side))
    left, top, right, bottom = opened.getbbox(character)
    page = Image.new("L", (side, side), 255)
    place = (side - left - right) / 2, (side - top - bottom) / 2
    ImageDraw.Draw(page).text(place, character, fill=0, font=opened)
    return np.asarray(page.reduce(OVERSAMPLING))[..., None]
