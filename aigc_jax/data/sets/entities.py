"""What the words of LibreOffice's help stand for: entries of menus, keys to press, what is typed, …

The help marks such parts of a paragraph (`MARKS` of `aigc_jax/data/manuals.py`, which says how to fetch it), and a mark
is a kind of entity here. A tag of a word is "O", or "B-" or "I-" with the kind: the first word of an entity, and its
further ones. Of nested marks the innermost counts. Paragraphs are in the split of their page, about 85 / 5 / 10.
Headings, code, what is not translated, paragraphs of fewer than four words and those that are one entity from end to
end are left out. A repeated paragraph is there once, and none that is held out is in training.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from aigc_jax.data.dataset import DataSet
from aigc_jax.data.fields.tags import BEGIN, Tags, names_of, tagged, words
from aigc_jax.data.fields.texts import Text
from aigc_jax.data.images import joined
from aigc_jax.data.manuals import (
    CITATION,
    HAN,
    HOMEPAGE,
    LETTER,
    LICENCE,
    MARKS,
    Language,
    Page,
    contents,
    find,
    read_page,
)
from aigc_jax.data.records import Record, Records, by_hash, once, unseen, whole
from aigc_jax.data.store import cached, folder_name, local_builder
from aigc_jax.data.text_sets import Coding, Length, Table, TableConfig, read_columns, table_dataset
from aigc_jax.ranges import Count

COLUMNS = ("text", "tags", "page")
FEW = 4  # words: a shorter paragraph is a label or the cell of a table
RULES = "1"  # changes with what this file and data/manuals.py make of the same pages
LEFT_OUT = {
    "others": "headings, code and what has no words of the language",
    "few": f"of fewer than {FEW} words",
    "one": "one entity from end to end",
    "repeated": "repeated",
    "seen": "held out though training has it",
}
"""What is counted -> how the notes say it, in this order."""


class Entities(Table):
    """Paragraphs of the help and the tags of their words."""


def paragraphs(page: Page, language: Language, counts: Counter[str]) -> Iterator[Record]:
    """The paragraphs of a page that are of use, with the tags of their words, spaces between. Counts the others."""
    letters = HAN if language == "zh" else LETTER
    for paragraph in page.paragraphs:
        counts["paragraphs"] += 1
        found = words(paragraph.text)
        tags = tagged(found, paragraph.spans)
        if paragraph.code or paragraph.element != "p" or not letters.search(paragraph.text):
            counts["others"] += 1
        elif len(found) < FEW:
            counts["few"] += 1
        elif tags[0].startswith(BEGIN) and all(tag == f"I-{tags[0][len(BEGIN) :]}" for tag in tags[1:]):
            counts["one"] += 1
        else:
            yield {"text": paragraph.text, "tags": " ".join(tags), "page": page.name}


def read_splits(path: str, language: Language) -> tuple[Records, dict[str, int]]:
    """(split -> records {"text", "tags", "page"}, counts of what was read and left out)."""
    pages = find(path, (language,))[language]
    counts = Counter(pages=len(pages))
    records = [record for name, file in pages.items() for record in paragraphs(read_page(file, name), language, counts)]
    splits, counts["repeated"] = once(by_hash(records, lambda record: record["page"]), COLUMNS[:1])
    splits, counts["seen"] = unseen(splits, COLUMNS[:1])
    whole(splits, path, "Unpack the whole package.")
    return splits, dict(counts)


def entities(records: list[Record]) -> dict[str, int]:
    """How many entities there are of each kind."""
    counts = Counter(tag for record in records for tag in record["tags"].split())
    return {kind: counts[BEGIN + kind] for kind in MARKS}


def load(
    *,
    data_dir: Path,
    path: str,
    language: Language,
    length: Length,
    vocabulary_size: Count,
    tokenizer: str = "characters",
    extra_tokens: Count = 0,
) -> DataSet:
    """Rows of tokens `text` and of `tags`, a place for each token, in memory; the tags are the target.

    path: the folder into which the packages were unpacked. language: "en" or "zh". length: tokens of a paragraph; what
    is longer is cut. vocabulary_size: tokens at most, of characters the most frequent of the training split; 0 = all.
    tokenizer: "characters", "bytes", "bpe", "wordpiece" or "unigram", learnt from the training split; file:FOLDER, a
    published one, or run:FOLDER, that of a run. extra_tokens: further ones, of which the first is the mask.
    """
    config = TableConfig(
        name=folder_name([RULES.encode(), *contents(find(path, (language,)))]),
        version="1.0.0",
        description="Paragraphs of LibreOffice's help, and what their words stand for.",
        homepage=HOMEPAGE,
        licence=LICENCE,
        citation=CITATION,
        read=lambda: read_splits(path, language),
        columns=COLUMNS,
    )
    builder = local_builder(Entities, config, data_dir)
    counts: Mapping[str, int] = builder.info.metadata
    left = ", ".join(f"{counts[key]:,} {said}" for key, said in LEFT_OUT.items())
    notes = [
        f"Read: {counts['pages']:,} pages with {counts['paragraphs']:,} paragraphs; split by page. Left out: {left}."
    ]
    coding = Coding(vocabulary_size, tokenizer, extra_tokens)
    data = table_dataset("entities", builder, coding, target="text", lengths={"text": length}, notes=notes)
    return beside(data, builder)


def beside(data: DataSet, builder: Any) -> DataSet:
    """The data with the field `tags`, the target, laid beside the tokens of `text`."""
    text = data.fields["text"]
    assert isinstance(text, Text) and data.folder is not None
    tags = Tags(names_of(MARKS), text.length)

    def make() -> dict[str, np.ndarray]:
        arrays = {}
        for split in data.splits:
            columns = read_columns(builder, split)
            named = [each.split() for each in columns["tags"]]
            arrays[split], lost = tags.rows(text, columns["text"], named)
            arrays[f"{split}.words"] = np.array([lost, sum(map(len, named))])
        return arrays

    name = folder_name([f"{text.tokenizer} {text.extra} {text.length}".encode(), text.model.encode("utf-8", "replace")])
    arrays = cached(
        data.folder / f"tags_{name}", [key for split in data.splits for key in (split, f"{split}.words")], make
    )
    lost, total = np.sum([arrays[f"{split}.words"] for split in data.splits], axis=0).tolist()
    said = f"Words without a tag, beyond a row's end or not at the beginning of a token: {lost:,} of {total:,}."
    notes = (*data.notes[:-1], said, data.notes[-1])  # what is said of the vocabulary stays the last
    splits = {split: joined(source, {"tags": arrays[split]}) for split, source in data.splits.items()}
    return replace(data, splits=splits, fields={**data.fields, "tags": tags}, target="tags", notes=notes)
