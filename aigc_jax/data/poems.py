"""The poems of the npm package chinese-poetry: files poet.tang.*.json and poet.song.*.json, lists of poems.

    npm pack chinese-poetry@2.0.1 && tar xzf chinese-poetry-2.0.1.tgz package/dist/quantangshi

Poems with lacunae or editors' remarks in them (boxes, brackets, digits) are left out and counted. Poems are split by
their verses, about 90 / 5 / 5, so that a poem that is there under two titles or poets is on one side.
"""

import hashlib
import json
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from aigc_jax.data.files import printable
from aigc_jax.data.plain_text import content, decoded
from aigc_jax.data.store import folder_name, split_by_content
from aigc_jax.errors import UserError
from aigc_jax.places import expanded

Dynasty = Literal["tang", "song"]
# Boxes and circles for lost characters, brackets of editors, descriptions of rare characters, private code points.
EDITED = re.compile(r"[□●○()（）\[\]［］{}〖〗…/=|+0-9\u2ff0-\u2fff\ue000-\uf8ff]")
HOMEPAGE = "https://github.com/chinese-poetry/chinese-poetry"
LICENCE = "MIT, (c) 2016 JackeyGao; the poems are in the public domain"
CITATION = {
    "tang": "chinese-poetry 2.0.1, after the Quan Tang shi (1705)",
    "song": "chinese-poetry 2.0.1, after the Quan Song shi (1998)",
}


class Poem(NamedTuple):
    """A poem. verses: one string each, most often of two lines with their punctuation; poet: "" = not said."""

    title: str
    verses: tuple[str, ...]
    poet: str

    @property
    def text(self) -> str:
        """The verses, a line each."""
        return "\n".join(self.verses)

    @property
    def titled(self) -> str:
        """The title, where there is one, and the verses, a line each."""
        return "\n".join(filter(None, (self.title, self.text)))


def listed(path: str, dynasty: Dynasty) -> list[Path]:
    """The files of a dynasty in a folder, in the order of their names."""
    return sorted(file for file in expanded(path).glob(f"poet.{dynasty}.*.json") if file.is_file())


def needed(path: str, dynasty: Dynasty) -> list[Path]:
    """As `listed`. Raises UserError where there are none."""
    files = listed(path, dynasty)
    if not files:
        raise UserError(
            f'There is no poet.{dynasty}.*.json in {printable(path)}: fetch them with "npm pack chinese-poetry@2.0.1 '
            '&& tar xzf chinese-poetry-2.0.1.tgz package/dist/quantangshi", and give that folder.'
        )
    return files


def state(files: Sequence[Path], *settings: str) -> str:
    """The name of what is made of these files by these settings."""
    parts = [part for file in files for part in (os.fsencode(file.name), content(file))]
    return folder_name([*parts, *(setting.encode() for setting in settings)])


def poems(path: Path) -> Iterator[Poem]:
    """The poems in a file. Raises UserError for one of another form."""
    try:
        for record in json.loads(decoded(path)[0]):
            title, verses = " ".join(record["title"].split()), tuple("\n".join(record["paragraphs"]).split("\n"))
            yield Poem(title, verses, str(record.get("author", "")).strip())
    except (json.JSONDecodeError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UserError(
            f"{printable(path)} is no list of poems with title and paragraphs ({error!r}): fetch it again."
        ) from error


def read(files: Sequence[Path]) -> tuple[dict[str, list[Poem]], dict[str, int]]:
    """(split -> poems, counts of what was found and left out). Raises UserError where no poem is left."""
    found = [poem for file in files for poem in poems(file)]
    kept = [poem for poem in found if poem.text and not EDITED.search(poem.title + poem.text)]
    if not kept:
        raise UserError(
            f"Of {len(found):,} poems in {printable(files[0].parent)} none is without lacunae and remarks: there is "
            "nothing to train on."
        )
    splits = split_by_content([hashlib.sha256(poem.text.encode()).digest() for poem in kept])
    counts = {"found": len(found), "left_out": len(found) - len(kept)}
    return {split: [kept[i] for i in numbers] for split, numbers in splits.items()}, counts


def said(files: int, found: int, left_out: int) -> str:
    """What was read, for a note."""
    return (
        f"Read: {files} files with {found:,} poems, of which {left_out:,} are left out for lacunae and remarks; "
        "split by content."
    )
