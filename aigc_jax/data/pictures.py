"""Image files as people have them, and the pixels that are made of them.

* Levels: files of 8 bits are taken as they are. Grey integers of more bits are scaled by one white for all files of a
  folder: 2^b - 1, where b is the least of `BITS` that holds every value there (so 12 bits in files of 16 are 12 bits).
  Floats have 0 as black and 1 as white; others, NaN and values below 0 are refused. Colours of 16 bits lose their lower
  bits, and are refused where the upper ones are nearly unused.
* Transparency: what is transparent lies on white.
* Metadata: an orientation is followed, animations give their first frame; metadata that is damaged is passed over.
* Shape: the central square, resized with Lanczos's filter.
"""

import hashlib
import io
import os
import struct
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from aigc_jax.data.files import printable
from aigc_jax.errors import UserError

FORMATS = (
    "PNG", "JPEG", "MPO", "WEBP", "AVIF", "GIF", "BMP", "DIB", "TIFF", "PPM", "JPEG2000", "TGA", "PCX", "ICO", "QOI",
    "SGI", "PSD", "DDS",
)  # fmt: skip
SUFFIXES = frozenset(suffix for suffix, kind in Image.registered_extensions().items() if kind in FORMATS)
READERS = tuple(kind for kind in FORMATS if kind in Image.OPEN)  # those of this Pillow; no other reader is started
BITS = (8, 10, 12, 14, 16, 24, 32)  # what deep images hold
COARSE = 64  # of 256 levels: colours of 16 bits that stay below hold 14 bits or fewer
FULL = 2**16 - 1
TURNS = {  # the EXIF orientation -> what makes it upright
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
ORIENTATION, PHOTOMETRIC = 0x112, 262  # tags of EXIF and TIFF
PIXELS_OF_PNG = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")  # the chunks that pixels are made of
PNG, JPEG, JPEG_END = b"\x89PNG\r\n\x1a\n", b"\xff\xd8", b"\xff\xd9"
SCAN, COMMENT, ADOBE = 0xDA, 0xFE, 0xEE  # markers of JPEG; that of Adobe says which colours it holds
ADOBE_LENGTH = 13  # bytes: with fewer it is damaged
WORKERS = min(16, os.cpu_count() or 1)  # threads that decode
CHUNK = 256  # files that are read ahead
NAMED = 5  # damaged files that a message names


class Picture(NamedTuple):
    """An image file's pixels, and what it was before."""

    pixels: np.ndarray  # uint8 [H, W, C]
    width: int  # upright, before resizing
    height: int
    grey: bool
    transparent: bool  # in part at least
    deep: bool  # grey levels of more than 8 bits
    animated: bool


class Survey(NamedTuple):
    """What is asked of all files of a folder before the first is made pixels of."""

    digests: tuple[bytes, ...]  # SHA-256 of each file
    white: int  # the value that is white in deep images of integers


def read(path: Path, size: int, channels: int, white: int | None = None) -> Picture:
    """An image file by the rules above.

    size: the side of the square, 0 = as it is; channels: 1 (grey) or 3; white: see `Survey`, None = of this file alone.
    Raises UserError, naming the file, if it is damaged or far too large.
    """
    with _naming(path):
        image = _loaded(path.read_bytes())
        deep = _deep(image)
        grey = deep or image.mode in ("1", "L", "LA", "La")
        upright, transparent = _flat(_upright(levels(image, white) if deep else image, _orientation(image)))
        return Picture(fit(upright, size, channels), *upright.size, grey, transparent, deep, _animated(image))


def read_all(files: Sequence[Path], size: int, channels: int, white: int) -> Iterator[Picture]:
    """The files in their order, decoded by threads.

    Raises UserError, naming files that are damaged, after the last one was tried.
    """

    def attempt(path: Path) -> Picture | UserError:
        try:
            return read(path, size, channels, white)
        except UserError as error:
            return error

    damaged: list[tuple[Path, UserError]] = []
    with ThreadPoolExecutor(WORKERS, thread_name_prefix="decode") as pool:
        for start in range(0, len(files), CHUNK):
            chunk = files[start : start + CHUNK]
            with _quiet():
                found = list(pool.map(attempt, chunk))
            damaged += [(path, one) for path, one in zip(chunk, found, strict=True) if isinstance(one, UserError)]
            if not damaged:
                yield from (one for one in found if isinstance(one, Picture))
    if damaged:
        others = [printable(path) for path, _ in damaged[1:]]
        named = ", ".join(others[:NAMED]) + (", …" if len(others) > NAMED else "")
        more = f" {len(others):,} other{'s' * (len(others) > 1)} cannot be read either: {named}." if others else ""
        raise UserError(f"{damaged[0][1]}{more}")


def survey(files: Sequence[Path]) -> Survey:
    """Looks at every file once. Raises UserError for colours whose levels Pillow cannot keep."""
    with _quiet(), ThreadPoolExecutor(WORKERS, thread_name_prefix="survey") as pool:
        found = list(pool.map(_surveyed, files))
    digests, tops, colours = zip(*found, strict=True)
    brightest = max((top for top in colours if top is not None), default=None)
    if brightest is not None and brightest < COARSE:
        dim = printable(files[colours.index(brightest)])
        raise UserError(
            f"{dim} is of 16 bits, of which colours keep the upper 8, and those reach {brightest} of 255 in all such "
            "files: scale them to the full range, or save them with 8 bits."
        )
    return Survey(digests, whites(max((top for top in tops if top is not None), default=0)))


def whites(top: int) -> int:
    """The white of grey levels that reach `top`."""
    return 2 ** next(bits for bits in BITS if top < 2**bits) - 1


def levels(image: Image.Image, white: int | None) -> Image.Image:
    """Deep levels as 8 bits; other images as they are. white: None = of this image alone."""
    if not _deep(image):
        return image
    values = np.asarray(image)
    if not np.isfinite(values).all():
        raise ValueError("it holds NaN or infinity")
    low, high = values.min(), values.max()
    if image.mode == "F":
        if low < 0 or high > 1:
            raise ValueError(f"its floats reach from {low:g} to {high:g}, and 0 is read as black, 1 as white: scale it")
        white = 1
    elif low < 0:
        raise ValueError(f"its values reach from {low} to {high}, and 0 is read as black: save it unsigned")
    white = white or whites(int(high))
    scaled = np.rint(values * (255.0 / white)).astype(np.uint8)
    if getattr(image, "tag_v2", {}).get(PHOTOMETRIC) == 0:  # TIFF: 0 is white
        scaled = 255 - scaled
    result = Image.fromarray(scaled)
    if isinstance(clear := image.info.get("transparency"), int):
        result.putalpha(Image.fromarray(np.where(values == clear, 0, 255).astype(np.uint8)))
    return result


def fit(image: Image.Image, size: int, channels: int) -> np.ndarray:
    """The central square of an image of 8 bits, on white. -> uint8 [size, size, channels]; size 0: as it is."""
    image = _flat(image)[0]
    if image.mode not in ("1", "L"):
        image = image.convert("RGB")  # not every mode becomes grey directly
    image = image.convert("L" if channels == 1 else "RGB")
    if size:
        image = ImageOps.fit(image, (size, size), Image.Resampling.LANCZOS)
    return np.asarray(image, np.uint8).reshape(image.height, image.width, channels)


def _flat(image: Image.Image) -> tuple[Image.Image, bool]:
    """(the image on white, whether any of it was transparent)."""
    if not image.has_transparency_data:
        return image, False
    image = image.convert("RGBA")
    if image.getchannel("A").getextrema()[0] == 255:
        return image.convert("RGB"), False
    page = Image.new("RGBA", image.size, "white")
    page.alpha_composite(image)
    return page.convert("RGB"), True


def _upright(image: Image.Image, orientation: int) -> Image.Image:
    return image.transpose(TURNS[orientation]) if orientation in TURNS else image


def _orientation(image: Image.Image) -> int:
    try:
        return image.getexif().get(ORIENTATION, 1)
    except Exception:  # damaged metadata raises whatever its parsers do
        return 1


def _deep(image: Image.Image) -> bool:
    return image.mode == "F" or image.mode.startswith("I")


def _animated(image: Image.Image) -> bool:
    try:
        return getattr(image, "n_frames", 1) > 1 and image.format != "MPO"  # a camera's MPO holds views of a scene
    except Exception:  # a damaged table of frames
        return False


def _raw_mode(arguments: Any) -> str:
    """How a tile's bytes lie: "RGB;16B", …"""
    return str(arguments[0] if isinstance(arguments, tuple) and arguments else arguments)


def _surveyed(path: Path) -> tuple[bytes, int | None, int | None]:
    """(SHA-256, the highest value of deep grey integers, the highest of 256 levels of colours of 16 bits)."""
    try:
        data = path.read_bytes()
    except OSError:
        return b"", None, None  # `read` says so
    digest = hashlib.sha256(data).digest()
    try:
        image = _opened(data)
        wide = not _deep(image) and any(";16" in _raw_mode(tile[3]) for tile in getattr(image, "tile", ()))
        if not wide and (image.mode == "F" or not _deep(image)):
            return digest, None, None
        image = _loaded(data)
        if wide:
            return digest, None, int(np.asarray(image.convert("RGB")).max())
        return digest, int(np.asarray(image).max()), None
    except Exception:  # damaged: `read` says so
        return digest, None, None


def _opened(data: bytes) -> Image.Image:
    """An image of which the header was read."""
    image = Image.open(io.BytesIO(data), formats=READERS)
    if image.width * image.height > (Image.MAX_IMAGE_PIXELS or float("inf")):
        raise Image.DecompressionBombError(f"{image.width} × {image.height} pixels")
    return image


def _loaded(data: bytes) -> Image.Image:
    """An image with its pixels; what is damaged beside them is left out."""
    try:
        image = _opened(data)
        image.load()
        return image
    except Image.DecompressionBombError:
        raise
    except Exception:
        for whole in _mended(data):
            image = _opened(whole)
            image.load()
            return image
        raise


def _mended(data: bytes) -> Iterator[bytes]:
    """The same pixels without what may be damaged beside them, where that can be told apart."""
    if data.startswith(PNG):
        parts, at = [PNG], len(PNG)
        while at + 12 <= len(data):
            (length,) = struct.unpack_from(">I", data, at)
            if data[at + 4 : at + 8] in PIXELS_OF_PNG:
                parts.append(data[at : at + 12 + length])
            at += 12 + length
        yield b"".join(parts)
    if data.startswith(JPEG):
        parts, at = [JPEG], len(JPEG)
        while at + 4 <= len(data) and data[at] == 0xFF and data[at + 1] != SCAN:
            end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
            if not (0xE0 <= data[at + 1] <= 0xEF or data[at + 1] == COMMENT) or (
                data[at + 1] == ADOBE and end > at + 13
            ):
                parts.append(data[at:end])
            at = end
        bare = b"".join(parts) + data[at:]
        ends = bare + JPEG_END, bare + b"\x55" * 64 + JPEG_END
        one, other = (np.asarray(_opened(end)) for end in ends)
        if np.array_equal(one, other):  # all pixels are there: what follows them does not change them
            yield ends[0]


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    name = printable(path)
    try:
        yield
    except Image.DecompressionBombError as error:
        raise UserError(f"{name} is too large to decode safely ({error}): make it smaller or remove it.") from error
    except Exception as error:  # Pillow's readers have no exception in common
        unknown = isinstance(error, UnidentifiedImageError)  # whose text is an address in memory
        reason = "in no form that is known" if unknown else " ".join(str(error).split()) or type(error).__name__
        raise UserError(
            f"{name} cannot be read as an image ({reason}): repair it, remove it, or let its name begin with a dot."
        ) from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Without Pillow's warnings about metadata. Not for threads: Python keeps one list of filters for all."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
