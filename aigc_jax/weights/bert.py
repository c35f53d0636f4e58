"""BERT as Hugging Face publishes it, and `nn.bert` (Devlin et al. 2019, arXiv:1810.04805).

`BertModel`, `BertForMaskedLM`, `BertForSequenceClassification` and `BertForTokenClassification`, as the first of
"architectures" says. Linear layers are stored [out, in]. The head of words is tied to the embedding. What a file has
beside the network's own arrays is passed over where it belongs to another head of the same pretraining.
"""

from collections.abc import Mapping
from typing import Any

from aigc_jax.errors import ConfigError
from aigc_jax.format import TRANSPOSED, Entry, Part, by_heads, check_computed, first_of, of_heads

NETWORK = "bert.Bert"
PREFIX = "bert."  # of the names in a model with a head
BUFFERS = r"\.position_ids$|^cls\.predictions\.decoder\.|^cls\.seq_relationship\.|^(bert\.)?pooler\."
RENAMED = {r"LayerNorm\.gamma$": "LayerNorm.weight", r"LayerNorm\.beta$": "LayerNorm.bias"}

HEADS = {  # the class -> what our head gives
    "BertModel": "hidden",
    "BertForMaskedLM": "words",
    "BertForPreTraining": "words",
    "BertForSequenceClassification": "classes",
    "BertForTokenClassification": "tokens",
}
ACTIVATIONS = {"gelu": "gelu", "gelu_new": "gelu_tanh", "gelu_pytorch_tanh": "gelu_tanh", "relu": "relu"}
# What the network computes, by the keys that could ask for something else; the first of each is written.
COMPUTED: dict[str, tuple] = {
    "position_embedding_type": ("absolute",),
    "is_decoder": (False,),
    "add_cross_attention": (False,),
    "tie_word_embeddings": (True,),
}
DEFAULTS: dict[str, Any] = {  # of our network's fields, all but `remat`
    "head": "words",
    "classes": 0,
    "pooling": "first",
    "types": 2,
    "pooled": False,
    "mlp_width": 0,
    "activation": "gelu",
    "norm_epsilon": 1e-12,
}


def fields(config: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of our network that computes the same. config: config.json.

    Raises ConfigError for a variant that it does not compute, KeyError for a size that is not there.
    """
    check_computed(NETWORK, config, COMPUTED)
    kind = (config.get("architectures") or ["BertModel"])[0]
    if kind not in HEADS:
        raise ConfigError(f'"architectures" is "{kind}", and {NETWORK} is one of {", ".join(HEADS)}')
    activation = config.get("hidden_act", "gelu")
    if activation not in ACTIVATIONS:
        raise ConfigError(f'"hidden_act" is {activation!r}, and {NETWORK} has one of {", ".join(ACTIVATIONS)}')
    labelled = HEADS[kind] in ("classes", "tokens")
    return {
        "vocabulary": config["vocab_size"],
        "length": config["max_position_embeddings"],
        "layers": config["num_hidden_layers"],
        "width": config["hidden_size"],
        "heads": config["num_attention_heads"],
        "dropout": config.get("hidden_dropout_prob", 0.1),
        "head": HEADS[kind],
        "classes": len(config.get("id2label") or "01") if labelled else 0,
        "types": config.get("type_vocab_size", 2),
        "pooled": HEADS[kind] == "hidden",
        "mlp_width": config["intermediate_size"],
        "activation": ACTIVATIONS[activation],
        "norm_epsilon": float(config.get("layer_norm_eps", 1e-12)),
    }


def config(fields: Mapping[str, Any]) -> dict[str, Any]:
    """What config.json says of such a network. Raises ConfigError for one that the format has no words for."""
    fields = {**DEFAULTS, **fields}
    if not fields["types"]:
        raise ConfigError('"types" is 0, and the format bert has 1 at least')
    if fields["head"] == "hidden" and not fields["pooled"]:
        raise ConfigError('"pooled" is False, and the format bert has True alone')
    if fields["pooling"] != "first":
        raise ConfigError(f'"pooling" is "{fields["pooling"]}", and the format bert has "first" alone')
    kinds = {head: kind for kind, head in HEADS.items() if kind != "BertForPreTraining"}
    activations = {ours: theirs for theirs, ours in reversed(ACTIVATIONS.items())}
    labels = {str(label): f"LABEL_{label}" for label in range(fields["classes"])}
    return {
        "architectures": [kinds[fields["head"]]],
        "vocab_size": fields["vocabulary"],
        "max_position_embeddings": fields["length"],
        "num_hidden_layers": fields["layers"],
        "hidden_size": fields["width"],
        "num_attention_heads": fields["heads"],
        "hidden_dropout_prob": fields["dropout"],
        "attention_probs_dropout_prob": fields["dropout"],
        "type_vocab_size": fields["types"],
        "intermediate_size": fields["mlp_width"] or 4 * fields["width"],
        "hidden_act": activations[fields["activation"]],
        "layer_norm_eps": fields["norm_epsilon"],
        **({"id2label": labels, "label2id": {name: int(label) for label, name in labels.items()}} if labels else {}),
        **first_of(COMPUTED),
    }


def table(fields: Mapping[str, Any]) -> list[Entry]:
    """Every array of ours and the one of theirs that it is."""
    fields = {**DEFAULTS, **fields}
    found = [
        Entry("embeddings.word_embeddings.weight", "embedding/embedding"),
        Entry("embeddings.position_embeddings.weight", "positions/embedding"),
        Entry("embeddings.token_type_embeddings.weight", "types/embedding"),
        *_norm("embeddings.LayerNorm", "embedding_norm"),
    ]
    for layer in range(fields["layers"]):
        found += _layer(fields, f"encoder.layer.{layer}", f"blocks_{layer}")
    if fields["pooled"] or fields["head"] == "classes":
        found += _linear("pooler.dense", "pooler")
    found = [entry._replace(theirs=f"{PREFIX}{entry.theirs}") for entry in found]
    if fields["head"] == "words":
        found += [
            *_linear("cls.predictions.transform.dense", "transform"),
            *_norm("cls.predictions.transform.LayerNorm", "transform_norm"),
            Entry("cls.predictions.bias", "word_bias"),
        ]
    if fields["head"] in ("classes", "tokens"):
        found += _linear("classifier", "labels")
    return [entry._replace(ours=f"params/{entry.ours}") for entry in found]


def _layer(fields: Mapping[str, Any], theirs: str, ours: str) -> list[Entry]:
    heads, each = fields["heads"], fields["width"] // fields["heads"]
    found = [
        *_norm(f"{theirs}.attention.output.LayerNorm", f"{ours}/attention_norm"),
        *_linear(f"{theirs}.attention.output.dense", f"{ours}/attention/out"),
        *_linear(f"{theirs}.intermediate.dense", f"{ours}/mlp_in"),
        *_linear(f"{theirs}.output.dense", f"{ours}/mlp_out"),
        *_norm(f"{theirs}.output.LayerNorm", f"{ours}/mlp_norm"),
    ]
    for number, name in enumerate(("query", "key", "value")):
        one, own = f"{theirs}.attention.self.{name}", f"{ours}/attention/qkv"
        found.append(Entry(f"{one}.weight", f"{own}/kernel", by_heads(heads, each), Part(1, number)))
        found.append(Entry(f"{one}.bias", f"{own}/bias", of_heads(heads, each), Part(0, number)))
    return found


def _norm(theirs: str, ours: str) -> list[Entry]:
    return [Entry(f"{theirs}.weight", f"{ours}/scale"), Entry(f"{theirs}.bias", f"{ours}/bias")]


def _linear(theirs: str, ours: str) -> list[Entry]:
    return [Entry(f"{theirs}.weight", f"{ours}/kernel", TRANSPOSED), Entry(f"{theirs}.bias", f"{ours}/bias")]
