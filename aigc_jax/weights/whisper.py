"""Whisper as Hugging Face publishes it, `WhisperForConditionalGeneration`, and `nn.whisper` (Radford et al. 2022).

arXiv:2212.04356. Linear layers are stored [out, in] and convolutions [out, in, kernel]. A layer of keys has no bias;
ours is one array with those of queries or values, and 0 where it is of keys.
"""

from collections.abc import Mapping
from typing import Any

from aigc_jax.errors import ConfigError
from aigc_jax.format import NOTHING, TRANSPOSED, Entry, Part, by_heads, check_computed, first_of, of_heads, zeros

NETWORK = "whisper.Whisper"
PREFIX = "model."
BUFFERS = r"^proj_out\.weight$"  # the embedding

# What the network computes, by the keys that could ask for something else; the first of each is written.
COMPUTED: dict[str, tuple] = {
    "activation_function": ("gelu",),
    "scale_embedding": (False,),
    "is_encoder_decoder": (True,),
    "tie_word_embeddings": (True,),
}
SPECIAL = ("pad_token_id", "bos_token_id", "eos_token_id")
START, UNTIMED = "<|startoftranscript|>", "<|notimestamps|>"  # what a transcript begins with
SEVERAL = 51_865  # tokens at least, where a model knows several languages
LAST = 50_256  # of these tokens, unless config.json says something else
DEFAULTS: dict[str, Any] = {"encoder_layers": 0, "mlp_width": 0}  # of our network's fields


def fields(config: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of our network that computes the same. config: config.json.

    Raises ConfigError for a variant that it does not compute, KeyError for a size that is not there.
    """
    check_computed(NETWORK, config, COMPUTED)
    for size in ("attention_heads", "ffn_dim"):
        one, other = config[f"encoder_{size}"], config[f"decoder_{size}"]
        if one != other:
            raise ConfigError(
                f'"encoder_{size}" is {one} and "decoder_{size}" is {other}, and {NETWORK} has one of both'
            )
    layers, decoder_layers = config["encoder_layers"], config["decoder_layers"]
    return {
        "vocabulary": config["vocab_size"],
        "length": config["max_target_positions"],
        "source_length": config["max_source_positions"],
        "mels": config["num_mel_bins"],
        "layers": decoder_layers,
        "width": config["d_model"],
        "heads": config["decoder_attention_heads"],
        "dropout": config.get("dropout", 0.0),
        "encoder_layers": 0 if layers == decoder_layers else layers,
        "mlp_width": config["decoder_ffn_dim"],
    }


def config(fields: Mapping[str, Any]) -> dict[str, Any]:
    """What config.json says of such a network."""
    fields = {**DEFAULTS, **fields}
    hidden = fields["mlp_width"] or 4 * fields["width"]
    lacking = {} if fields["vocabulary"] > LAST else dict.fromkeys(SPECIAL)
    return {
        "architectures": ["WhisperForConditionalGeneration"],
        "vocab_size": fields["vocabulary"],
        "max_target_positions": fields["length"],
        "max_source_positions": fields["source_length"],
        "num_mel_bins": fields["mels"],
        "encoder_layers": fields["encoder_layers"] or fields["layers"],
        "decoder_layers": fields["layers"],
        "d_model": fields["width"],
        "encoder_attention_heads": fields["heads"],
        "decoder_attention_heads": fields["heads"],
        "encoder_ffn_dim": hidden,
        "decoder_ffn_dim": hidden,
        "dropout": fields["dropout"],
        **lacking,
        **first_of(COMPUTED),
    }


def table(fields: Mapping[str, Any]) -> list[Entry]:
    """Every array of ours and the one of theirs that it is."""
    fields = {**DEFAULTS, **fields}
    found = [
        Entry("decoder.embed_tokens.weight", "embedding/embedding"),
        Entry("decoder.embed_positions.weight", "decoder/positions/embedding"),
        Entry("encoder.embed_positions.weight", "sines"),
    ]
    for number in range(2):
        found.append(Entry(f"encoder.conv{number + 1}.weight", f"stem_{number}/kernel", TRANSPOSED))
        found.append(Entry(f"encoder.conv{number + 1}.bias", f"stem_{number}/bias"))
    for stack, layers in (("encoder", fields["encoder_layers"] or fields["layers"]), ("decoder", fields["layers"])):
        for layer in range(layers):
            found += _layer(fields, stack, layer)
        found += _norm(f"{stack}.layer_norm", f"{stack}/norm")
    return [_whole(entry) for entry in found]


def _whole(entry: Entry) -> Entry:
    """With the prefix of theirs and the collection of ours."""
    theirs = PREFIX + entry.theirs if entry.theirs != NOTHING else NOTHING
    return entry._replace(theirs=theirs, ours=f"params/{entry.ours}")


def _layer(fields: Mapping[str, Any], stack: str, layer: int) -> list[Entry]:
    theirs, ours = f"{stack}.layers.{layer}", f"{stack}/blocks_{layer}"
    heads, each = fields["heads"], fields["width"] // fields["heads"]
    kernel, bias = by_heads(heads, each), of_heads(heads, each)

    def stacked(name: str, layer: str, letters: str) -> list[Entry]:
        found = []
        for number, letter in enumerate(letters):
            found.append(Entry(f"{name}.{letter}_proj.weight", f"{layer}/kernel", kernel, Part(1, number)))
            none = letter == "k"
            found.append(
                Entry(
                    NOTHING if none else f"{name}.{letter}_proj.bias",
                    f"{layer}/bias",
                    zeros(heads, each) if none else bias,
                    Part(0, number),
                )
            )
        return found

    own, cross = f"{theirs}.self_attn", f"{theirs}.encoder_attn"
    found = stacked(own, f"{ours}/attention/qkv", "qkv")
    found += _linear(f"{own}.out_proj", f"{ours}/attention/out")
    found += _norm(f"{theirs}.self_attn_layer_norm", f"{ours}/attention_norm")
    if stack == "decoder":
        found.append(Entry(f"{cross}.q_proj.weight", f"{ours}/cross/query/kernel", kernel))
        found.append(Entry(f"{cross}.q_proj.bias", f"{ours}/cross/query/bias", bias))
        found += stacked(cross, f"key_value_{layer}", "kv")
        found += _linear(f"{cross}.out_proj", f"{ours}/cross/out")
        found += _norm(f"{theirs}.encoder_attn_layer_norm", f"{ours}/cross_norm")
    found += _linear(f"{theirs}.fc1", f"{ours}/mlp_in") + _linear(f"{theirs}.fc2", f"{ours}/mlp_out")
    return found + _norm(f"{theirs}.final_layer_norm", f"{ours}/mlp_norm")


def _linear(theirs: str, ours: str) -> list[Entry]:
    return [Entry(f"{theirs}.weight", f"{ours}/kernel", TRANSPOSED), Entry(f"{theirs}.bias", f"{ours}/bias")]


def _norm(theirs: str, ours: str) -> list[Entry]:
    return [Entry(f"{theirs}.weight", f"{ours}/scale"), Entry(f"{theirs}.bias", f"{ours}/bias")]
