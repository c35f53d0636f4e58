"""Tokenizers of the library `tokenizers`: byte-level BPE, WordPiece, unigram, and whatever a tokenizer.json has.

The model is JSON: "tokenizer", which is a tokenizer.json as a string, and "special", the numbers of special tokens.

BPE: Sennrich et al. 2016 (arXiv:1508.07909), of bytes as in GPT-2 (Radford et al. 2019, section 2.2). WordPiece:
Schuster & Nakajima 2012, as BERT has it (Devlin et al. 2019). Unigram: Kudo 2018 (arXiv:1804.10959).
"""

import json
import re
from collections.abc import Iterable, Sequence
from types import ModuleType
from typing import Any

import numpy as np

from aigc_jax.data.tokenizers.special import NAMES, UNK, Special
from aigc_jax.errors import UserError, optional

BYTE = re.compile(r"<0x([0-9A-F]{2})>$")  # a token that is a byte of a character that the vocabulary lacks
CONTINUES = "##"  # before a piece of a word that is not its first, in WordPiece
SPACE = "\u2581"  # what a space is written as, in unigram


class Library:
    """See `Tokenizer`."""

    unit = "tokens"

    def __init__(self, model: str):
        described = json.loads(model)
        self._inner = library().Tokenizer.from_str(described["tokenizer"])
        self._inner.no_truncation()
        self._inner.no_padding()
        self._inner.encode_special_tokens = True  # "<|endoftext|>" within a text is text
        self.special = Special(**{**described["special"], "others": tuple(described["special"].get("others", ()))})
        known = self._inner.get_vocab(with_added_tokens=True)
        self.size = max(known.values()) + 1
        names = {number: name for name, number in known.items()}
        self.names = tuple(names.get(number, f"<{number}>") for number in range(self.size))
        parts = json.loads(described["tokenizer"])
        in_bytes, wordpiece = _mentions(parts.get("decoder"), "ByteLevel"), parts["model"].get("type") == "WordPiece"
        added = {each["id"] for each in parts.get("added_tokens", ()) if each.get("special")} | self.special.all
        self.spells = tuple(
            b"" if number in added else spelt(name, in_bytes, wordpiece) for number, name in enumerate(self.names)
        )

    def encode(self, text: str) -> np.ndarray:
        return np.array(self._inner.encode(_whole(text), add_special_tokens=False).ids, np.int32)

    def decode(self, tokens: Sequence[int]) -> str:
        return self._inner.decode(list(tokens), skip_special_tokens=False)

    def lacking(self, text: str) -> str:
        found = self._inner.encode(_whole(text), add_special_tokens=False)
        places = (place for token, place in zip(found.ids, found.offsets, strict=True) if token == self.special.unk)
        return next((text[start:stop] for start, stop in places), "")


tokenizer = Library


def bpe(texts: Sequence[str], size: int) -> str:
    """Byte-level BPE with the pre-tokenization of GPT-2: nothing is unknown."""
    made = library()
    inner = made.Tokenizer(made.models.BPE())
    inner.pre_tokenizer = made.pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = made.decoders.ByteLevel()
    alphabet = made.pre_tokenizers.ByteLevel.alphabet()
    trainer = made.trainers.BpeTrainer(
        vocab_size=len(NAMES) + size, special_tokens=list(NAMES), initial_alphabet=alphabet, show_progress=False
    )
    return _trained(inner, trainer, texts)


def wordpiece(texts: Sequence[str], size: int) -> str:
    """WordPiece as BERT has it for any language, cased: a Chinese character is a word."""
    made = library()
    inner = made.Tokenizer(made.models.WordPiece(unk_token=NAMES[UNK]))
    inner.normalizer = made.normalizers.BertNormalizer(lowercase=False)
    inner.pre_tokenizer = made.pre_tokenizers.BertPreTokenizer()
    inner.decoder = made.decoders.WordPiece(prefix=CONTINUES)
    trainer = made.trainers.WordPieceTrainer(
        vocab_size=len(NAMES) + size, special_tokens=list(NAMES), show_progress=False
    )
    return _trained(inner, trainer, texts)


def unigram(texts: Sequence[str], size: int) -> str:
    """Unigram pieces, which may begin with a space and span no other."""
    made = library()
    inner = made.Tokenizer(made.models.Unigram())
    inner.pre_tokenizer = made.pre_tokenizers.Metaspace(replacement=SPACE, prepend_scheme="never")
    inner.decoder = made.decoders.Metaspace(replacement=SPACE, prepend_scheme="never")
    trainer = made.trainers.UnigramTrainer(
        vocab_size=len(NAMES) + size, special_tokens=list(NAMES), unk_token=NAMES[UNK], show_progress=False
    )
    return _trained(inner, trainer, texts)


def written(tokenizer: str, special: Special) -> str:
    """The model of a tokenizer.json."""
    return json.dumps({"special": special._asdict(), "tokenizer": tokenizer}, ensure_ascii=False)


def _trained(inner: Any, trainer: Any, texts: Sequence[str]) -> str:
    inner.train_from_iterator(map(_whole, texts), trainer)
    if inner.get_vocab_size() <= len(NAMES):
        raise UserError("data.tokenizer: the training texts are too few to learn tokens from: choose characters.")
    return written(inner.to_str(), Special())


def _whole(text: str) -> str:
    """Without halves of UTF-16 pairs, which the library cannot read."""
    return text.encode("utf-8", "replace").decode("utf-8") if any("\ud800" <= c <= "\udfff" for c in text) else text


def library() -> ModuleType:
    return optional("tokenizers", "text", "data.tokenizer")


def _mentions(part: Any, kind: str) -> bool:
    return f'"type": "{kind}"' in json.dumps(part)


def spelt(name: str, in_bytes: bool, wordpiece: bool) -> bytes:
    """The text that a token stands for. Of WordPiece without the space before a word, which its tokens do not tell."""
    if in_bytes:
        return bytes(_BYTE_OF[c] for c in name) if all(c in _BYTE_OF for c in name) else name.encode()
    if byte := BYTE.match(name):
        return bytes([int(byte[1], 16)])
    return (name.removeprefix(CONTINUES) if wordpiece else name.replace(SPACE, " ")).encode()


def _alphabet() -> Iterable[tuple[str, int]]:
    """GPT-2 writes a byte as the character of that number where it is printable, else as one from U+0100 on."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in printable]
    yield from ((chr(byte), byte) for byte in printable)
    yield from ((chr(256 + i), byte) for i, byte in enumerate(others))


_BYTE_OF = dict(_alphabet())
