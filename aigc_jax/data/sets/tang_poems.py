"""Tang poems in traditional characters.

The poems are the files poet.tang.*.json of the npm package chinese-poetry (57,607 poems):

    npm pack chinese-poetry@2.0.1 && tar xzf chinese-poetry-2.0.1.tgz package/dist/quantangshi

A text is the title and the verses, a line each. Poems with lacunae or editors' remarks in
them (boxes, brackets, digits) are left out and counted. Texts are split by their content without
the title, about 90 / 5 / 5, so that duplicates fall on one side. A folder without these files is
read as `text_folder` reads it, with blank lines between documents.
"""

import hashlib
import json
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from aigc_jax.data.dataset import DataSet
from aigc_jax.data.files import printable
from aigc_jax.data.plain_text import content, decoded
from aigc_jax.data.sets import text_folder
from aigc_jax.data.store import folder_name, local_builder, split_by_content
from aigc_jax.data.text_sets import Coding, Length, TextConfig, Texts, text_dataset
from aigc_jax.errors import UserError
from aigc_jax.places import expanded
from aigc_jax.ranges import Count

POEMS = "poet.tang.*.json"
# Boxes and circles for lost characters, brackets of editors, descriptions of rare characters, private code points.
EDITED = re.compile(r"[□●○()（）\[\]［］{}〖〗…/=|+0-9\u2ff0-\u2fff\ue000-\uf8ff]")
HOMEPAGE = "https://github.com/chinese-poetry/chinese-poetry"
LICENCE = "MIT, (c) 2016 JackeyGao; the poems are in the public domain"
CITATION = "chinese-poetry 2.0.1, after the Quan Tang shi (1705)"


class TangPoems(Texts):
    """Poems."""


def poems(path: Path) -> Iterator[tuple[str, str]]:
    """(title, verses) of the poems in a JSON file."""
    try:
        for record in json.loads(decoded(path)[0]):
            yield " ".join(record["title"].split()), "\n".join(record["paragraphs"])
    except (json.JSONDecodeError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UserError(
            f"{printable(path)} is no list of poems with title and paragraphs ({error!r}): fetch it again."
        ) from error


def read_splits(files: Sequence[Path]) -> tuple[dict[str, list[str]], dict[str, int]]:
    """(split -> texts, counts of what was read and left out). Raises UserError where no poem is left."""
    found = [poem for file in files for poem in poems(file)]
    kept = [(title, verses) for title, verses in found if verses and not EDITED.search(title + verses)]
    if not kept:
        raise UserError(
            f"Of {len(found):,} poems in {printable(files[0].parent)} none is without lacunae and remarks: there is "
            "nothing to train on."
        )
    splits = split_by_content([hashlib.sha256(verses.encode()).digest() for _, verses in kept])
    texts = ["\n".join(filter(None, text)) for text in kept]
    counts = {"found": len(found), "left_out": len(found) - len(kept)}
    return {split: [texts[i] for i in numbers] for split, numbers in splits.items()}, counts


def load(
    *,
    data_dir: Path,
    path: str,
    length: Length,
    vocabulary_size: Count,
    tokenizer: str = "characters",
    extra_tokens: Count = 0,
    pack: bool = False,
) -> DataSet:
    """The windows of the texts, in memory.

    path: the folder. length: tokens of a window. vocabulary_size: tokens at most, of characters the most
    frequent of the training split; 0 = all. tokenizer: "characters", "bytes", "bpe", "wordpiece" or "unigram", learnt
    from the training split; or file:FOLDER, a published one. extra_tokens: further ones, of which the first is the
    mask. pack: whether texts follow each other in a window.
    """
    coding = Coding(vocabulary_size, tokenizer, extra_tokens)
    folder = expanded(path)
    files = sorted(file for file in folder.glob(POEMS) if file.is_file())
    if not files:
        data = text_folder.load(
            data_dir=data_dir, path=path, documents="blank_lines", length=length, pack=pack, **coding._asdict()
        )
        return replace(data, name="tang_poems")
    config = TextConfig(
        name=folder_name([part for file in files for part in (os.fsencode(file.name), content(file))]),
        version="1.0.0",
        description="Poems of the Tang dynasty.",
        homepage=HOMEPAGE,
        licence=LICENCE,
        citation=CITATION,
        read=lambda: read_splits(files),
    )
    builder = local_builder(TangPoems, config, data_dir)
    counts = builder.info.metadata
    said = f"Read: {len(files)} files with {counts['found']:,} poems, of which {counts['left_out']:,} are left out for "
    notes = [f"{said}lacunae and remarks; split by content."]
    return text_dataset("tang_poems", builder, coding, length=length, pack=pack, notes=notes)
