"""Tang poems in traditional characters, or any folder of UTF-8 text files.

The poems are the files poet.tang.*.json of the npm package chinese-poetry (57,607 poems):

    npm pack chinese-poetry@2.0.1 && tar xzf chinese-poetry-2.0.1.tgz package/dist/quantangshi

A text is the title and the verses, a line each. Poems with lacunae or editors' remarks in
them (boxes, brackets, digits) are left out and counted. In a folder without these files every
.txt file is read; blank lines separate documents. Texts are split by their content without
the title, about 90 / 5 / 5, so that duplicates fall on one side.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from aigc_jax.data.dataset import DataSet
from aigc_jax.data.store import fingerprint, local_builder, split_by_content
from aigc_jax.data.text_sets import Length, TextConfig, Texts, text_dataset
from aigc_jax.errors import UserError
from aigc_jax.ranges import Count

POEMS = "poet.tang.*.json"
# Boxes and circles for lost characters, brackets of editors, descriptions of rare characters, private code points.
EDITED = re.compile(r"[□●○()（）\[\]［］{}〖〗…/=|+0-9\u2ff0-\u2fff\ue000-\uf8ff]")
BLANK = re.compile(r"\n\s*\n")
HOMEPAGE = "https://github.com/chinese-poetry/chinese-poetry"
LICENCE = "MIT, (c) 2016 JackeyGao; the poems are in the public domain"
CITATION = "chinese-poetry 2.0.1, after the Quan Tang shi (1705)"


class TangPoems(Texts):
    """Poems, or documents of a folder."""


def read_file(path: Path) -> str:
    """A file's text. Raises UserError with the byte at which it is not UTF-8."""
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(
            f"{path} is not UTF-8 (byte {error.object[error.start]:#04x} at offset {error.start}): convert it first."
        ) from error


def poems(path: Path) -> Iterator[tuple[str, str]]:
    """(title, verses) of the poems in a JSON file."""
    try:
        for record in json.loads(read_file(path)):
            yield " ".join(record["title"].split()), "\n".join(record["paragraphs"])
    except (json.JSONDecodeError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UserError(f"{path} is no list of poems with title and paragraphs ({error!r}): fetch it again.") from error


def documents(path: Path) -> Iterator[tuple[str, str]]:
    """("", document) of the documents in a text file."""
    for document in BLANK.split(read_file(path).replace("\r\n", "\n")):
        if document.strip():
            yield "", document.strip()


def read_splits(files: Sequence[Path], tang: bool) -> tuple[dict[str, list[str]], dict[str, int]]:
    """(split -> texts, counts of what was read and left out)."""
    found = [text for file in files for text in (poems(file) if tang else documents(file))]
    kept = [(title, verses) for title, verses in found if verses and not (tang and EDITED.search(title + verses))]
    splits = split_by_content([hashlib.sha256(verses.encode()).digest() for _, verses in kept])
    texts = ["\n".join(filter(None, text)) for text in kept]
    counts = {"found": len(found), "left_out": len(found) - len(kept)}
    return {split: [texts[i] for i in numbers] for split, numbers in splits.items()}, counts


def _config(folder: Path) -> TextConfig:
    if not folder.is_dir():
        raise UserError(f'There is no folder "{folder}" (key "data.path").')
    files = sorted(folder.glob(POEMS))
    tang = bool(files)
    files = files or sorted(folder.rglob("*.txt"))
    if not files:
        raise UserError(
            f'There is neither {POEMS} nor a .txt file in "{folder}" (key "data.path"): '
            "unpack chinese-poetry (npm pack chinese-poetry@2.0.1) there, or put UTF-8 texts there."
        )
    return TextConfig(
        name=fingerprint([part for file in files for part in (file.name.encode(), file.read_bytes())]),
        version="1.0.0",
        description="Poems of the Tang dynasty." if tang else "Texts of a folder.",
        homepage=HOMEPAGE if tang else "",
        licence=LICENCE if tang else "that of the texts; not known here",
        citation=CITATION if tang else "",
        read=lambda: read_splits(files, tang),
    )


def load(*, data_dir: Path, path: str, length: Length, vocabulary_size: Count) -> DataSet:
    """The windows of the texts, in memory.

    path: the folder; length: tokens of a window; vocabulary_size: characters, the most frequent of
    the training split; 0 = all.
    """
    builder = local_builder(TangPoems, _config(Path(path).expanduser()), data_dir)
    return text_dataset("tang_poems", builder, length=length, vocabulary_size=vocabulary_size)
