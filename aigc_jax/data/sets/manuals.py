"""The help of LibreOffice in English and Chinese: translation, titles, modules, or running text.

How to fetch it is said in `aigc_jax/data/manuals.py`. Pages are split by a hash of their names, about 85 / 5 / 10, so
that a page and its translation are in one split. Pages repeat each other: what a held-out page shares with those of
training is left out there, and counted. What there is:

* pairs: a paragraph and its translation, which have the same id. Code and what is not translated are left out.
* titles: the text of a page without its title, and the title.
* modules: the text of a page, and the part of LibreOffice that it is of, as a label.
* english, chinese: whole pages. A paragraph that was there before is left out, unless it is short.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from aigc_jax.data.dataset import DataSet
from aigc_jax.data.manuals import CITATION, HAN, HOMEPAGE, LETTER, LICENCE, Language, Page, contents, find, read_page
from aigc_jax.data.records import Record, Records, by_hash, once, unseen, whole
from aigc_jax.data.store import folder_name, local_builder
from aigc_jax.data.text_sets import (
    Coding,
    Length,
    Table,
    TableConfig,
    TextConfig,
    Texts,
    read_columns,
    table_dataset,
    text_dataset,
)
from aigc_jax.ranges import Count

What = Literal["pairs", "titles", "modules", "english", "chinese"]
RUNNING: dict[str, Language] = {"english": "en", "chinese": "zh"}
COLUMNS = {what: ("source", "target", "page") for what in ("pairs", "titles")} | {"modules": ("text", "label", "page")}
SHORT = {"en": 40, "zh": 15}  # characters: shorter paragraphs, such as headings, belong to every page that has them
RULES = "1"  # changes with what this file and data/manuals.py make of the same pages
LEFT_OUT = {
    "code": "code",
    "alone": "without a translation",
    "untranslated": "not translated",
    "empty": "without text",
    "repeated": "repeated",
    "seen": "held out though training has it",
}
"""What is counted -> how the notes say it, in this order."""


class Manuals(Texts):
    """Pages of the help."""


class ManualRecords(Table):
    """Paragraphs or pages of the help, with what belongs to them."""


def pairs(english: Page, chinese: Page, counts: Counter[str]) -> Iterator[Record]:
    """The paragraphs of a page that are translated, as {"en": …, "zh": …, "page": …}. Counts the others."""
    translations = {paragraph.id: paragraph.text for paragraph in chinese.paragraphs}
    for paragraph in english.paragraphs:
        counts["paragraphs"] += 1
        translation = translations.get(paragraph.id)
        if paragraph.code:
            counts["code"] += 1
        elif not LETTER.search(paragraph.text):
            counts["empty"] += 1
        elif translation is None:
            counts["alone"] += 1
        elif not HAN.search(translation):
            counts["untranslated"] += 1
        else:
            yield {"en": paragraph.text, "zh": translation, "page": english.name}


def paragraphs(page: Page, language: Language, counts: Counter[str]) -> list[str]:
    """The texts of a page in a language, without code. Counts what is left out."""
    letters, kept = HAN if language == "zh" else LETTER, []
    for paragraph in page.paragraphs:
        counts["paragraphs"] += 1
        if paragraph.code:
            counts["code"] += 1
        elif not letters.search(paragraph.text):
            counts["empty" if language == "en" or not LETTER.search(paragraph.text) else "untranslated"] += 1
        else:
            kept.append(paragraph.text)
    return kept


def running(
    splits: Mapping[str, Sequence[list[str]]], language: Language, counts: Counter[str]
) -> dict[str, list[str]]:
    """Pages of paragraphs -> texts. A paragraph that is not short is there once: train comes first."""
    before: set[str] = set()
    texts: dict[str, list[str]] = {}
    for split, pages in splits.items():
        texts[split] = []
        for page in pages:
            fresh = [text for text in page if len(text) < SHORT[language] or text not in before]
            counts["repeated"] += len(page) - len(fresh)
            before.update(fresh)
            if any(len(text) >= SHORT[language] for text in fresh):  # else nothing but headings is left
                texts[split].append("\n".join(fresh))
    return texts


def read_splits(path: str, what: What, given: Language) -> tuple[dict[str, Any], dict[str, int]]:
    """(split -> records, or texts of english and chinese; counts of what was read and left out).

    Raises UserError where pages are missing.
    """
    languages = _languages(what, given)
    found = find(path, languages)
    counts = Counter(pages=len(found[languages[0]]))
    pages = {language: (read_page(file, name) for name, file in found[language].items()) for language in languages}
    splits: Any
    if what == "pairs":
        names = {"en": "source", "zh": "target"} if given == "en" else {"zh": "source", "en": "target"}
        aligned = (
            {names.get(column, column): text for column, text in record.items()}
            for both in zip(pages["en"], pages["zh"], strict=True)
            for record in pairs(*both, counts)
        )
        splits, counts["repeated"] = once(by_hash(aligned, _page), ("source", "target"))
        splits, counts["seen"] = unseen(splits, ("source",), ("target",))
    elif what in RUNNING:
        texts = {
            split: [paragraphs(page, languages[0], counts) for page in members]
            for split, members in by_hash(pages[languages[0]], lambda page: page.name).items()
        }
        splits = running(texts, languages[0], counts)
    else:
        splits, counts["repeated"] = once(_summaries(pages[given], what, given, counts), COLUMNS[what][:1])
        splits, counts["seen"] = unseen(splits, COLUMNS[what][:1])
    whole(splits, path, "Unpack the whole package.")
    return splits, dict(counts)


def _languages(what: What, given: Language) -> tuple[Language, ...]:
    return ("en", "zh") if what == "pairs" else (RUNNING.get(what, given),)


def _page(record: Record) -> str:
    return record["page"]


def _summaries(pages: Iterator[Page], what: What, given: Language, counts: Counter[str]) -> Records:
    """Pages that have text, with their titles or modules."""
    text, label, _ = COLUMNS[what]
    records = []
    for page in pages:
        said = page.title if what == "titles" else page.module
        body = [each for each in paragraphs(page, given, counts) if each != page.title]
        if sum(map(len, body)) >= SHORT[given] and (
            what == "modules" or (HAN if given == "zh" else LETTER).search(said)
        ):
            records.append({text: "\n".join(body), label: said, "page": page.name})
        else:
            counts["bare"] += 1
    return by_hash(records, _page)


def load(
    *,
    data_dir: Path,
    path: str,
    what: What,
    length: Length,
    vocabulary_size: Count,
    given: Language = "en",
    source_length: Count = 0,
    tokenizer: str = "characters",
    extra_tokens: Count = 0,
    pack: bool = False,
) -> DataSet:
    """Rows of tokens, in memory: of pairs and titles `source` and `target`, of modules `text` and `label`, else `text`.

    path: the folder into which the packages were unpacked. what: "pairs", "titles", "modules", "english" or "chinese".
    length: tokens of the target, or of the text. vocabulary_size: tokens at most, of characters the most frequent of
    the training split; 0 = all. given: the language that is read, "en" or "zh": of pairs the one that is translated.
    source_length: tokens of the source; 0 = as many as length. tokenizer: "characters", "bytes", "bpe", "wordpiece" or
    "unigram", learnt from the training split; file:FOLDER, a published one, or run:FOLDER, that of a run. extra_tokens:
    further ones, of which the first is the mask. pack: whether pages of english and chinese follow each other in a
    window.
    """
    coding = Coding(vocabulary_size, tokenizer, extra_tokens)
    described: dict[str, Any] = dict(
        name=folder_name(
            [RULES.encode(), what.encode(), given.encode(), *contents(find(path, _languages(what, given)))]
        ),
        version="1.0.0",
        description=f"The help of LibreOffice: {what}.",
        homepage=HOMEPAGE,
        licence=LICENCE,
        citation=CITATION,
        read=lambda: read_splits(path, what, given),
    )
    if what in RUNNING:
        builder = local_builder(Manuals, TextConfig(**described), data_dir)
        return text_dataset("manuals", builder, coding, length=length, pack=pack, notes=notes(builder.info.metadata))
    config = TableConfig(**described, columns=COLUMNS[what])
    builder = local_builder(ManualRecords, config, data_dir)
    said = notes(builder.info.metadata)
    if what == "modules":
        names = sorted(set(read_columns(builder, "train")["label"]))
        return table_dataset(
            "manuals", builder, coding, target="label", lengths={"text": length}, labels={"label": names}, notes=said
        )
    lengths = {"source": source_length or length, "target": length}
    return table_dataset("manuals", builder, coding, target="target", lengths=lengths, notes=said)


def notes(counts: Mapping[str, int]) -> list[str]:
    """What was read and left out, in one line."""
    left = ", ".join(f"{counts[key]:,} {said}" for key, said in LEFT_OUT.items() if counts.get(key))
    bare = f" {counts['bare']:,} pages without text or title are left out." if counts.get("bare") else ""
    read = f"Read: {counts['pages']:,} pages with {counts['paragraphs']:,} paragraphs"
    return [f"{read}; split by page. Left out: {left or 'none'}.{bare}"]
