"""Tang poems with their poets: whose poem it is.

`aigc_jax/data/poems.py` says how to fetch the poems, which are left out, and how they are split. The poets are those
with the most poems in the training split; poems of others, and of nobody known, are left out. A text is the verses, a
line each, without the title, which may name the poet's friends and offices. Of a poem that is there under two poets the
first is kept. `majority` of a split is how often the most
frequent poet of training is right there: what a classifier has to beat.
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from aigc_jax.data import poems
from aigc_jax.data.dataset import DataSet
from aigc_jax.data.records import Record, Records, once, whole
from aigc_jax.data.store import local_builder
from aigc_jax.data.text_sets import Coding, Length, Table, TableConfig, read_columns, table_dataset
from aigc_jax.ranges import Count, at_least

COLUMNS = ("text", "label")
NOBODY = {"", "不詳", "無名氏", "佚名", "闕名", "失名"}
RULES = "1"  # changes with what this file makes of the same poems


class TangLabels(Table):
    """Poems and their poets."""


def frequent(records: Sequence[Record], poets: int) -> list[str]:
    """The poets with the most poems, the most prolific first, ties in Unicode's order."""
    counts = Counter(record["label"] for record in records)
    return sorted(counts, key=lambda name: (-counts[name], name))[:poets]


def majority(splits: Records) -> dict[str, float]:
    """Split -> the share of its records that have the label that is the most frequent in train."""
    most = frequent(splits["train"], 1)
    return {
        split: sum(record["label"] in most for record in records) / len(records) for split, records in splits.items()
    }


def read_splits(path: str, poets: int) -> tuple[Records, dict[str, int]]:
    """(split -> records {"text": verses, "label": poet}, counts of what was left out)."""
    members, read = poems.read(poems.needed(path, "tang"))
    counts = Counter(read)
    splits = {
        split: [{"text": poem.text, "label": poem.poet} for poem in each if poem.poet not in NOBODY]
        for split, each in members.items()
    }
    counts["nobody"] = sum(map(len, members.values())) - sum(map(len, splits.values()))
    splits, counts["repeated"] = once(splits, COLUMNS[:1])
    names = set(frequent(splits["train"], poets))
    kept = {split: [record for record in each if record["label"] in names] for split, each in splits.items()}
    counts["others"] = sum(len(each) - len(kept[split]) for split, each in splits.items())
    whole(kept, path, "Unpack the whole package, or raise data.poets.")
    return kept, dict(counts)


def load(
    *,
    data_dir: Path,
    path: str,
    poets: Annotated[int, at_least(2)],
    length: Length,
    vocabulary_size: Count,
    tokenizer: str = "characters",
    extra_tokens: Count = 0,
) -> DataSet:
    """Rows of tokens `text` and classes `label`, in memory; the label is the target.

    path: the folder of the poems. poets: how many classes there are. length: tokens of a poem; what is longer is cut.
    vocabulary_size: tokens at most, of characters the most frequent of the training split; 0 = all. tokenizer:
    "characters", "bytes", "bpe", "wordpiece" or "unigram", learnt from the training split; file:FOLDER, a published
    one, or run:FOLDER, that of a run. extra_tokens: further ones, of which the first is the mask.
    """
    files = poems.needed(path, "tang")
    config = TableConfig(
        name=poems.state(files, RULES, str(poets)),
        version="1.0.0",
        description="Poems of the Tang dynasty and their poets.",
        homepage=poems.HOMEPAGE,
        licence=poems.LICENCE,
        citation=poems.CITATION["tang"],
        read=lambda: read_splits(path, poets),
        columns=COLUMNS,
    )
    builder = local_builder(TangLabels, config, data_dir)
    counts, records = builder.info.metadata, _records(builder)
    names = frequent(records["train"], poets)
    shares = ", ".join(f"{split} {share:.1%}" for split, share in majority(records).items())
    notes = [
        poems.said(len(files), counts["found"], counts["left_out"]),
        f"Left out: {counts['nobody']:,} poems of nobody known, {counts['repeated']:,} that are there "
        f"twice, {counts['others']:,} of other poets. The most frequent poet, {names[0]}, is right of {shares}.",
    ]
    coding = Coding(vocabulary_size, tokenizer, extra_tokens)
    return table_dataset(
        "tang_labels", builder, coding, target="label", lengths={"text": length}, labels={"label": names}, notes=notes
    )


def _records(builder: object) -> Records:
    splits = builder.info.splits  # type: ignore[attr-defined]
    columns = {split: read_columns(builder, split) for split in splits}
    return {split: [{"label": label} for label in each["label"]] for split, each in columns.items()}
