"""Couplets of classical Chinese poems: a second line for a first one, or both.

`aigc_jax/data/poems.py` says how to fetch the poems, which are left out, and how they are split. Verses are cut at
their punctuation. Those of two lines, four, …, all with five characters or all with seven, are couplets; the others are
counted. Poems quote each other: a held-out couplet of which training has a line in the same place is left out, and a
couplet that is repeated is there once.
"""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from aigc_jax.data import poems
from aigc_jax.data.dataset import DataSet
from aigc_jax.data.poems import Dynasty
from aigc_jax.data.records import Record, once, unseen, whole
from aigc_jax.data.store import local_builder
from aigc_jax.data.text_sets import Coding, Length, Table, TableConfig, TextConfig, Texts, table_dataset, text_dataset
from aigc_jax.ranges import Count

What = Literal["next", "couplet"]
COLUMNS = ("source", "target")
METRES = (5, 7)  # characters of a line
MARKS = re.compile("[，。？！；、：]")
BETWEEN, AFTER = "，", "。"  # the punctuation of a couplet as one text
RULES = "1"  # changes with what this file makes of the same poems


class Couplets(Texts):
    """Couplets, a text each."""


class CoupletLines(Table):
    """Couplets, a record each."""


def couplets(verse: str) -> list[tuple[str, str]]:
    """The couplets of a verse such as "白日依山盡，黃河入海流。"; none where its lines are odd or of other lengths."""
    lines = [line.strip() for line in MARKS.split(verse) if line.strip()]
    lengths = {len(line) for line in lines}
    if len(lines) % 2 or len(lengths) != 1 or lengths.isdisjoint(METRES):
        return []
    return list(zip(lines[::2], lines[1::2], strict=True))


def _records(members: list[poems.Poem], counts: Counter[str]) -> Iterator[Record]:
    for poem in members:
        for verse in poem.verses:
            found = couplets(verse)
            counts["others"] += not found
            for lines in found:
                yield dict(zip(COLUMNS, lines, strict=True))


def read_splits(path: str, what: What, dynasty: Dynasty) -> tuple[dict[str, Any], dict[str, int]]:
    """(split -> records {"source": first line, "target": second}, or texts of both; counts of what was left out)."""
    members, read = poems.read(poems.needed(path, dynasty))
    counts = Counter(read)
    splits, counts["repeated"] = once({split: list(_records(each, counts)) for split, each in members.items()}, COLUMNS)
    splits, counts["seen"] = unseen(splits, *([column] for column in COLUMNS))
    whole(splits, path, "Unpack the whole package.")
    if what == "next":
        return splits, dict(counts)
    texts = {
        split: [f"{record['source']}{BETWEEN}{record['target']}{AFTER}" for record in records]
        for split, records in splits.items()
    }
    return texts, dict(counts)


def load(
    *,
    data_dir: Path,
    path: str,
    what: What,
    length: Length,
    vocabulary_size: Count,
    dynasty: Dynasty = "tang",
    tokenizer: str = "characters",
    extra_tokens: Count = 0,
    pack: bool = False,
) -> DataSet:
    """Rows of tokens, in memory: of next `source` and `target`, lines without punctuation; of couplet `text`.

    path: the folder of the poems. what: "next" or "couplet". length: tokens of a line, or of a couplet.
    vocabulary_size: tokens at most, of characters the most frequent of the training split; 0 = all. dynasty: "tang" or
    "song". tokenizer: "characters", "bytes", "bpe", "wordpiece" or "unigram", learnt from the training split;
    file:FOLDER, a published one, or run:FOLDER, that of a run. extra_tokens: further ones, of which the first is the
    mask. pack: whether couplets follow each other in a window.
    """
    coding, files = Coding(vocabulary_size, tokenizer, extra_tokens), poems.needed(path, dynasty)
    described: dict[str, Any] = dict(
        name=poems.state(files, RULES, what),
        version="1.0.0",
        description=f"Couplets of the {dynasty.title()} dynasty.",
        homepage=poems.HOMEPAGE,
        licence=poems.LICENCE,
        citation=poems.CITATION[dynasty],
        read=lambda: read_splits(path, what, dynasty),
    )
    if what == "couplet":
        builder = local_builder(Couplets, TextConfig(**described), data_dir)
        notes = _notes(files, builder.info.metadata)
        return text_dataset("couplets", builder, coding, length=length, pack=pack, notes=notes)
    builder = local_builder(CoupletLines, TableConfig(**described, columns=COLUMNS), data_dir)
    notes = _notes(files, builder.info.metadata)
    return table_dataset(
        "couplets", builder, coding, target="target", lengths=dict.fromkeys(COLUMNS, length), notes=notes
    )


def _notes(files: list[Path], counts: Any) -> list[str]:
    left = (
        f"Left out: {counts['others']:,} verses that are no couplets of 5 or 7 characters a line, "
        f"{counts['repeated']:,} couplets that are repeated, {counts['seen']:,} that are held out though training has "
        "a line of them."
    )
    return [poems.said(len(files), counts["found"], counts["left_out"]), left]
