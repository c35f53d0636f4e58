"""Chat of two people, in English: a reply to the turns before it.

The conversations are dataset.json of the package chitchat-dataset (7,168 of them):

    pip download --no-deps chitchat-dataset==0.9.0 && unzip chitchat_dataset-0.9.0-py3-none-any.whl

A turn is the messages that a person sends without an answer between them, put together with spaces. A source has the
latest turn first, so that what is cut from a long one is the oldest. Replies are split by a hash of the conversation's
name, about 85 / 5 / 10. Where the reply or what it answers names a mail address, a web address, an account or a
telephone number, it is left out and counted, for those belong to people. So are held-out replies that training has to
the same turns, such as "Hello" to "Hi". What people say is not filtered otherwise.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from aigc_jax.data.dataset import DataSet
from aigc_jax.data.files import printable
from aigc_jax.data.plain_text import content, decoded
from aigc_jax.data.records import Record, Records, by_hash, unseen, whole
from aigc_jax.data.store import folder_name, local_builder
from aigc_jax.data.text_sets import Coding, Length, Table, TableConfig, table_dataset
from aigc_jax.errors import UserError
from aigc_jax.places import expanded
from aigc_jax.ranges import Count, Size

FILE, WITHIN = "dataset.json", "chitchat_dataset"  # the latter holds it in the package
COLUMNS = ("source", "target", "conversation")
BETWEEN = "\n"  # turns of a source
CONTACTS = {
    "mail": re.compile(r"\S+@\S+\.\w+|\b\w+ ?(?:@|\(at\)) ?(?:gmail|yahoo|hotmail|outlook|icloud)\b", re.IGNORECASE),
    "web": re.compile(r"https?:|\bwww\.|\b[a-z0-9-]+\.(?:com|net|org|edu|io|gov|me|ly|co|tv)\b", re.IGNORECASE),
    "account": re.compile(r"(?<!\w)@\w{2,}"),
    "telephone": re.compile(
        r"(?<![\d.,])\+?(?:\(?\d{3}\)?[ .-]?\d{3}[ .-]?\d{4}|\d{3}[ .-]\d{4}|\d{7,})(?![\d.,]\d|\d)"
    ),
}
"""What belongs to people -> how it is written."""
HOMEPAGE = "https://pypi.org/project/chitchat-dataset/"
LICENCE = "MIT, as the package says"
CITATION = "W. Myers, T. Etchart, N. Fulda (2020). Conversational scaffolding: an analogy-based approach to response"
CITATION += " prioritization in open-domain dialogs."
RULES = "2"  # changes with what this file makes of the same conversations


class ChitChat(Table):
    """Replies and what they answer."""


def found_in(path: str) -> Path:
    """The file of conversations in a folder. Raises UserError where there is none."""
    folder = expanded(path)
    for file in (folder / FILE, folder / WITHIN / FILE):
        if file.is_file():
            return file
    raise UserError(
        f'There is no {FILE} in {printable(folder)}: fetch it with "pip download --no-deps chitchat-dataset==0.9.0 && '
        f'unzip chitchat_dataset-0.9.0-py3-none-any.whl -d {printable(folder)}".'
    )


def conversations(file: Path) -> Iterator[tuple[str, list[str]]]:
    """(name, turns) of each conversation, without empty turns. Raises UserError for a file of another form."""
    try:
        for name, conversation in json.loads(decoded(file)[0]).items():
            turns = [" ".join(" ".join(m["text"] for m in turn).split()) for turn in conversation["messages"]]
            yield name, [turn for turn in turns if turn]
    except (json.JSONDecodeError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UserError(f"{printable(file)} is no list of conversations ({error!r}): fetch it again.") from error


def contact(text: str) -> str:
    """What of `CONTACTS` a text names first; "" = nothing."""
    return next((kind for kind, pattern in CONTACTS.items() if pattern.search(text)), "")


def replies(name: str, turns: list[str], before: int, counts: Counter[str]) -> Iterator[Record]:
    """The turns of a conversation but the first, each with `before` ones before it. Counts those with contacts."""
    named = [contact(turn) for turn in turns]
    for i in range(1, len(turns)):
        first = max(0, i - before)
        counts["pairs"] += 1
        if any(named[first : i + 1]):
            counts[next(filter(None, named[first : i + 1]))] += 1
        else:
            yield dict(zip(COLUMNS, (BETWEEN.join(reversed(turns[first:i])), turns[i], name), strict=True))


def read_splits(path: str, turns: int) -> tuple[Records, dict[str, int]]:
    """(split -> records {"source", "target", "conversation"}, counts of what was read and left out)."""
    counts: Counter[str] = Counter()
    found = list(conversations(found_in(path)))
    counts["conversations"] = len(found)
    records = [record for name, said in found for record in replies(name, said, turns, counts)]
    splits, counts["seen"] = unseen(by_hash(records, lambda record: record["conversation"]), COLUMNS[:2])
    whole(splits, path, "Fetch the package again.")
    return splits, dict(counts)


def load(
    *,
    data_dir: Path,
    path: str,
    turns: Size,
    length: Length,
    vocabulary_size: Count,
    source_length: Count = 0,
    tokenizer: str = "characters",
    extra_tokens: Count = 0,
) -> DataSet:
    """Rows of tokens, in memory: `source`, the turns before, a line each, the latest first, and `target`, the reply.

    path: the folder of the package. turns: how many before the reply are read. length: tokens of the reply; what is
    longer is cut. vocabulary_size: tokens at most, of characters the most frequent of the training split; 0 = all.
    source_length: tokens of the source, of which the oldest are cut; 0 = as many as length. tokenizer: "characters",
    "bytes", "bpe", "wordpiece" or "unigram", learnt from the training split; file:FOLDER, a published one, or
    run:FOLDER, that of a run. extra_tokens: further ones, of which the first is the mask.
    """
    config = TableConfig(
        name=folder_name([RULES.encode(), str(turns).encode(), content(found_in(path))]),
        version="1.0.0",
        description="Replies of people to each other.",
        homepage=HOMEPAGE,
        licence=LICENCE,
        citation=CITATION,
        read=lambda: read_splits(path, turns),
        columns=COLUMNS,
    )
    builder = local_builder(ChitChat, config, data_dir)
    counts: Any = builder.info.metadata
    left = ", ".join(f"{kind} {counts.get(kind, 0):,}" for kind in CONTACTS)
    notes = [
        f"Read: {counts['conversations']:,} conversations with {counts['pairs']:,} replies; split by conversation. "
        f"Left out: with ways to reach people ({left}), held out though training has it ({counts['seen']:,}).",
    ]
    return table_dataset(
        "chitchat",
        builder,
        Coding(vocabulary_size, tokenizer, extra_tokens),
        target="target",
        lengths={"source": source_length or length, "target": length},
        notes=notes,
    )
