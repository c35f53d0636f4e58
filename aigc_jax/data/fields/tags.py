"""Tags of a text's words, such as the beginning and the inside of a name."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np

from aigc_jax.data.dataset import Field, Source
from aigc_jax.data.exhibit import Exhibit
from aigc_jax.data.fields.texts import Text
from aigc_jax.errors import UserError
from aigc_jax.method import Array, Key

OUTSIDE, BEGIN, INSIDE = "O", "B-", "I-"  # Ramshaw & Marcus 1995 (arXiv:cmp-lg/9505040), in the form of IOB2
IGNORED = -1  # where a token has no tag
WORD = re.compile(r"[\u3400-\u9fff]|[^\W_\u3400-\u9fff]+|[^\w\s]|_")  # a Chinese character, letters or digits, a mark


class Word(NamedTuple):
    """A word of a text: text[start:stop]."""

    start: int
    stop: int


@dataclass(frozen=True)
class Tags(Field):
    """The tags of a text's words, int16 [n, length + 1], a place for each token of the text's row.

    names: of the tags, in the order of their numbers, "O" first; length: of the text's field.

    The token with which a word begins has the word's tag. All others are -1: the beginning and the end of the text,
    padding, and further pieces of a word. So the tags [B, length + 1] stand beside the text [B, length + 1].
    """

    kind: ClassVar = "tags"
    names: tuple[str, ...]
    length: int

    @property
    def facts(self) -> Mapping[str, Any]:
        """classes: how many tags there are; ignored: what stands where there is none."""
        return dict(classes=len(self.names), ignored=IGNORED)

    @property
    def meanings(self) -> tuple[str, ...]:
        """The names."""
        return self.names

    def prepare(self, key: Key, stored: Array, train: bool) -> Array:
        """-> int32 [B, length + 1]."""
        return stored.astype("int32")

    def stored(self, prepared: np.ndarray) -> np.ndarray:
        """-> int16 [n, length + 1]."""
        return np.asarray(prepared, np.int16)

    def values(self, stored: np.ndarray) -> np.ndarray:
        """The names of each row's tags with spaces between, strings [n]; nothing where there is no tag."""
        return np.array([" ".join(row) for row in self.named(stored)], str)

    def named(self, stored: np.ndarray) -> list[list[str]]:
        """The names of each row's tags, where there are any."""
        return [[self.names[tag] for tag in row if tag != IGNORED] for row in stored.tolist()]

    def among(self, rows: Mapping[str, np.ndarray], name: str, fields: Mapping[str, Field]) -> np.ndarray:
        """As `values`, and of tags of every token, as a model says them, those of the words in the text beside them.

        A word that begins within a token is "O".
        """
        beside = next((each for each, field in fields.items() if isinstance(field, Text) and each in rows), None)
        if beside is None:
            return self.values(rows[name])
        text = fields[beside]
        assert isinstance(text, Text)
        return np.array(
            [" ".join(self._of_words(text, *each)) for each in zip(rows[beside], rows[name], strict=True)], str
        )

    def _of_words(self, text: Text, tokens: np.ndarray, tags: np.ndarray) -> list[str]:
        """The names of the tags of a row's words, where the row is that of what it decodes to; else of its tokens."""
        whole = text.decode(tokens)
        known, _ = text.rows([whole])
        ends = np.cumsum(known[0] == text.special.eos) > 0
        if not np.array_equal(known[0][~ends], tokens[: len(ends)][~ends]):
            return self.named(tags[None])[0]
        places = beginnings(text, whole)
        said = [IGNORED if place is None or place >= self.length else int(tags[1 + place]) for place in places]
        return [OUTSIDE if tag == IGNORED else self.names[tag] for tag in said]

    def show(self, values: np.ndarray, columns: int | None = None) -> Exhibit:
        """A row a line."""
        return Exhibit.text("".join(f"{row}\n" for row in values))

    def describe(self, source: Source, name: str) -> str:
        """How many there are of each tag."""
        tags = source[np.arange(len(source))][name]
        counts = Counter(tags[tags != IGNORED].tolist())
        return "; " + ", ".join(f"{each} {counts[i]:,}" for i, each in enumerate(self.names))

    def rows(self, text: Text, texts: Sequence[str], tags: Sequence[Sequence[str]]) -> tuple[np.ndarray, int]:
        """Tags of words -> (rows beside those of `text.rows(texts)`, words that are beyond a row's end or lost).

        tags: the names of the tags of each text's `words`. A word is lost where it begins within a token.
        """
        number = {name: i for i, name in enumerate(self.names)}
        table, missing = np.full((len(texts), self.length + 1), IGNORED, np.int16), 0
        for row, each, named in zip(table, texts, tags, strict=True):
            first: dict[int, int] = {}  # place of a token -> the first word that begins with it
            for i, place in enumerate(beginnings(text, each)):
                if place is not None and place < self.length:
                    first.setdefault(place, i)
            for place, i in first.items():
                row[1 + place] = number[named[i]]  # after the beginning of the text
            missing += len(named) - len(first)
        return table, missing


def words(text: str) -> list[Word]:
    """The words of a text, which are what has a tag."""
    return [Word(*found.span()) for found in WORD.finditer(text)]


def tagged(words: Sequence[Word], spans: Sequence[tuple[int, int, str]]) -> list[str]:
    """The tags of words, in IOB2. spans: (start, stop, name), none in another; a word is in the one it begins in."""
    tags = []
    inside: tuple[int, int, str] | None = None
    for word in words:
        span = next((span for span in spans if span[0] <= word.start < span[1]), None)
        tags.append(OUTSIDE if span is None else (INSIDE if span == inside else BEGIN) + span[2])
        inside = span
    return tags


def names_of(kinds: Sequence[str]) -> tuple[str, ...]:
    """The tags of these kinds of spans."""
    return (OUTSIDE, *(mark + kind for kind in kinds for mark in (BEGIN, INSIDE)))


def beginnings(text: Text, whole: str) -> list[int | None]:
    """For each of `words(whole)` the place among `text.encode(whole)` of the token with which it begins.

    None: it begins within a token that began before it. Raises UserError for a tokenizer whose tokens do not spell the
    text, but for spaces and upper case.
    """
    found = words(whole)
    offsets = [len(whole[: word.start].encode()) for word in found]
    ends = [len(whole[: word.stop].encode()) for word in found]
    at: dict[int, int] = {}  # byte of the text -> the token that begins there
    for place, start in enumerate(_starts(text, whole, ends)):
        at.setdefault(start, place)
    return [at.get(offset) for offset in offsets]


def _starts(text: Text, whole: str, ends: Sequence[int]) -> Iterator[int]:
    """For each token the byte at which it begins, after the spaces that it has or that stand before it; -1 of spaces.

    ends: the bytes at which words end.
    """
    raw, spells, unknown = whole.encode().lower(), text.inner.spells, text.special.unk
    tokens, position = text.encode(whole).tolist(), 0
    for place, token in enumerate(tokens):
        if token == unknown:
            position = _past_spaces(raw, position)
            yield position
            known = tokens[place + 1 :]
            known = known[: known.index(unknown)] if unknown in known else [*known, None]
            position = _after_unknown(
                text, raw, position, ends, [b"" if each is None else spells[each] for each in known]
            )
            continue
        spelt = spells[token].lower()
        if not raw.startswith(spelt, position):
            spelt, position = spelt.lstrip(), _past_spaces(raw, position)
            if not raw.startswith(spelt, position):
                raise UserError(
                    f'data.tokenizer: its tokens do not spell "{whole[:40]}", so that tags cannot be laid beside them: '
                    "choose characters, bpe, wordpiece or unigram."
                )
        yield position + len(spelt) - len(spelt.lstrip()) if spelt.strip() else -1
        position += len(spelt)


def _after_unknown(text: Text, raw: bytes, position: int, ends: Sequence[int], known: Sequence[bytes]) -> int:
    """Where an unknown token ends that begins at a position, which is part of a word, a word, or several.

    known: what the tokens spell that follow it before another unknown one; b"" = the end of the text.
    """
    if text.inner.unit == "characters":
        return position + len(raw[position:].decode()[0].encode())
    if not known:
        return next((end for end in ends if end > position), len(raw))
    parts = (rb"\s" if spelt.isspace() else re.escape(spelt.lower().strip()) or rb"\Z" for spelt in known)
    found = re.compile(rb"\s*".join(parts)).search(raw, position + 1)
    return found.start() if found else len(raw)


def _past_spaces(raw: bytes, position: int) -> int:
    while raw[position : position + 1].isspace():
        position += 1
    return position
