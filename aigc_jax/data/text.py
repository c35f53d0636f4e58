"""The medium of texts: characters as tokens, windows of equal length, prompts."""

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np

from aigc_jax.data.dataset import Source, TextSource
from aigc_jax.data.stream import order
from aigc_jax.errors import UserError
from aigc_jax.method import Batch, Key

SPECIAL = ("<pad>", "<bos>", "<eos>", "<unk>")  # tokens 0, 1, 2, 3; characters follow
PAD, BOS, EOS, UNK = range(len(SPECIAL))
SHOWN = 12  # texts of a sheet
BINS, BAR = 12, 50  # of its histogram: bars, and characters of the longest one
UNKNOWN = "\N{REPLACEMENT CHARACTER}"  # what a decoded <unk> looks like


@dataclass(frozen=True, eq=False)
class TextMedium:
    """Texts as tokens, one a character. characters: the vocabulary without the special tokens."""

    kind: ClassVar = "texts"
    characters: str
    length: int  # tokens that a network reads at once; a stored window has one more
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

    def prepare(self, key: Key, batch: Batch, train: bool) -> Batch:
        """-> {"tokens": int32 [B, length + 1], "mask": float32 [B, length + 1], 0 where tokens only pad}."""
        tokens = batch["tokens"].astype(jnp.int32)
        return {"tokens": tokens, "mask": (tokens != PAD).astype(jnp.float32)}

    def stored(self, samples: np.ndarray) -> np.ndarray:
        """Tokens are stored as they are. samples: int [n, length]."""
        return np.asarray(samples)

    def values(self, samples: np.ndarray) -> np.ndarray:
        """The texts, strings [n]. samples: int [n, length]."""
        return np.array([self.decode(tokens) for tokens in samples], str)

    def examples(self, rows: Mapping[str, np.ndarray]) -> np.ndarray:
        """The texts of windows, strings [n]."""
        return self.values(rows["tokens"])

    def picture(self, values: Iterable[str]) -> str:
        """The texts, numbered."""
        return "\n".join(f"[{i}]\n{text}\n" for i, text in enumerate(values, 1))

    def write(self, samples: np.ndarray, stem: Path, *, columns: int | None = None) -> Path:
        """The texts, numbered, as `<stem>.txt` in UTF-8. samples: int [n, length]."""
        return _write(stem, ".txt", self.picture(map(self.decode, samples)))

    def save(self, samples: np.ndarray, asked: np.ndarray | None, stem: Path) -> Path:
        """`<stem>.jsonl` with {"text": …} a line; prompts are the beginnings of their texts."""
        lines = [json.dumps({"text": self.decode(tokens)}, ensure_ascii=False) for tokens in samples]
        return _write(stem, ".jsonl", "".join(f"{line}\n" for line in lines))

    def condition(self, text: str, n: int) -> np.ndarray | None:
        """A prompt -> int32 [n, P], BOS and its characters; "" -> None."""
        if not text:
            return None
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
        return np.tile(np.concatenate([[BOS], self.encode(text)]).astype(np.int32), (n, 1))

    def sheet(self, source: Source, stem: Path) -> Path:
        """Some texts and a histogram of their lengths, as `<stem>.txt` in UTF-8."""
        texts = _texts(source)
        shown = [texts[i] for i in order(0, len(texts), 0, min(SHOWN, len(texts)))]
        lengths = np.array([len(text) for text in texts])
        longest = np.percentile(lengths, 99)
        counts, edges = np.histogram(np.minimum(lengths, longest), bins=BINS)
        bars = [
            f"{int(left):6d} to {int(right):6d} {count:7,d} {'#' * round(BAR * count / counts.max())}\n"
            for left, right, count in zip(edges[:-1], edges[1:], counts, strict=True)
        ]
        head = f"Characters of a text (the last bar counts all that are longer, up to {lengths.max():,}):\n"
        return _write(stem, ".txt", "\n\n".join([*shown, head + "".join(bars)]))

    def describe(self, source: Source) -> str:
        """Texts, tokens, and how much of them the vocabulary holds."""
        texts = _texts(source)
        tokens = np.count_nonzero(source[np.arange(len(source))]["tokens"][:, 1:])  # each is predicted once
        share = coverage(texts, self.characters)
        return f" of {len(texts):,} texts, {tokens:,} tokens, vocabulary covers {share:.2%} of the characters"

    @property
    def facts(self) -> dict[str, Any]:
        """What networks and methods are filled from."""
        return dict(vocabulary=self.vocabulary, length=self.length, pad=PAD, bos=BOS, eos=EOS, unit="char")


def _write(stem: Path, suffix: str, text: str) -> Path:
    path = stem.with_name(stem.name + suffix)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    return path


def _texts(source: Source) -> list[str]:
    assert isinstance(source, TextSource)
    return source.texts()


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
