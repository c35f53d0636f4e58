"""Small Whispers of random weights: as variables, as a published folder with its tokens, and as CTranslate2 has it."""

import json
import struct

import jax
import numpy as np
from safetensors.numpy import load_file

from aigc_jax import published
from aigc_jax.nn.whisper import Whisper

NAME = "whisper.Whisper"
SIZES = dict(length=24, source_length=25, mels=10, layers=2, encoder_layers=1, width=12, heads=3)  # windows of 0.5 s
SIZES |= dict(dropout=0.0, mlp_width=20)
SPECIAL = ("<|endoftext|>", "<|startoftranscript|>", "<|nocaptions|>", "<|notimestamps|>")
TIMES = 3  # tokens after those of the tokenizer
LETTERS = "abcdefgh"


def variables(fields, scale=0.3):
    """Weights of the size that trained ones have, and 0 where published files have none."""
    module = Whisper(**fields)
    inputs, options = module.example()
    shapes = jax.eval_shape(lambda: module.init(jax.random.key(0), *inputs, **options))
    random = np.random.RandomState(0)

    def drawn(path, leaf):
        around = 1.0 if path[-1].key == "scale" else 0.0
        found = (around + scale * random.randn(*leaf.shape)).astype(np.float32)
        if path[-1].key == "bias" and path[-2].key == "qkv":
            found[1] = 0
        if path[-1].key == "bias" and path[-2].key.startswith("key_value"):
            found[0] = 0
        return found

    return jax.tree.map_with_path(drawn, shapes)


def write_tokenizer(folder):
    """A tokenizer of letters, as Whisper's is of bytes; the number of its tokens."""
    import tokenizers

    words = tokenizers.models.BPE({letter: number for number, letter in enumerate(LETTERS)}, [])
    inner = tokenizers.Tokenizer(words)
    inner.decoder = tokenizers.decoders.ByteLevel()
    inner.add_special_tokens(list(SPECIAL))
    inner.save(str(folder / "tokenizer.json"))
    return inner.get_vocab_size()


def write(folder, suppressed=(1,), first=(2,)):
    """A published folder. -> (its network's fields, its variables)."""
    fields = {"vocabulary": len(LETTERS) + len(SPECIAL) + TIMES, **SIZES}
    found = variables(fields)
    published.write(folder, {"name": NAME, **fields}, found, "whisper")
    assert write_tokenizer(folder) + TIMES == fields["vocabulary"]
    told = {"suppress_tokens": list(suppressed), "begin_suppress_tokens": list(first)}
    (folder / "generation_config.json").write_text(json.dumps(told))
    return fields, found


def write_ctranslate2(folder, source):
    """The same as CTranslate2 stores it, of a folder that `write` wrote. -> their arrays by name."""
    theirs = load_file(source / published.ARRAYS)
    found = {"decoder/num_heads": np.array(SIZES["heads"], np.int16), "decoder/scale_embeddings": np.array(0, np.int8)}

    def layer(name, *parts, none=False):
        for place in ("weight", "bias"):
            rows = [theirs.get(f"{part}.{place}", np.zeros(SIZES["width"], np.float32)) for part in parts]
            found[f"{name}/{place}"] = np.concatenate(rows)

    def norm(name, part):
        found[f"{name}/gamma"], found[f"{name}/beta"] = theirs[f"{part}.weight"], theirs[f"{part}.bias"]

    found["decoder/embeddings/weight"] = theirs["model.decoder.embed_tokens.weight"]
    for number in (1, 2):
        layer(f"encoder/conv{number}", f"model.encoder.conv{number}")
    for stack, layers in (("encoder", SIZES["encoder_layers"]), ("decoder", SIZES["layers"])):
        found[f"{stack}/position_encodings/encodings"] = theirs[f"model.{stack}.embed_positions.weight"]
        norm(f"{stack}/layer_norm", f"model.{stack}.layer_norm")
        for number in range(layers):
            here, there = f"{stack}/layer_{number}", f"model.{stack}.layers.{number}"
            layer(f"{here}/self_attention/linear_0", *(f"{there}.self_attn.{letter}_proj" for letter in "qkv"))
            layer(f"{here}/self_attention/linear_1", f"{there}.self_attn.out_proj")
            norm(f"{here}/self_attention/layer_norm", f"{there}.self_attn_layer_norm")
            if stack == "decoder":
                layer(f"{here}/attention/linear_0", f"{there}.encoder_attn.q_proj")
                layer(f"{here}/attention/linear_1", *(f"{there}.encoder_attn.{letter}_proj" for letter in "kv"))
                layer(f"{here}/attention/linear_2", f"{there}.encoder_attn.out_proj")
                norm(f"{here}/attention/layer_norm", f"{there}.encoder_attn_layer_norm")
            layer(f"{here}/ffn/linear_0", f"{there}.fc1")
            layer(f"{here}/ffn/linear_1", f"{there}.fc2")
            norm(f"{here}/ffn/layer_norm", f"{there}.final_layer_norm")
    found = {name: x.astype(np.float16) if x.dtype == np.float32 else x for name, x in found.items()}
    folder.mkdir()
    (folder / "model.bin").write_bytes(packed(found))
    (folder / "config.json").write_text(json.dumps({"suppress_ids": [1], "suppress_ids_begin": [2]}))
    write_tokenizer(folder)
    return found


def packed(arrays, version=6, kind="WhisperSpec"):
    """A model.bin."""
    types = {"float32": 0, "int8": 1, "int16": 2, "int32": 3, "float16": 4}

    def text(name):
        return struct.pack("<H", len(name) + 1) + name.encode() + b"\0"

    parts = [struct.pack("<I", version), text(kind), struct.pack("<II", 3, len(arrays))]
    for name, x in arrays.items():
        sizes = struct.pack(f"<B{x.ndim}I", x.ndim, *x.shape)
        parts += [text(name), sizes, struct.pack("<BI", types[str(x.dtype)], x.nbytes), x.tobytes()]
    return b"".join([*parts, struct.pack("<I", 0)])
