"""Texts: tokens, windows of equal length, prompts."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np

from aigc_jax.data.dataset import Field, Source, TextSource
from aigc_jax.data.exhibit import Exhibit
from aigc_jax.data.stream import order
from aigc_jax.data.tokenizers import Tokenizer, tokenizer
from aigc_jax.data.tokenizers.special import NONE, UNKNOWN, Special
from aigc_jax.errors import UserError
from aigc_jax.method import Array, Key
from aigc_jax.ops.bits import Unit

SHOWN = 12  # texts of a sheet
BINS, BAR = 12, 50  # of its histogram: bars, and characters of the longest one


@dataclass(frozen=True, eq=False)
class Text(Field):
    """Texts as tokens.

    model: what the tokenizer has learnt, such as its characters; kind: the file of aigc_jax/data/tokenizers that makes
    it; extra: tokens after the tokenizer's own, of which the first is the mask where it has none; packed: texts follow
    each other within a row.

    A row is a window of length + 1 tokens: a network reads all but the last, and predicts all but the first.
    """

    model: str
    length: int  # tokens that a network reads at once
    tokenizer: str = "characters"
    extra: int = 0
    packed: bool = False

    kind: ClassVar = "texts"

    @cached_property
    def inner(self) -> Tokenizer:
        """The tokenizer."""
        return tokenizer(self.tokenizer, self.model)

    @property
    def vocabulary(self) -> int:
        """The number of tokens, the special and the extra ones among them."""
        return self.inner.size + self.extra

    @cached_property
    def special(self) -> Special:
        """The numbers of special tokens; the extra ones are `others`, but for the mask."""
        found, extra = self.inner.special, tuple(range(self.inner.size, self.vocabulary))
        if found.mask == NONE and extra:
            found, extra = found._replace(mask=extra[0]), extra[1:]
        return found._replace(others=(*found.others, *extra))

    def encode(self, text: str) -> np.ndarray:
        """Text -> int32 tokens, without the beginning and the end; what the vocabulary lacks becomes <unk>."""
        return self.inner.encode(text)

    def decode(self, tokens: Iterable[int]) -> str:
        """Tokens -> text up to its end; padding, the beginning and extra tokens are left out."""
        special, parts = self.special, []
        run: list[int] = []
        silent = special.all - {special.unk}
        for place, token in enumerate(np.asarray(tokens).tolist()):
            if token == special.eos and not (place == 0 and token == special.bos):
                break
            if token == special.unk:
                parts += [self.inner.decode(run), UNKNOWN]
                run = []
            elif token >= 0 and token not in silent:
                run.append(token)
        return "".join([*parts, self.inner.decode(run)])

    def whole(self, text: str) -> np.ndarray:
        """Text -> int32 tokens with the beginning and the end."""
        return np.concatenate([[self.special.bos], self.encode(text), [self.special.eos]]).astype(np.int32)

    def windows(self, texts: Iterable[str]) -> np.ndarray:
        """Texts -> [N, length + 1], the smallest type that holds the vocabulary.

        A text is its beginning, its tokens and its end. A long one gives consecutive windows that overlap
        by one token, so that with tokens[:-1] read and tokens[1:] predicted every token but the beginning
        is predicted exactly once. The last window of a text is filled up with padding. Where texts are packed, they are
        one long text.
        """
        parts = [self.whole(text) for text in texts]
        if self.packed and parts:
            parts = [self._joined(parts)]
        rows = [row for part in parts for row in self._cut(part)]
        return self._small(np.stack(rows) if rows else np.zeros((0, self.length + 1)))

    def _joined(self, parts: list[np.ndarray]) -> np.ndarray:
        """One text after the other. One token that is both an end and a beginning, as in GPT-2, stands once between."""
        if self.special.bos == self.special.eos:
            parts = [*(part[:-1] for part in parts[:-1]), parts[-1]]
        return np.concatenate(parts)

    def _cut(self, tokens: np.ndarray) -> list[np.ndarray]:
        count = math.ceil((len(tokens) - 1) / self.length)
        padded = np.full(count * self.length + 1, self.special.pad)
        padded[: len(tokens)] = tokens
        return [padded[i * self.length : (i + 1) * self.length + 1] for i in range(count)]

    def rows(self, texts: Iterable[str]) -> tuple[np.ndarray, int]:
        """Texts -> ([N, length + 1], how many were cut): a row a text, without what is beyond its end."""
        parts, cut = [], 0
        for text in texts:
            tokens = self.whole(text)
            row = np.full(self.length + 1, self.special.pad)
            row[: len(tokens)] = tokens[: self.length + 1]
            cut += len(tokens) > self.length + 1
            parts.append(row)
        return self._small(np.stack(parts) if parts else np.zeros((0, self.length + 1))), cut

    def _small(self, rows: np.ndarray) -> np.ndarray:
        largest = self.vocabulary - 1
        return rows.astype(np.min_scalar_type(largest if self.special.pad >= 0 else -largest - 1))

    @property
    def facts(self) -> Mapping[str, Any]:
        """vocabulary, length, the tokens pad, bos, eos, unk, mask and sentinels (-1 and (): there is none), whether
        rows are packed, and units: what each token counts in characters and bytes.

        The end of a text counts one of each, and so does what is unknown.
        """
        numbers = self.special._asdict()
        return dict(
            vocabulary=self.vocabulary,
            length=self.length,
            sentinels=numbers.pop("others"),
            **numbers,
            packed=self.packed,
            units=self._units,
        )

    @cached_property
    def _units(self) -> tuple[Unit, ...]:
        special = self.special
        counts = np.zeros((2, self.vocabulary), np.int32)
        for token, spelt in enumerate(self.inner.spells):
            counts[:, token] = sum(byte & 0xC0 != 0x80 for byte in spelt), len(spelt)  # others continue a character
        counts[:, [token for token in (special.eos, special.unk) if token != NONE]] = 1
        return (Unit("char", tuple(counts[0].tolist())), Unit("byte", tuple(counts[1].tolist())))

    @property
    def meanings(self) -> tuple[str, ...]:
        """The tokens, but for the extra ones."""
        return self.inner.names

    def prepare(self, key: Key, stored: Array, train: bool) -> Array:
        """-> int32 [B, length + 1]."""
        return stored.astype(jnp.int32)

    def stored(self, prepared: np.ndarray) -> np.ndarray:
        """As they are."""
        return np.asarray(prepared)

    def values(self, stored: np.ndarray) -> np.ndarray:
        """The texts, strings [n]."""
        return np.array([self.decode(tokens) for tokens in stored], str)

    def show(self, values: np.ndarray, columns: int | None = None) -> Exhibit:
        """The texts, numbered."""
        return Exhibit.text("\n".join(f"[{i}]\n{text}\n" for i, text in enumerate(values, 1)))

    def parse(self, text: str, n: int) -> np.ndarray:
        """A whole text -> n rows of it. Raises UserError for one that is too long, or of other characters."""
        tokens = [self.special.bos, *self._known(text), self.special.eos]
        row = np.full(self.length + 1, self.special.pad, np.int32)
        row[: len(tokens)] = tokens
        return np.tile(row, (n, 1))

    def begin(self, text: str, n: int) -> np.ndarray:
        """A prompt -> n times the beginning and its tokens."""
        return np.tile(np.array([self.special.bos, *self._known(text)], np.int32), (n, 1))

    def until(self, stored: np.ndarray, stop: str, known: np.ndarray | None) -> np.ndarray:
        """See `Field.until`. The token that completes `stop` stays whole."""
        found = np.array(stored)
        for number, row in enumerate(found):
            begun = 1 if known is None else int(np.count_nonzero(known[number] != self.special.pad))
            if stop not in self.decode(row[begun:]):
                continue
            end = next(i for i in range(begun + 1, len(row) + 1) if stop in self.decode(row[begun:i]))
            row[end : end + 1] = self.special.eos
            row[end + 1 :] = self.special.pad
        return found

    def _known(self, text: str) -> np.ndarray:
        if lacking := self.inner.lacking(text):
            named = f" (U+{ord(lacking):04X})" if len(lacking) == 1 else ""
            raise UserError(
                f'The prompt\'s "{lacking}"{named} is not in the vocabulary: '
                "leave it out or write it otherwise (simplified and traditional forms differ).",
                code=2,
            )
        tokens = self.encode(text)
        if len(tokens) >= self.length:
            raise UserError(
                f"The prompt has {len(tokens)} {self.inner.unit} and a window {self.length} tokens: "
                f"shorten it to at most {self.length - 1}.",
                code=2,
            )
        return tokens

    def sheet(self, source: Source, name: str) -> Exhibit:
        """Some texts and a histogram of their lengths."""
        texts = self._texts(source, name)
        shown = [texts[i] for i in order(0, len(texts), 0, min(SHOWN, len(texts)))]
        lengths = np.array([len(text) for text in texts])
        longest = np.percentile(lengths, 99)
        counts, edges = np.histogram(np.minimum(lengths, longest), bins=BINS)
        bars = [
            f"{int(left):6d} to {int(right):6d} {count:7,d} {'#' * round(BAR * count / counts.max())}\n"
            for left, right, count in zip(edges[:-1], edges[1:], counts, strict=True)
        ]
        head = f"Characters of a text (the last bar counts all that are longer, up to {lengths.max():,}):\n"
        return Exhibit.text("\n\n".join([*shown, head + "".join(bars)]))

    def describe(self, source: Source, name: str) -> str:
        """Texts, tokens, and what they make of characters."""
        texts = self._texts(source, name)
        rows = source[np.arange(len(source))][name][:, 1:].astype(np.int64)
        tokens = int(np.count_nonzero(rows != self.special.pad))  # each is predicted once
        unknown = int(np.count_nonzero(rows == self.special.unk))
        said = f" of {len(texts):,} texts, {tokens:,} tokens"
        if self.inner.unit != "characters":
            said += f", {sum(map(len, texts)) / max(1, tokens):.2f} characters a token"
        return f"{said}, vocabulary covers {1 - unknown / max(1, tokens):.2%} of them"

    def _texts(self, source: Source, name: str) -> list[str]:
        """Those of a split; beside other fields, the rows of this one."""
        if isinstance(source, TextSource):
            return source.texts()
        return self.values(source[np.arange(len(source))][name]).tolist()
