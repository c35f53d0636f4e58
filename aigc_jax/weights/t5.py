"""T5 as Hugging Face publishes it, `T5ForConditionalGeneration`, and `nn.encoder_decoder` (Raffel et al. 2020).

arXiv:1910.10683: version 1.0, with ReLU and a tied output layer that reads scaled vectors, and 1.1, with a gated GELU
and an output layer of its own. Linear layers are stored [out, in]. Encoder and decoder have a table of relative
positions each, in the first block there.

Newer files of version 1.1 say that the output layer is tied, which it is not: "scale_decoder_outputs" tells.
"""

from collections.abc import Mapping
from typing import Any

from aigc_jax.errors import ConfigError
from aigc_jax.format import TRANSPOSED, Entry, Part, by_heads, check_computed, check_options, first_of

NETWORK = "encoder_decoder.EncoderDecoder"
PREFIX = ""
BUFFERS = r"^(encoder|decoder)\.embed_tokens\.weight$|^lm_head\.weight$|EncDecAttention\.relative_attention_bias\."

ACTIVATIONS = {"relu": "relu", "gated-gelu": "geglu", "gated-silu": "swiglu"}
# What the network computes, by the keys that could ask for something else; the first of each is written.
COMPUTED: dict[str, tuple] = {"is_encoder_decoder": (True,)}
# Fields of which the format knows one value.
OPTIONS: dict[str, Any] = {
    "shared": True,
    "positions": "relative",
    "norm": "rms",
    "bias": "none",
    "after": False,
    "normed": False,
    "kv_heads": 0,
}
DEFAULTS: dict[str, Any] = {  # of our network's other fields
    **OPTIONS,
    "shared": False,
    "encoder_layers": 0,
    "activation": "relu",
    "head_width": 0,
    "mlp_width": 0,
    "norm_epsilon": 1e-6,
    "scaled_output": False,
    "buckets": 32,
    "farthest": 128,
}
LENGTH = 512  # tokens, where a file does not say it: no array depends on it


def fields(config: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of our network that computes the same. config: config.json.

    Raises ConfigError for a variant that it does not compute, KeyError for a size that is not there.
    """
    check_computed(NETWORK, config, COMPUTED)
    activation = config.get("feed_forward_proj", "relu")
    if activation not in ACTIVATIONS:
        raise ConfigError(f'"feed_forward_proj" is {activation!r}, and {NETWORK} has one of {", ".join(ACTIVATIONS)}')
    width, heads, each = config["d_model"], config["num_heads"], config["d_kv"]
    tied = config.get("scale_decoder_outputs", config.get("tie_word_embeddings", True))
    length, layers = config.get("n_positions", LENGTH), config["num_layers"]
    decoder_layers = config.get("num_decoder_layers") or layers
    pad = config.get("pad_token_id")
    return {
        "vocabulary": config["vocab_size"],
        "length": length,
        "source_vocabulary": config["vocab_size"],
        "source_length": length,
        "source_pad": 0 if pad is None else pad,
        "layers": decoder_layers,
        "width": width,
        "heads": heads,
        "dropout": config.get("dropout_rate", 0.1),
        "tied": tied,
        "encoder_layers": 0 if layers == decoder_layers else layers,
        "activation": ACTIVATIONS[activation],
        "head_width": 0 if each * heads == width else each,
        "mlp_width": config["d_ff"],
        "norm_epsilon": float(config.get("layer_norm_epsilon", 1e-6)),
        "scaled_output": tied,
        "buckets": config.get("relative_attention_num_buckets", 32),
        "farthest": config.get("relative_attention_max_distance", 128),
        **OPTIONS,
    }


def config(fields: Mapping[str, Any]) -> dict[str, Any]:
    """What config.json says of such a network. Raises ConfigError for one that the format has no words for."""
    fields = {**DEFAULTS, **fields}
    check_options("t5", fields, {**OPTIONS, "scaled_output": fields["tied"]})
    kinds = {ours: theirs for theirs, ours in ACTIVATIONS.items()}
    if fields["activation"] not in kinds:
        raise ConfigError(f'"activation" is {fields["activation"]!r}, and the format t5 has one of {", ".join(kinds)}')
    return {
        "architectures": ["T5ForConditionalGeneration"],
        "vocab_size": fields["vocabulary"],
        "n_positions": fields["length"],
        "pad_token_id": fields["source_pad"],
        "decoder_start_token_id": fields["source_pad"],
        "num_layers": fields["encoder_layers"] or fields["layers"],
        "num_decoder_layers": fields["layers"],
        "d_model": fields["width"],
        "num_heads": fields["heads"],
        "d_kv": fields["head_width"] or fields["width"] // fields["heads"],
        "d_ff": fields["mlp_width"] or 4 * fields["width"],
        "dropout_rate": fields["dropout"],
        "tie_word_embeddings": fields["tied"],
        "feed_forward_proj": kinds[fields["activation"]],
        "layer_norm_epsilon": fields["norm_epsilon"],
        "relative_attention_num_buckets": fields["buckets"],
        "relative_attention_max_distance": fields["farthest"],
        **first_of(COMPUTED),
    }


def table(fields: Mapping[str, Any]) -> list[Entry]:
    """Every array of ours and the one of theirs that it is."""
    fields = {**DEFAULTS, **fields}
    found = [Entry("shared.weight", "embedding/embedding")]
    for stack, layers in (("encoder", fields["encoder_layers"] or fields["layers"]), ("decoder", fields["layers"])):
        first = f"{stack}.block.0.layer.0.SelfAttention.relative_attention_bias.weight"
        found.append(Entry(first, f"{stack}/distances/table/embedding"))
        for layer in range(layers):
            found += _layer(fields, stack, layer)
        found.append(Entry(f"{stack}.final_layer_norm.weight", f"{stack}/norm/scale"))
    head = [] if fields["tied"] else [Entry("lm_head.weight", "head/kernel", TRANSPOSED)]
    return [entry._replace(ours=f"params/{entry.ours}") for entry in [*found, *head]]


def _layer(fields: Mapping[str, Any], stack: str, layer: int) -> list[Entry]:
    theirs, ours = f"{stack}.block.{layer}.layer", f"{stack}/blocks_{layer}"
    form = by_heads(fields["heads"], fields["head_width"] or fields["width"] // fields["heads"])
    branches = ["attention", "cross", "mlp"] if stack == "decoder" else ["attention", "mlp"]
    found = [Entry(f"{theirs}.{n}.layer_norm.weight", f"{ours}/{name}_norm/scale") for n, name in enumerate(branches)]

    own = f"{theirs}.0.SelfAttention"
    found += [
        Entry(f"{own}.{name}.weight", f"{ours}/attention/qkv/kernel", form, Part(1, number))
        for number, name in enumerate("qkv")
    ]
    found.append(Entry(f"{own}.o.weight", f"{ours}/attention/out/kernel", TRANSPOSED))

    if stack == "decoder":
        cross = f"{theirs}.1.EncDecAttention"
        found.append(Entry(f"{cross}.q.weight", f"{ours}/cross/query/kernel", form))
        found += [
            Entry(f"{cross}.{name}.weight", f"key_value_{layer}/kernel", form, Part(1, number))
            for number, name in enumerate("kv")
        ]
        found.append(Entry(f"{cross}.o.weight", f"{ours}/cross/out/kernel", TRANSPOSED))

    mlp = f"{theirs}.{len(branches) - 1}.DenseReluDense"
    plain = {"wi": "mlp_in", "wo": "mlp_out"}
    gated = {"wi_0": "mlp_gate", "wi_1": "mlp_in", "wo": "mlp_out"}
    names = plain if fields["activation"] == "relu" else gated
    return found + [Entry(f"{mlp}.{name}.weight", f"{ours}/{own}/kernel", TRANSPOSED) for name, own in names.items()]
