"""Images of characters: how many can be read as the character that is meant."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

import numpy as np

from aigc_jax.data.rows import CHARACTER
from aigc_jax.errors import UserError
from aigc_jax.evaluate.measure import Measure
from aigc_jax.metrics import ocr
from aigc_jax.metrics.bootstrap import Estimate, ratio

OCR = "ocr"  # what a configuration names it


class Written(NamedTuple):
    """Images and what they are meant to show."""

    images: np.ndarray  # uint8 [N, H, W, C]
    characters: np.ndarray  # strings [N]


class Shows(Protocol):
    """What has been seen of some images."""

    written: Written | None


def measure_ocr() -> Measure:
    """The share of images that are read as the character that is meant, of those in the reader's alphabet.

    Raises UserError where the reader is not installed.
    """
    reader = ocr.reader()

    def estimate(real: Shows, made: Shows) -> tuple[Estimate, ...]:
        if made.written is None:
            raise UserError(
                f'the images show no characters that are known: take data with a field "{CHARACTER}", such as glyphs, '
                "and samples of its rows (given=split:test)."
            )
        images, meant = made.written
        known = np.isin(meant, reader.alphabet)
        if not known.any():
            raise UserError("the reader knows none of the characters that are meant.")
        right = known & (reader.read(images) == meant)
        return (ratio(right, known)._replace(least=0.0, most=1.0),)

    return Measure((f"OCR-{ocr.NAME}",), {"reader_sha256": ocr.SHA256}, estimate)


def written(rows: Mapping[str, np.ndarray], name: str, meanings: Mapping[str, Sequence[str]]) -> Written | None:
    """What rows say of the characters in their images; None where they say nothing. name: of the images."""
    if CHARACTER not in rows:
        return None
    return Written(rows[name], np.array(meanings[CHARACTER], str)[rows[CHARACTER]])


def joined(parts: Sequence[Written | None]) -> Written | None:
    """The images of several parts, where all of them say what they show."""
    whole = [part for part in parts if part is not None]
    return Written(*map(np.concatenate, zip(*whole, strict=True))) if whole and len(whole) == len(parts) else None
