"""Texts of one's own: a folder of plain text files, or a single file.

Files named .txt, .md or .text are read, in UTF-8, or in UTF-16 or UTF-32 where they begin with a byte order mark. Lines
end in a line feed afterwards, whatever ended them before, and other control characters are left out. Nothing else is
changed: letters stay composed or decomposed as they are.

A document is a file, or with `documents="blank_lines"` what stands between blank lines. Documents are split by their
content, about 90 / 5 / 5, so that duplicates fall on one side. Fewer than `FEW` documents are taken as books: of each
the last 5 % are the test split, the 5 % before them the validation split, and what it has in each split is cut at the
ends of paragraphs or lines into texts of at most `PASSAGE` characters, so that samples begin where one of these does.

Where the folders or files at the top are named for splits, such as train.txt and test.txt, those are the splits.
"""

import hashlib
import os
import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from aigc_jax.data.dataset import DataSet
from aigc_jax.data.files import counted, listed, passed_over, printable, some
from aigc_jax.data.plain_text import content, decoded
from aigc_jax.data.splits import split_of
from aigc_jax.data.store import folder_name, local_builder, split_by_content
from aigc_jax.data.text_sets import Coding, Length, TextConfig, Texts, text_dataset
from aigc_jax.errors import UserError
from aigc_jax.places import expanded
from aigc_jax.ranges import Count

SUFFIXES = (".txt", ".md", ".text")
FEW = 20  # documents: of fewer, 5 % would be none
HELD = 0.05  # share of a book that is the test split, and as much the validation split
SHORTEST = 200  # characters: of a shorter book nothing is held out
PASSAGE = 2000  # characters at most
NEAR = 1000  # characters within which the end of a line is looked for, to split a book there
RULES = "2"  # changes with what this file makes of the same bytes
VERSION = "1.0.0"

Documents = Literal["files", "blank_lines"]
BLANK = re.compile(r"\n[^\S\n]*\n\s*")
CONTROL = re.compile(r"[\0-\x08\x0b-\x1f\x7f-\x9f\ufeff]")  # all but tab and line feed, and marks amid the text


class TextFolder(Texts):
    """Documents of a folder, or passages of books."""


def read_file(path: Path, counts: Counter[str]) -> str:
    """A file's text with line feeds and without other control characters; adds to `counts` what was met."""
    text, encoding = decoded(path)
    plain = text.replace("\r\n", "\n").replace("\r", "\n")
    kept = CONTROL.sub("", plain)
    counts["files"] += 1
    counts["wide"] += encoding != "utf-8"
    counts["returns"] += "\r" in text
    counts["control"] += len(plain) - len(kept)
    counts["decomposed"] += not unicodedata.is_normalized("NFC", kept)
    counts["empty"] += not kept.strip()
    return kept


def documents_of(text: str, documents: Documents) -> list[str]:
    """The documents of a file, without the space around them; none of them is blank."""
    parts = BLANK.split(text) if documents == "blank_lines" else [text]
    return [part.strip() for part in parts if part.strip()]


def parts_of(book: str) -> dict[str, str]:
    """Split -> consecutive parts of a book, which ends of lines part where they are near."""
    if len(book) < SHORTEST:
        return {"train": book}
    first, second = (_line_end(book, round(len(book) * (1 - share))) for share in (2 * HELD, HELD))
    return {"train": book[:first], "validation": book[first:second], "test": book[second:]}


def _line_end(text: str, position: int) -> int:
    end = text.find("\n", position, position + NEAR) + 1
    return end if 0 < end < len(text) else position


def passages(text: str) -> Iterator[str]:
    """Consecutive texts of at most `PASSAGE` characters, which put together are the text again.

    They end with a paragraph where one ends in the second half, else with a line, else with a word.
    """
    start = 0
    while len(text) - start > PASSAGE:
        half, limit = start + PASSAGE // 2, start + PASSAGE
        ends = (text.rfind(mark, half, limit) + len(mark) for mark in ("\n\n", "\n", " ") if mark in text[half:limit])
        end = next(ends, limit)
        yield text[start:end]
        start = end
    if start < len(text):
        yield text[start:]


def named_splits(folder: Path, files: Sequence[Path]) -> dict[Path, str]:
    """File -> the split that its folder, or at the top its own name, means; "" = none. {} = none is named for one.

    A name counts as a split where others do: there has to be one to train on, and another. Raises UserError where
    splits stand inside another folder, and where folders hold nothing to train on.
    """
    parts = {file: file.relative_to(folder).with_suffix("").parts for file in files}
    tops = {file: _split(names) for file, names in parts.items()}
    if _are_splits(tops.values()):
        return tops
    where = f'"{printable(folder)}" (key "data.path")'
    if "train" not in tops.values() and all(tops.values()) and all(len(names) > 1 for names in parts.values()):
        raise UserError(
            f"{where} holds folders of {' and '.join(sorted({*tops.values()}))} alone: add one named train."
        )
    for top in sorted({names[0] for names in parts.values() if len(names) > 1}, key=os.fsencode):
        if _are_splits([_split(names[1:]) for names in parts.values() if len(names) > 1 and names[0] == top]):
            raise UserError(f'{where} holds its splits inside "{printable(top)}": give that folder as the path.')
    return {}


def _split(names: Sequence[str]) -> str:
    return split_of(names[0]) or (split_of(re.split("[._-]", names[0])[-1]) if len(names) == 1 else "")


def _are_splits(found: Collection[str]) -> bool:
    return "train" in found and len({*found} - {""}) > 1


def read_splits(
    files: Sequence[Path], documents: Documents, named: Mapping[Path, str]
) -> tuple[dict[str, list[str]], dict[str, int]]:
    """(split -> texts, counts of what was read, changed and left out). named: see `named_splits`.

    Raises UserError where there is no text.
    """
    counts: Counter[str] = Counter()
    read = [(named.get(file, ""), documents_of(read_file(file, counts), documents)) for file in files]
    found = [document for _, parts in read for document in parts]
    if not any(parts and split in ("", "train") for split, parts in read):
        raise UserError(f'There is no text in {some(files)} (key "data.path"): there is nothing to train on.')
    splits: dict[str, list[str]] = {"train": [], "validation": [], "test": []}
    if named:
        for split, parts in read:
            for document in parts:
                splits[split] += passages(document) if len(found) < FEW else [document]
    elif len(found) < FEW:
        for book in found:
            for split, part in parts_of(book).items():
                splits[split] += passages(part)
    else:
        places = split_by_content(
            [hashlib.sha256(document.encode("utf-8", "surrogatepass")).digest() for document in found]
        )
        splits |= {split: [found[i] for i in numbers] for split, numbers in places.items()}
    counts["documents"] = len(found)
    counts["characters"] = sum(map(len, found))
    return {split: texts for split, texts in splits.items() if texts}, dict(counts)


def notes(
    counts: Mapping[str, Any], documents: Documents, others: Sequence[Path], by_name: bool, beside: Sequence[Path]
) -> list[str]:
    """What was read, changed and left out, in lines. by_name: whether names tell the splits; beside: files of none."""
    split = "by content"
    if by_name:
        split = "as folders or files are named for splits"
    elif counts["documents"] < FEW:
        split = "each by position: its last 5 % are test, the 5 % before validation"
    between = ", parted by blank lines" if documents == "blank_lines" else ""
    said = [
        f"Read: {counted(counts['files'], 'file')} with {counts['characters']:,} characters in "
        f"{counted(counts['documents'], 'document')}{between}; split {split}."
    ]
    for name, line in (
        ("wide", "Files read as UTF-16 or UTF-32"),
        ("returns", "Files with carriage returns, read as line ends"),
        ("control", "Control characters left out"),
        ("decomposed", "Files with letters that are not composed (Unicode's NFC), left as they are"),
        ("empty", "Files without text"),
    ):
        if counts[name]:
            said.append(f"{line}: {counts[name]:,}.")
    if beside:
        said.append(f"Left out, beside the splits: {some(beside)}.")
    if others:
        said.append(passed_over(Counter(printable(file.suffix.lower()) or "no suffix" for file in others)))
    return said


def _found(path: Path) -> tuple[Sequence[Path], Sequence[Path]]:
    """(the files to read, others beside them)."""
    where = f'"{printable(path)}" (key "data.path")'
    if path.is_file():
        return (path,), ()
    if not path.is_dir():
        raise UserError(f"There is no folder or file {where}: check the path.")
    files, others = listed(path, SUFFIXES)
    if not files:
        beside = f", but {len(others):,} others" if others else ""
        raise UserError(f"There is no {', '.join(SUFFIXES)} file in {where}{beside}: put plain texts there.")
    return files, others


def load(
    *,
    data_dir: Path,
    path: str,
    documents: Documents,
    length: Length,
    vocabulary_size: Count,
    tokenizer: str = "characters",
    extra_tokens: Count = 0,
    pack: bool = False,
) -> DataSet:
    """The windows of the texts, in memory.

    path: a folder, with its subfolders, or one file; documents: what a document is, each of the "files", or what stands
    between "blank_lines". length: tokens of a window. vocabulary_size: tokens at most, of characters the most frequent
    of the training split; 0 = all. tokenizer: "characters", "bytes", "bpe", "wordpiece" or "unigram", learnt from the
    training split; file:FOLDER, a published one, or run:FOLDER, that of a run. extra_tokens: further ones, of which the
    first is the mask. pack: whether texts follow each other in a window.
    """
    place = expanded(path)
    files, others = _found(place)
    named = {} if place.is_file() else named_splits(place, files)
    beside = [file for file in files if named and not named[file]]
    files = [file for file in files if file not in beside]
    parts = [RULES.encode(), documents.encode()]
    for file in files:
        parts += [os.fsencode(file.relative_to(place)), content(file)]
    config = TextConfig(
        name=folder_name(parts),
        version=VERSION,
        description="Texts of a folder.",
        licence="that of the texts; not known here",
        read=lambda: read_splits(files, documents, named),
    )
    builder = local_builder(TextFolder, config, data_dir)
    said = notes(Counter(builder.info.metadata), documents, others, bool(named), beside)
    coding = Coding(vocabulary_size, tokenizer, extra_tokens)
    return text_dataset("text_folder", builder, coding, length=length, pack=pack, notes=said)
