"""Published tokenizers, from a folder as Hugging Face has it.

Read is the first of: tokenizer.json; vocab.json with merges.txt (GPT-2); vocab.txt (BERT); spiece.model or
tokenizer.model (T5, Llama). Special tokens are those that special_tokens_map.json or tokenizer_config.json names; where
neither does, those of the usual names. A folder that we have written says where it is characters or bytes.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from aigc_jax.data.tokenizers import library, sentencepiece
from aigc_jax.data.tokenizers.special import NAMES, NONE, Special
from aigc_jax.errors import UserError, optional

USUAL = {  # role -> names, the first that there is
    "pad": ("<pad>", "[PAD]", "<|pad|>", "<|finetune_right_pad_id|>"),
    "bos": ("[CLS]", "<s>", "<bos>", "<|begin_of_text|>", "<|startoftext|>"),
    "eos": ("[SEP]", "</s>", "<eos>", "<|end_of_text|>", "<|endoftext|>"),
    "unk": ("[UNK]", "<unk>"),
    "mask": ("[MASK]", "<mask>"),
}
CALLED = {"bos": ("bos_token", "cls_token"), "eos": ("eos_token", "sep_token"), "pad": ("pad_token",)}
TOKENIZER, MODEL, CONFIG = "tokenizer.json", "spiece.model", "tokenizer_config.json"
KIND = "aigc_jax_kind"  # in tokenizer_config.json: a tokenizer of our own, "characters" or "bytes"
CALLED |= {"unk": ("unk_token",), "mask": ("mask_token",)}


def read(folder: Path) -> tuple[str, str]:
    """(kind, model). Raises UserError where there is no tokenizer in the folder, or one that cannot be read."""
    if not folder.is_dir():
        raise UserError(f"data.tokenizer: there is no folder {folder}.", code=2)
    try:
        if (folder / TOKENIZER).is_file():
            found = (folder / TOKENIZER).read_text("utf-8")
            if kind := _json(folder / CONFIG).get(KIND):
                return kind, _own(kind, found)
            return "library", _of_library(folder, found)
        if (folder / "vocab.json").is_file():
            return "library", _of_library(folder, _bpe(folder))
        if (folder / "vocab.txt").is_file():
            return "library", _of_library(folder, _wordpiece(folder))
        for name in (MODEL, "tokenizer.model"):
            if (folder / name).is_file():
                return "sentencepiece", _of_sentencepiece(folder, (folder / name).read_bytes())
    except UserError:
        raise
    except Exception as error:  # whatever the libraries raise at a damaged file
        raise UserError(f"data.tokenizer: the files in {folder} cannot be read ({error}): fetch them again.") from error
    raise UserError(
        f"data.tokenizer: {folder} has no tokenizer.json, vocab.json, vocab.txt, spiece.model or tokenizer.model.",
        code=2,
    )


def _own(kind: str, tokenizer: str) -> str:
    """What our own kinds have learnt, of the tokenizer.json that stands for them."""
    names = sorted((number, name) for name, number in json.loads(tokenizer)["model"]["vocab"].items())
    return {"characters": "".join(name for _, name in names[len(NAMES) :]), "bytes": ""}[kind]


def _of_library(folder: Path, tokenizer: str) -> str:
    inner = optional("tokenizers", "text", "data.tokenizer").Tokenizer.from_str(tokenizer)
    return library.written(tokenizer, _special(folder, inner.token_to_id))


def _of_sentencepiece(folder: Path, model: bytes) -> str:
    inner = optional("sentencepiece", "text", "data.tokenizer").SentencePieceProcessor(model_proto=model)

    def number(name: str) -> int | None:
        found = inner.piece_to_id(name)
        return found if inner.id_to_piece(found) == name else None

    return sentencepiece.written(model, _special(folder, number))


def _special(folder: Path, number: Callable[[str], int | None]) -> Special:
    told = {**_json(folder / CONFIG), **_json(folder / "special_tokens_map.json")}
    found: dict[str, int] = {}
    for role, usual in USUAL.items():
        names = [_name(told[key]) for key in CALLED[role] if told.get(key)] or usual
        numbers = [each for each in map(number, names) if each is not None]
        found[role] = numbers[0] if numbers else NONE
    if found["eos"] == NONE:
        raise UserError(f"data.tokenizer: no token in {folder} ends a text: name eos_token in special_tokens_map.json.")
    if found["bos"] == NONE:  # T5 begins a text with its padding, GPT-2 with its end
        found["bos"] = found["pad"] if found["pad"] != NONE else found["eos"]
    if found["pad"] == found["eos"]:
        found["pad"] = NONE  # else no text would end
    if found["unk"] in (found["bos"], found["eos"]):
        found["unk"] = NONE  # GPT-2 names one token for all, and knows every byte
    return Special(found["pad"], found["bos"], found["eos"], found["unk"], found["mask"])


def _name(token: Any) -> str:
    return token["content"] if isinstance(token, Mapping) else token


def _json(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text("utf-8")) if path.is_file() else {}


def _bpe(folder: Path) -> str:
    """GPT-2's files."""
    made = library.library()
    inner = made.Tokenizer(made.models.BPE.from_file(str(folder / "vocab.json"), str(folder / "merges.txt")))
    inner.pre_tokenizer = made.pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = made.decoders.ByteLevel()
    inner.add_special_tokens([name for name in ("<|endoftext|>",) if inner.token_to_id(name) is not None])
    return inner.to_str()


def _wordpiece(folder: Path) -> str:
    """BERT's file."""
    made = library.library()
    told = _json(folder / CONFIG)
    words = made.models.WordPiece.read_file(str(folder / "vocab.txt"))
    inner = made.Tokenizer(made.models.WordPiece(words, unk_token="[UNK]"))
    inner.normalizer = made.normalizers.BertNormalizer(
        lowercase=told.get("do_lower_case", True), strip_accents=told.get("strip_accents")
    )
    inner.pre_tokenizer = made.pre_tokenizers.BertPreTokenizer()
    inner.decoder = made.decoders.WordPiece(prefix=library.CONTINUES)
    inner.add_special_tokens([name for name in ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]") if name in words])
    return inner.to_str()
