"""Tokenizers of the library SentencePiece (Kudo & Richardson 2018, arXiv:1808.06226), as T5 and Llama have them.

The model is JSON: "model", the file in base64, and "special", the numbers of special tokens.
"""

import base64
import json
from collections.abc import Sequence

import numpy as np

from aigc_jax.data.tokenizers.library import SPACE, spelt
from aigc_jax.data.tokenizers.special import Special
from aigc_jax.errors import optional


class SentencePiece:
    """See `Tokenizer`."""

    unit = "tokens"

    def __init__(self, model: str):
        described = json.loads(model)
        library = optional("sentencepiece", "text", "data.tokenizer")
        self._inner = library.SentencePieceProcessor(model_proto=base64.b64decode(described["model"]))
        self.special = Special(**{**described["special"], "others": tuple(described["special"].get("others", ()))})
        self.size = max(self._inner.get_piece_size(), *(token + 1 for token in self.special.all))
        pieces = range(self._inner.get_piece_size())
        self.names = (
            *map(self._inner.id_to_piece, pieces),
            *(f"<{number}>" for number in range(len(pieces), self.size)),
        )
        silent = {i for i in pieces if self._inner.is_control(i) or self._inner.is_unknown(i)} | self.special.all
        self.spells = tuple(
            b"" if number in silent or number >= len(pieces) else spelt(name, in_bytes=False, wordpiece=False)
            for number, name in enumerate(self.names)
        )

    def encode(self, text: str) -> np.ndarray:
        return np.array(self._inner.encode(text), np.int32)

    def decode(self, tokens: Sequence[int]) -> str:
        return self._inner.decode([token for token in tokens if token < self._inner.get_piece_size()])

    def lacking(self, text: str) -> str:
        unk = self._inner.unk_id()
        return next(
            (
                piece.replace(SPACE, " ")
                for piece in self._inner.encode_as_pieces(text)
                if self._inner.piece_to_id(piece) == unk
            ),
            "",
        )


tokenizer = SentencePiece


def written(model: bytes, special: Special) -> str:
    """The model of a SentencePiece file."""
    return json.dumps({"special": special._asdict(), "model": base64.b64encode(model).decode()})
