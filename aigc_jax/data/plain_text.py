"""A text file's characters: one way in for every reader of texts."""

import codecs
from pathlib import Path

from aigc_jax.data.files import printable
from aigc_jax.errors import UserError

MARKS = (  # in this order: UTF-32's begins as UTF-16's does
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
FORMATS = {b"%PDF": "PDF", b"PK\x03\x04": "a ZIP archive, as .docx, .odt and .epub are", b"\x1f\x8b": "gzip"}


def content(path: Path) -> bytes:
    """What is in a file. Raises UserError where it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(
            f"{printable(path)} cannot be read ({error.strerror}): check the path and its permissions."
        ) from error


def decoded(path: Path) -> tuple[str, str]:
    """A file's text and its encoding. Raises UserError with the byte at which it is not in that encoding."""
    where = printable(path)
    read = content(path)
    for signature, kind in FORMATS.items():
        if read.startswith(signature):
            raise UserError(f"{where} is {kind}, and no plain text: save it as text first.")
    mark, encoding = next(((mark, name) for mark, name in MARKS if read.startswith(mark)), (b"", "utf-8"))
    try:
        text = read.decode("utf-8-sig" if encoding == "utf-8" else encoding)
    except UnicodeDecodeError as error:
        byte, start = error.object[error.start], error.start + (len(mark) if encoding == "utf-8" else 0)
        raise UserError(
            f"{where} is not {encoding.upper()} (byte {byte:#04x} at offset {start}): convert it first, as with "
            f'"iconv -f {_guess(read)} -t UTF-8", or with what it is written in.'
        ) from error
    if text.count("\0") > len(text) / 4:
        raise UserError(
            f"{where} is not UTF-8 (a quarter of its bytes are 0): convert it first, as with "
            f'"iconv -f {"UTF-16BE" if read[0] == 0 else "UTF-16LE"} -t UTF-8".'
        )
    return text, encoding


def _guess(content: bytes) -> str:
    """What a text that is no UTF-8 may be written in, for a message."""
    try:
        text = content.decode("gb18030")
    except UnicodeDecodeError:
        return "WINDOWS-1252"
    return "GB18030" if sum("\u4e00" <= character <= "\u9fff" for character in text) > len(text) / 4 else "WINDOWS-1252"
