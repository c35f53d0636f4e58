"""Tokenizers, a kind a file: texts to tokens and back.

A file has `tokenizer(model)`, which makes the tokenizer from what it has learnt. That is a string, so that a run keeps
it. Where it can learn from texts it has `trained(texts, size)`, or one function of that form for each of its kinds.
"""

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple, Protocol

import numpy as np

from aigc_jax.config import nearest
from aigc_jax.data.tokenizers.special import Special
from aigc_jax.errors import ConfigError
from aigc_jax.places import expanded

FILE, RUN = "file:", "run:"  # before a folder's path, in place of a kind
READY = {FILE: "published", RUN: "of_run"}  # the files that read what was learnt elsewhere


class Tokenizer(Protocol):
    """Texts as numbers from 0 to `size` - 1."""

    size: int  # how many tokens there are, the special ones among them
    special: Special
    unit: str  # what a token is, in the plural, for messages
    names: tuple[str, ...]  # of each token: the text that it stands for, or a name
    spells: tuple[bytes, ...]  # of each token: the bytes of text that it stands for; b"" of a special one

    def encode(self, text: str) -> np.ndarray:
        """Text -> int32 tokens, without special ones; what the vocabulary lacks becomes `special.unk`."""

    def decode(self, tokens: Sequence[int]) -> str:
        """Tokens, none of them special -> text."""

    def lacking(self, text: str) -> str:
        """The first part of a text that the vocabulary lacks; "" = it has all."""


class Learnt(NamedTuple):
    """A tokenizer that a run can keep. kind: the file here that makes it from its `model`."""

    kind: str
    model: str


@dataclass(frozen=True)
class Recipe:
    """How a name of `data.tokenizer` becomes a tokenizer. function: of the file, (texts, size) -> model."""

    kind: str
    function: str = "trained"


RECIPES = {
    "characters": Recipe("characters"),
    "bytes": Recipe("bytes"),
    "bpe": Recipe("library", "bpe"),
    "wordpiece": Recipe("library", "wordpiece"),
    "unigram": Recipe("library", "unigram"),
}


def _file(kind: str) -> Callable[..., object]:
    return importlib.import_module(f"{__name__}.{kind}")  # type: ignore[return-value]


@lru_cache(maxsize=16)  # a large one takes a second, and fields are made again and again
def tokenizer(kind: str, model: str) -> Tokenizer:
    """The tokenizer of a kind with what it has learnt."""
    return _file(kind).tokenizer(model)  # type: ignore[attr-defined]


def is_ready(name: str) -> bool:
    """Whether `data.tokenizer` names a tokenizer that has learnt already."""
    return name.startswith(tuple(READY))


def learnt(name: str, texts: Callable[[], Sequence[str]], size: int) -> Learnt:
    """The tokenizer that `data.tokenizer` names: one trained on texts, or one that is there.

    "file:FOLDER" is a published one, "run:FOLDER" that of another run.

    size: tokens at most, without the special ones; 0 = as many as there are characters, which other kinds refuse.
    """
    if is_ready(name):
        start, _, folder = name.partition(":")
        return Learnt(*_file(READY[f"{start}:"]).read(expanded(folder)))  # type: ignore[attr-defined]
    if name not in RECIPES:
        known = [*RECIPES, *(f"{start}FOLDER" for start in READY)]
        raise ConfigError(f'data.tokenizer: there is no "{name}".{nearest(name, known)}')
    recipe = RECIPES[name]
    if recipe.kind == "library" and not size:
        raise ConfigError(f'data.tokenizer is "{name}", which needs a size: set --config.data.vocabulary_size=8000.')
    return Learnt(recipe.kind, getattr(_file(recipe.kind), recipe.function)(texts(), size))
