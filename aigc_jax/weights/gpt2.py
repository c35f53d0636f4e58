"""GPT-2 as Hugging Face publishes it, `GPT2Model` and `GPT2LMHeadModel`, and `nn.transformer` (Radford et al. 2019).

Linear layers are stored [in, out] as ours. Query, key and value are one layer whose output is [3, heads, width / heads]
in this order. The output layer is the embedding, transposed, where `tie_word_embeddings` says so.
"""

from collections.abc import Mapping
from typing import Any

from aigc_jax.format import SAME, TRANSPOSED, Entry, check_computed, check_options, reshaped

NETWORK = "transformer.Transformer"
PREFIX = "transformer."  # of the names in a GPT2LMHeadModel; a GPT2Model's have none
BUFFERS = r"\.attn\.(masked_)?bias$|^lm_head\.weight$"  # the causal mask, and a tied output layer

COMPUTED = {  # what the network computes, by the keys that could ask for something else; the first of each is written
    "activation_function": ("gelu_new", "gelu_pytorch_tanh"),
    "layer_norm_epsilon": (1e-5,),
    "scale_attn_weights": (True,),
    "scale_attn_by_inverse_layer_idx": (False,),
    "add_cross_attention": (False,),
}

OPTIONS: dict[str, Any] = {  # fields of our network that have a default, all but `remat`: GPT-2 has the defaults
    "positions": "learned",
    "norm": "layer",
    "activation": "gelu_tanh",
    "bias": "all",
    "kv_heads": 0,
    "head_width": 0,
    "mlp_width": 0,
    "query_key_norm": False,
    "norm_epsilon": 1e-5,
}


def fields(config: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of our network that computes the same. config: config.json.

    Raises ConfigError for a variant that it does not compute, KeyError for a size that is not there.
    """
    check_computed(NETWORK, config, {**COMPUTED, "n_inner": (None, 4 * config["n_embd"])})
    return {
        "vocabulary": config["vocab_size"],
        "length": config["n_positions"],
        "layers": config["n_layer"],
        "width": config["n_embd"],
        "heads": config["n_head"],
        "dropout": config.get("resid_pdrop", 0.1),
        "tied": config.get("tie_word_embeddings", True),
    }


def config(fields: Mapping[str, Any]) -> dict[str, Any]:
    """What config.json says of such a network. Raises ConfigError for one that the format has no words for."""
    check_options("gpt2", {**OPTIONS, **fields}, OPTIONS)
    return {
        "architectures": ["GPT2LMHeadModel"],
        "vocab_size": fields["vocabulary"],
        "n_positions": fields["length"],
        "n_layer": fields["layers"],
        "n_embd": fields["width"],
        "n_head": fields["heads"],
        "tie_word_embeddings": fields["tied"],
        **{f"{part}_pdrop": fields["dropout"] for part in ("resid", "embd", "attn")},
        **{key: values[0] for key, values in COMPUTED.items()},
    }


def table(fields: Mapping[str, Any]) -> list[Entry]:
    """Every array of ours and the one of theirs that it is."""
    width, heads = fields["width"], fields["heads"]
    apart = (3, heads, width // heads)
    kernel, bias = reshaped((width, *apart), (width, -1)), reshaped(apart, (-1,))
    found = [
        Entry("wte.weight", "embedding/embedding"),
        Entry("wpe.weight", "positions/embedding"),
        *_norm("ln_f", "norm"),
    ]
    for layer in range(fields["layers"]):
        theirs, ours = f"h.{layer}", f"blocks_{layer}"
        found += [
            *_norm(f"{theirs}.ln_1", f"{ours}/attention_norm"),
            Entry(f"{theirs}.attn.c_attn.weight", f"{ours}/attention/qkv/kernel", kernel),
            Entry(f"{theirs}.attn.c_attn.bias", f"{ours}/attention/qkv/bias", bias),
            *_linear(f"{theirs}.attn.c_proj", f"{ours}/attention/out"),
            *_norm(f"{theirs}.ln_2", f"{ours}/mlp_norm"),
            *_linear(f"{theirs}.mlp.c_fc", f"{ours}/mlp_in"),
            *_linear(f"{theirs}.mlp.c_proj", f"{ours}/mlp_out"),
        ]
    head = [] if fields["tied"] else [Entry("lm_head.weight", "params/head/kernel", TRANSPOSED)]
    return [*(Entry(f"{PREFIX}{entry.theirs}", f"params/{entry.ours}", entry.form) for entry in found), *head]


def _norm(theirs: str, ours: str) -> list[Entry]:
    return [Entry(f"{theirs}.weight", f"{ours}/scale", SAME), Entry(f"{theirs}.bias", f"{ours}/bias", SAME)]


def _linear(theirs: str, ours: str) -> list[Entry]:
    return [Entry(f"{theirs}.weight", f"{ours}/kernel", SAME), Entry(f"{theirs}.bias", f"{ours}/bias", SAME)]
