"""Texts: characters as tokens, windows of equal length, prompts."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np

from aigc_jax.data.dataset import Field, Source, TextSource
from aigc_jax.data.exhibit import Exhibit
from aigc_jax.data.stream import order
from aigc_jax.errors import UserError
from aigc_jax.method import Array, Key

SPECIAL = ("<pad>", "<bos>", "<eos>", "<unk>")  # tokens 0, 1, 2, 3; characters follow
PAD, BOS, EOS, UNK = range(len(SPECIAL))
SHOWN = 12  # texts of a sheet
BINS, BAR = 12, 50  # of its histogram: bars, and characters of the longest one
UNKNOWN = "\N{REPLACEMENT CHARACTER}"  # what a decoded <unk> looks like


@dataclass(frozen=True, eq=False)
class Text(Field):
    """Texts as tokens, one a character. characters: the vocabulary without the special tokens.

    A row is a window of length + 1 tokens: a network reads all but the last, and predicts all but the first.
    """

    kind: ClassVar = "texts"
    characters: str
    length: int  # tokens that a network reads at once
    _token: dict[str, int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_token", {c: i for i, c in enumerate(self.characters, len(SPECIAL))})

    @property
    def vocabulary(self) -> int:
        """The number of tokens, the special ones among them."""
        return len(SPECIAL) + len(self.characters)

    def encode(self, text: str) -> np.ndarray:
        """Text -> int32 tokens, without BOS and EOS; characters outside the vocabulary become <unk>."""
        return np.array([self._token.get(character, UNK) for character in text], np.int32)

    def decode(self, tokens: Iterable[int]) -> str:
        """Tokens -> text up to EOS; padding and BOS are left out. Inverse of `encode` without <unk>."""
        text = []
        for token in np.asarray(tokens).tolist():
            if token == EOS:
                break
            if token not in (PAD, BOS):
                text.append(UNKNOWN if token == UNK else self.characters[token - len(SPECIAL)])
        return "".join(text)

    def windows(self, texts: Iterable[str]) -> np.ndarray:
        """Texts -> [N, length + 1], the smallest unsigned type that holds the vocabulary.

        A text is BOS, its characters and EOS. A long one gives consecutive windows that overlap
        by one token, so that with tokens[:-1] read and tokens[1:] predicted every token but BOS
        is predicted exactly once. The last window of a text is filled up with <pad>.
        """
        rows = []
        for text in texts:
            tokens = np.concatenate([[BOS], self.encode(text), [EOS]])
            count = math.ceil((len(tokens) - 1) / self.length)
            padded = np.full(count * self.length + 1, PAD)
            padded[: len(tokens)] = tokens
            rows += [padded[i * self.length : (i + 1) * self.length + 1] for i in range(count)]
        table = np.stack(rows) if rows else np.zeros((0, self.length + 1))
        return table.astype(np.min_scalar_type(self.vocabulary - 1))

    @property
    def facts(self) -> Mapping[str, Any]:
        """vocabulary, length, the tokens pad, bos and eos, and the unit that a token is."""
        return dict(vocabulary=self.vocabulary, length=self.length, pad=PAD, bos=BOS, eos=EOS, unit="char")

    @property
    def meanings(self) -> tuple[str, ...]:
        """The characters."""
        return tuple(self.characters)

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
        """A whole text -> n windows of it. Raises UserError for one that is too long, or of other characters."""
        row = np.full(self.length + 1, PAD, np.int32)
        row[: len(text) + 2] = [BOS, *self._known(text), EOS]
        return np.tile(row, (n, 1))

    def begin(self, text: str, n: int) -> np.ndarray:
        """A prompt -> n times BOS and its characters."""
        return np.tile(np.array([BOS, *self._known(text)], np.int32), (n, 1))

    def _known(self, text: str) -> np.ndarray:
        for character in text:
            if character not in self._token:
                raise UserError(
                    f'The prompt\'s character "{character}" (U+{ord(character):04X}) is not in the vocabulary: '
                    "leave it out or write it otherwise (simplified and traditional forms differ).",
                    code=2,
                )
        if len(text) >= self.length:
            raise UserError(
                f"The prompt has {len(text)} characters and a window {self.length} tokens: "
                f"shorten it to at most {self.length - 1}.",
                code=2,
            )
        return self.encode(text)

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
        """Texts, tokens, and how much of them the vocabulary holds."""
        texts = self._texts(source, name)
        tokens = np.count_nonzero(source[np.arange(len(source))][name][:, 1:])  # each is predicted once
        share = coverage(texts, self.characters)
        return f" of {len(texts):,} texts, {tokens:,} tokens, vocabulary covers {share:.2%} of the characters"

    def _texts(self, source: Source, name: str) -> list[str]:
        """Those of a split; beside other fields, the windows of this one."""
        if isinstance(source, TextSource):
            return source.texts()
        return self.values(source[np.arange(len(source))][name]).tolist()


def common_characters(texts: Iterable[str], size: int) -> str:
    """The `size` most frequent characters (0 = all), the most frequent first, ties in Unicode's order."""
    counts = Counter(character for text in texts for character in text)
    ranked = sorted(counts, key=lambda character: (-counts[character], character))
    return "".join(ranked[: size or None])


def coverage(texts: Sequence[str], characters: str) -> float:
    """The share of the texts' characters that the vocabulary holds."""
    known = set(characters)
    total = sum(map(len, texts))
    return sum(character in known for text in texts for character in text) / total if total else 1.0
