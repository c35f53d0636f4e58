"""DiT as Hugging Face publishes it, `DiTTransformer2DModel` of diffusers, and `nn.dit` (Peebles & Xie 2023).

Linear layers are stored [out, in], patches are read by a convolution, and every block has a copy of the embeddings of
time and label. Images are square; channels come first there, which the arrays do not show. Frequencies of the time are
first in cosines there, and in sines here.

The paper's weights have `learned_variance`. diffusers normalises before each MLP with `norm_eps`, 1e-5 where nothing
else is said; we have 1e-6 as everywhere else. `make parity` sees outputs differ by less than 2e-5 of the largest.
"""

from collections.abc import Mapping
from operator import index
from typing import Any

import numpy as np

from aigc_jax.errors import ConfigError
from aigc_jax.format import TRANSPOSED, Entry, Form

NETWORK = "dit.DiT"
PREFIX = ""
BUFFERS = r"^pos_embed\.pos_embed$"  # the fixed sines
CLASSES = ("DiTTransformer2DModel", "Transformer2DModel")  # the second is that of files from before 2024
FILE = "diffusion_pytorch_model"

COMPUTED = {  # what the network computes, by the keys that could ask for something else; the first of each is written
    "norm_type": ("ada_norm_zero",),
    "activation_fn": ("gelu-approximate",),
    "norm_elementwise_affine": (False,),
    "norm_eps": (1e-6, 1e-5),
    "attention_bias": (True,),
    "upcast_attention": (False,),
}
COSINES = Form(lambda x: _exchanged(x.T), lambda x: _exchanged(x).T)  # sines and cosines change places
# Fields of which the format knows one value.
FIXED: dict[str, Any] = {"positions": "sines", "mlp_ratio": 4.0, "context_vocabulary": 0, "image": ""}
DEFAULTS: dict[str, Any] = {"dropout": 0.0, "learned_variance": False, **FIXED}


def fields(config: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of our network that computes the same. config: config.json.

    Raises ConfigError for a variant that it does not compute, KeyError for a size that is not there.
    """
    for key, values in COMPUTED.items():
        if config.get(key, values[0]) not in values:
            raise ConfigError(f'"{key}" is {config[key]!r}, and {NETWORK} has {values[0]!r}')
    heads, side, channels = (index(config[key]) for key in ("num_attention_heads", "sample_size", "in_channels"))
    outputs = config.get("out_channels") or channels
    if outputs not in (channels, 2 * channels):
        raise ConfigError(f'"out_channels" is {outputs!r}, and {NETWORK} has {channels} or {2 * channels}')
    return {
        "shape": (side, side, channels),
        "patch": index(config["patch_size"]),
        "width": heads * index(config["attention_head_dim"]),
        "layers": index(config["num_layers"]),
        "heads": heads,
        "label_classes": index(config["num_embeds_ada_norm"]),
        "dropout": config.get("dropout", 0.0),
        "learned_variance": outputs != channels,
        "positions": FIXED["positions"],
        "mlp_ratio": FIXED["mlp_ratio"],
    }


def config(fields: Mapping[str, Any]) -> dict[str, Any]:
    """What config.json says of such a network. Raises ConfigError for one that the format has no words for."""
    fields = {**DEFAULTS, **fields}
    for field, value in FIXED.items():
        if fields[field] != value:
            raise ConfigError(f'"{field}" is {fields[field]!r}, and the format dit has {value!r} alone')
    height, width, channels = fields["shape"]
    if height != width:
        raise ConfigError(f'"shape" is {tuple(fields["shape"])}, and the format dit has square images alone')
    if not fields["label_classes"]:
        raise ConfigError('"label_classes" is 0, and the format dit has networks that read labels alone')
    return {
        "_class_name": CLASSES[0],
        "sample_size": height,
        "in_channels": channels,
        "out_channels": channels * (2 if fields["learned_variance"] else 1),
        "patch_size": fields["patch"],
        "num_layers": fields["layers"],
        "num_attention_heads": fields["heads"],
        "attention_head_dim": fields["width"] // fields["heads"],
        "num_embeds_ada_norm": fields["label_classes"],
        "dropout": fields["dropout"],
        **{key: values[0] for key, values in COMPUTED.items()},
    }


def table(fields: Mapping[str, Any]) -> list[Entry]:
    """Every array of theirs and the one of ours that it is."""
    patch, width, channels = fields["patch"], fields["width"], fields["shape"][2]
    patches = Form(
        lambda x: x.transpose(2, 3, 1, 0).reshape(patch * patch * channels, width),
        lambda x: x.reshape(patch, patch, channels, width).transpose(3, 2, 0, 1),
    )
    found = [
        *_linear("pos_embed.proj", "in", patches),
        *_linear("proj_out_1", "modulation"),
        *_linear("proj_out_2", "out"),
    ]
    for layer in range(fields["layers"]):
        theirs, ours = f"transformer_blocks.{layer}", f"blocks_{layer}"
        given = f"{theirs}.norm1.emb"
        found += [
            *_linear(f"{given}.timestep_embedder.linear_1", "time_1", COSINES),
            *_linear(f"{given}.timestep_embedder.linear_2", "time_2"),
            Entry(f"{given}.class_embedder.embedding_table.weight", "params/label/embedding"),
            *_linear(f"{theirs}.norm1.linear", f"{ours}/modulation"),
            *_linear(f"{theirs}.attn1.to_q", f"{ours}/attention/query"),
            *_linear(f"{theirs}.attn1.to_k", f"{ours}/attention/key"),
            *_linear(f"{theirs}.attn1.to_v", f"{ours}/attention/value"),
            *_linear(f"{theirs}.attn1.to_out.0", f"{ours}/attention/out"),
            *_linear(f"{theirs}.ff.net.0.proj", f"{ours}/mlp_in"),
            *_linear(f"{theirs}.ff.net.2", f"{ours}/mlp_out"),
        ]
    return found


def _linear(theirs: str, ours: str, form: Form = TRANSPOSED) -> list[Entry]:
    return [Entry(f"{theirs}.weight", f"params/{ours}/kernel", form), Entry(f"{theirs}.bias", f"params/{ours}/bias")]


def _exchanged(x: np.ndarray) -> np.ndarray:
    """The two halves of the first axis in the other order."""
    return np.concatenate(np.split(x, 2)[::-1])
