"""A token a character. The model is the characters."""

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

from aigc_jax.data.tokenizers.special import NAMES, UNK, Special


class Characters:
    """See `Tokenizer`."""

    special = Special()
    unit = "characters"

    def __init__(self, characters: str):
        self.size = len(NAMES) + len(characters)
        self.names = (*NAMES, *characters)
        self.spells = (*[b""] * len(NAMES), *(each.encode("utf-8", "surrogatepass") for each in characters))
        self._token = {each: i for i, each in enumerate(characters, len(NAMES))}

    def encode(self, text: str) -> np.ndarray:
        return np.array([self._token.get(character, UNK) for character in text], np.int32)

    def decode(self, tokens: Sequence[int]) -> str:
        return "".join(self.names[token] for token in tokens)

    def lacking(self, text: str) -> str:
        return next((character for character in text if character not in self._token), "")


tokenizer = Characters


def trained(texts: Iterable[str], size: int) -> str:
    """The `size` most frequent characters (0 = all), the most frequent first, ties in Unicode's order."""
    counts = Counter(character for text in texts for character in text)
    ranked = sorted(counts, key=lambda character: (-counts[character], character))
    return "".join(ranked[: size or None])
