"""Llama as Hugging Face publishes it, `LlamaModel` and `LlamaForCausalLM`, and `nn.transformer` (Touvron et al. 2023).

arXiv:2302.13971, arXiv:2307.09288. Rotary positions, root-mean-square norms, a gated MLP, and fewer heads of keys and
values than of queries. Linear layers are stored [out, in]; query, key and value are three. Rotations turn the pairs
(i, i + d/2) on both sides. The formats qwen2 and qwen3 are this one with other options.
"""

from collections.abc import Mapping
from typing import Any

from aigc_jax.errors import ConfigError
from aigc_jax.format import SAME, TRANSPOSED, Entry, Part, by_heads, check_computed, check_options, first_of, of_heads
from aigc_jax.weights.gpt2 import OPTIONS as DEFAULTS

NETWORK = "transformer.Transformer"
PREFIX = "model."  # of the names in a model with an output layer
BUFFERS = r"\.rotary_emb\.inv_freq$"

# What the network computes, by the keys that could ask for something else; the first of each is written.
COMPUTED: dict[str, tuple] = {
    "hidden_act": ("silu",),
    "attention_bias": (False,),
    "mlp_bias": (False,),
    "pretraining_tp": (1, None),
}
OPTIONS: dict[str, Any] = {
    "positions": "rotary",
    "norm": "rms",
    "activation": "swiglu",
    "bias": "none",
    "query_key_norm": False,
}
PERIOD = 10_000.0  # of rotations, where a file says none


def fields(config: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of our network that computes the same. config: config.json.

    Raises ConfigError for a variant that it does not compute, KeyError for a size that is not there.
    """
    check_computed(NETWORK, config, COMPUTED)
    return {**read_sizes(config, tied=False), **OPTIONS}


def config(fields: Mapping[str, Any]) -> dict[str, Any]:
    """What config.json says of such a network. Raises ConfigError for one that the format has no words for."""
    check_options("llama", {**DEFAULTS, **fields}, OPTIONS)
    return {"architectures": ["LlamaForCausalLM"], **written_sizes(fields), **first_of(COMPUTED)}


def table(fields: Mapping[str, Any]) -> list[Entry]:
    """Every array of ours and the one of theirs that it is."""
    fields = {**DEFAULTS, **fields}
    layers = [entry for layer in range(fields["layers"]) for entry in _layer(fields, layer)]
    found = [
        Entry("embed_tokens.weight", "embedding/embedding"),
        *layers,
        Entry("norm.weight", "norm/scale"),
    ]
    head = [] if fields["tied"] else [Entry("lm_head.weight", "params/head/kernel", TRANSPOSED)]
    found = [entry._replace(theirs=f"{PREFIX}{entry.theirs}", ours=f"params/{entry.ours}") for entry in found]
    return [*found, *head]


def read_sizes(config: Mapping[str, Any], tied: bool) -> dict[str, Any]:
    """The fields that config.json gives as numbers. tied: where the file does not say it."""
    width, heads = config["hidden_size"], config["num_attention_heads"]
    each = config.get("head_dim") or width // heads
    kv_heads = config.get("num_key_value_heads") or heads
    scaling = config.get("rope_parameters") or config.get("rope_scaling") or {}
    kind = scaling.get("rope_type", scaling.get("type", "default"))
    if kind != "default":
        raise ConfigError(f'the rotary positions are of the type "{kind}", and {NETWORK} has "default"')
    return {
        "vocabulary": config["vocab_size"],
        "length": config["max_position_embeddings"],
        "layers": config["num_hidden_layers"],
        "width": width,
        "heads": heads,
        "dropout": config.get("attention_dropout", 0.0),
        "tied": config.get("tie_word_embeddings", tied),
        "kv_heads": 0 if kv_heads == heads else kv_heads,
        "head_width": 0 if each * heads == width else each,
        "mlp_width": config["intermediate_size"],
        "norm_epsilon": float(config.get("rms_norm_eps", 1e-6)),
        "rope_theta": float(scaling.get("rope_theta", config.get("rope_theta", PERIOD))),
    }


def written_sizes(fields: Mapping[str, Any]) -> dict[str, Any]:
    """`read_sizes`, the other way."""
    fields = {**DEFAULTS, "rope_theta": PERIOD, **fields}
    width, heads = fields["width"], fields["heads"]
    theta = fields["rope_theta"]
    return {
        "vocab_size": fields["vocabulary"],
        "max_position_embeddings": fields["length"],
        "num_hidden_layers": fields["layers"],
        "hidden_size": width,
        "num_attention_heads": heads,
        "attention_dropout": fields["dropout"],
        "tie_word_embeddings": fields["tied"],
        "num_key_value_heads": fields["kv_heads"] or heads,
        "head_dim": fields["head_width"] or width // heads,
        "intermediate_size": fields["mlp_width"] or 4 * width,
        "rms_norm_eps": fields["norm_epsilon"],
        "rope_theta": theta,  # where older readers look for it
        "rope_parameters": {"rope_theta": theta, "rope_type": "default"},
    }


def _layer(fields: Mapping[str, Any], layer: int) -> list[Entry]:
    theirs, ours = f"layers.{layer}", f"blocks_{layer}"
    width, heads = fields["width"], fields["heads"]
    each, kv_heads = fields["head_width"] or width // heads, fields["kv_heads"] or heads
    joined = {"q": ("qkv", 0), "k": ("qkv", 1), "v": ("qkv", 2)}
    apart = {"q": ("query", None), "k": ("key_value", 0), "v": ("key_value", 1)}
    found = [
        Entry(f"{theirs}.input_layernorm.weight", f"{ours}/attention_norm/scale"),
        Entry(f"{theirs}.post_attention_layernorm.weight", f"{ours}/mlp_norm/scale"),
        Entry(f"{theirs}.self_attn.o_proj.weight", f"{ours}/attention/out/kernel", TRANSPOSED),
    ]
    for name, (path, index) in (joined if kv_heads == heads else apart).items():
        number, own = heads if name == "q" else kv_heads, f"{ours}/attention/{path}"
        kernel, bias = (None if index is None else Part(axis, index) for axis in (1, 0))
        found.append(Entry(f"{theirs}.self_attn.{name}_proj.weight", f"{own}/kernel", by_heads(number, each), kernel))
        if fields["bias"] == "qkv":
            found.append(Entry(f"{theirs}.self_attn.{name}_proj.bias", f"{own}/bias", of_heads(number, each), bias))
    if fields["query_key_norm"]:
        for name, own in (("q_norm", "query_norm"), ("k_norm", "key_norm")):
            found.append(Entry(f"{theirs}.self_attn.{name}.weight", f"{ours}/attention/{own}/scale", SAME))
    for name, own in (("gate_proj", "mlp_gate"), ("up_proj", "mlp_in"), ("down_proj", "mlp_out")):
        found.append(Entry(f"{theirs}.mlp.{name}.weight", f"{ours}/{own}/kernel", TRANSPOSED))
    return found
