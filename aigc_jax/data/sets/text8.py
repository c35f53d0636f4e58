"""text8: 100 million characters of English Wikipedia of 2006, the letters a to z and spaces (Mahoney 2011).

Split by position, as is usual: the first 90 million characters to train on, 5 million to validate, 5 million to test
(Mikolov et al. 2012, Subword language modeling with neural networks). A shorter file, a part of it, is split in the
same shares. A split is one text, cut into windows, so that no window but its last has an end: bits a character are of
those characters, and of 1 end more.
"""

from pathlib import Path

from aigc_jax.data.dataset import DataSet
from aigc_jax.data.files import printable
from aigc_jax.data.plain_text import content
from aigc_jax.data.store import folder_name, local_builder
from aigc_jax.data.text_sets import Coding, Length, TextConfig, Texts, text_dataset
from aigc_jax.errors import UserError
from aigc_jax.places import expanded
from aigc_jax.ranges import Count

LETTERS = b" abcdefghijklmnopqrstuvwxyz"
HELD = 20  # a twentieth of the characters is the test split, and as many before them the validation split
SOURCE = "http://mattmahoney.net/dc/text8.zip"


class Text8(Texts):
    """Three texts."""


def read_splits(read: bytes, path: Path) -> dict[str, list[str]]:
    """Split -> its one text. Raises UserError where a file has other characters, or too few."""
    if others := read.translate(None, LETTERS).decode("utf-8", "replace"):
        raise UserError(
            f'{printable(path)} (key "data.path") has other characters than a to z and spaces, such as {others[0]!r}: '
            f'unpack {SOURCE}, or read other texts by --config.data.name="text_folder".'
        )
    held = len(read) // HELD
    if not held:
        raise UserError(f'{printable(path)} (key "data.path") has {len(read)} characters: unpack {SOURCE}.')
    text = read.decode("ascii")
    return {"train": [text[: -2 * held]], "validation": [text[-2 * held : -held]], "test": [text[-held:]]}


def load(*, data_dir: Path, path: str, length: Length, extra_tokens: Count = 0) -> DataSet:
    """The windows of the three texts by characters, in memory.

    path: the file text8. length: tokens of a window. extra_tokens: further ones, of which the first is the mask.
    """
    place = expanded(path)
    read = content(place)
    config = TextConfig(
        name=folder_name([read]),
        version="1.0.0",
        description="Characters of English Wikipedia, split by position.",
        homepage="http://mattmahoney.net/dc/textdata.html",
        licence="that of Wikipedia in 2006: GNU Free Documentation License",
        read=lambda: (read_splits(read, place), {"characters": len(read)}),
    )
    builder = local_builder(Text8, config, data_dir)
    said = f"Read: {len(read):,} characters, split by position: the last 5 % are test, the 5 % before them validation."
    return text_dataset("text8", builder, Coding(0, extra_tokens=extra_tokens), length=length, notes=[said])
