"""Writes a tokenizer as files of Hugging Face, which `data.tokenizer=file:FOLDER` reads again as the same one.

Of SentencePiece these are spiece.model and special_tokens_map.json, of the others tokenizer.json,
special_tokens_map.json and tokenizer_config.json, which transformers reads with AutoTokenizer. Tokens that
`data.extra_tokens` puts behind a tokenizer are no part of it.
"""

import base64
import json
from pathlib import Path
from typing import Any

from aigc_jax.data.tokenizers import Learnt, Tokenizer, tokenizer
from aigc_jax.data.tokenizers.published import CALLED, KIND, MODEL, TOKENIZER
from aigc_jax.data.tokenizers.special import NAMES, NONE, UNK

CLASS = "PreTrainedTokenizerFast"  # of transformers, which reads any tokenizer.json


def write(folder: Path, learnt: Learnt) -> Tokenizer:
    """Writes the files into a folder that is there, and returns the tokenizer."""
    made = tokenizer(*learnt)
    special = {role: number for role, number in made.special._asdict().items() if role in CALLED and number != NONE}
    told = {CALLED[role][0]: made.names[number] for role, number in special.items()}
    _write(folder / "special_tokens_map.json", told)
    if learnt.kind == "sentencepiece":
        (folder / MODEL).write_bytes(base64.b64decode(json.loads(learnt.model)["model"]))
        return made
    if learnt.kind == "library":
        (folder / TOKENIZER).write_text(json.loads(learnt.model)["tokenizer"], "utf-8")
    else:
        _write(folder / TOKENIZER, {"characters": _characters, "bytes": _bytes}[learnt.kind](made))
    described = {"tokenizer_class": CLASS, "clean_up_tokenization_spaces": False, **told}
    _write(folder / "tokenizer_config.json", described | ({} if learnt.kind == "library" else {KIND: learnt.kind}))
    return made


def _characters(made: Tokenizer) -> dict[str, Any]:
    """Each character is a word."""
    split = {"type": "Split", "pattern": {"Regex": r"[\s\S]"}, "behavior": "Isolated", "invert": False}
    model = {"type": "WordLevel", "vocab": _vocabulary(made), "unk_token": NAMES[UNK]}
    return _described(model, split, {"type": "Fuse"})


def _bytes(made: Tokenizer) -> dict[str, Any]:
    """BPE that has learnt nothing, so that each character is its bytes."""
    model = {"type": "BPE", "vocab": _vocabulary(made), "merges": [], "byte_fallback": True}
    rest = {"dropout": None, "unk_token": None, "continuing_subword_prefix": None, "end_of_word_suffix": None}
    decoder = {"type": "Sequence", "decoders": [{"type": "ByteFallback"}, {"type": "Fuse"}]}
    return _described({**model, **rest, "fuse_unk": False, "ignore_merges": False}, None, decoder)


def _vocabulary(made: Tokenizer) -> dict[str, int]:
    return {name: number for number, name in enumerate(made.names)}


def _described(model: dict[str, Any], pre_tokenizer: dict[str, Any] | None, decoder: dict[str, Any]) -> dict[str, Any]:
    """A tokenizer.json with the special tokens of those that are learnt here."""
    same = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [{"id": number, "content": name, **same} for number, name in enumerate(NAMES)],
        "normalizer": None,
        "pre_tokenizer": pre_tokenizer,
        "post_processor": None,
        "decoder": decoder,
        "model": model,
    }


def _write(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", "utf-8")  # ASCII, for halves of UTF-16 pairs
