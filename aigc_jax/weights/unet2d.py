"""The U-Net as Hugging Face publishes it, `UNet2DModel` of diffusers, and `nn.unet` (Ho et al. 2020).

Kernels of convolutions are stored [out, in, height, width], linear layers [out, in]; residual blocks whose channels
change have a convolution 1x1, which is our linear layer.

Theirs has attention by level, whatever the images' size, and so has what is read. Where ours has it by height, arrays
tell the levels.

Theirs reads a label always; where it was trained without labels too, one of `label_classes` stands for none.
"""

from collections.abc import Mapping
from operator import index
from typing import Any

import numpy as np

from aigc_jax.errors import ConfigError
from aigc_jax.format import TRANSPOSED, Entry, Form

NETWORK = "unet.UNet"
PREFIX = ""
BUFFERS = r"$^"  # there are none
CLASSES = ("UNet2DModel",)
FILE = "diffusion_pytorch_model"
# Names of attention's layers in files from before 2023.
RENAMED = {
    r"(attentions\.\d+)\.query\.": r"\1.to_q.",
    r"(attentions\.\d+)\.key\.": r"\1.to_k.",
    r"(attentions\.\d+)\.value\.": r"\1.to_v.",
    r"(attentions\.\d+)\.proj_attn\.": r"\1.to_out.0.",
}

COMPUTED: dict[str, tuple] = {  # by the keys that could ask for something else; the first of each is written
    "act_fn": ("silu", "swish"),
    "center_input_sample": (False,),
    "class_embed_type": (None,),
    "mid_block_scale_factor": (1,),
    "mid_block_type": ("UNetMidBlock2D",),
    "resnet_time_scale_shift": ("default", "scale_shift"),
    "downsample_type": ("conv", "resnet"),
    "upsample_type": ("conv", "resnet"),
    "downsample_padding": (1, 0),
    "time_embedding_type": ("positional",),
    "freq_shift": (0, 1),
    "flip_sin_to_cos": (True, False),
}
RESAMPLING = {"conv": "convolution", "resnet": "block"}  # theirs -> ours
# Fields of which the format knows one value.
FIXED: dict[str, Any] = {"patch": 1, "rescale": False, "attention_by": "level", "image": ""}
DEFAULTS: dict[str, Any] = {
    "middle_attention": True,
    "head_width": 0,
    "modulation": False,
    "resampling": "convolution",
    "learned_variance": False,
    "frequency_shift": 1,
    "cosines_first": False,
    "border": "after",
    "epsilon": 1e-6,
    "shape": (0, 0, 0),
    **FIXED,
}
CONVOLUTION = Form(lambda x: x.transpose(2, 3, 1, 0), lambda x: x.transpose(3, 2, 0, 1))
POINTWISE = Form(lambda x: x[:, :, 0, 0].T, lambda x: x.T[:, :, None, None])  # a convolution 1x1, of theirs


def fields(config: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of our network that computes the same. config: config.json.

    Raises ConfigError for a variant that it does not compute, KeyError for a size that is not there.
    """
    for key, values in COMPUTED.items():
        if config.get(key, values[0]) not in values:
            raise ConfigError(f'"{key}" is {config[key]!r}, and {NETWORK} has {" or ".join(map(repr, values))}')
    widths = tuple(index(width) for width in config["block_out_channels"])
    channels, number = widths[0], len(widths)
    if any(width % channels for width in widths) or channels % 2:
        raise ConfigError(f'"block_out_channels" is {widths}, and {NETWORK} has multiples of the first, an even one')
    kind = config.get("downsample_type", "conv")
    _same(config, "upsample_type", "conv", kind)
    _same(config, "time_embedding_dim", None, None, 4 * channels)
    inputs = index(config.get("in_channels", 3))
    _same(config, "out_channels", 3, inputs, 2 * inputs)
    levels = _levels(config, "down_block_types", kind, number)
    if levels != _levels(config, "up_block_types", kind, number):
        raise ConfigError(
            f'"up_block_types" is {config["up_block_types"]!r}, and {NETWORK} has attention as on the way down'
        )
    modulation, middle = config.get("resnet_time_scale_shift") == "scale_shift", config.get("add_attention", True)
    groups, head_width = index(config.get("norm_num_groups", 32)), index(config.get("attention_head_dim", 8) or 0)
    if middle:  # which theirs does not normalise where `modulation` is and nothing is said
        _same(config, "attn_norm_num_groups", None, groups, *([] if modulation else [None]))
    attentive = {*levels, *([number - 1] if middle else [])}
    if head_width and any(widths[level] % head_width for level in attentive):
        raise ConfigError(f'"attention_head_dim" is {head_width}, and divides not the channels of every attention')
    size = config.get("sample_size") or 0
    height, width = (size, size) if isinstance(size, int) else size
    return {
        "channels": channels,
        "multipliers": tuple(width // channels for width in widths),
        "blocks": index(config.get("layers_per_block", 2)),
        "attention": levels,
        "dropout": config.get("dropout", 0.0),
        "groups": groups,
        "label_classes": index(config.get("num_class_embeds") or 0),
        "attention_by": "level",
        "middle_attention": middle,
        "head_width": head_width,
        "modulation": modulation,
        "resampling": RESAMPLING[kind],
        "learned_variance": config.get("out_channels", 3) != inputs,
        "frequency_shift": config.get("freq_shift", 0),
        "cosines_first": config.get("flip_sin_to_cos", True),
        "border": "before" if config.get("downsample_padding", 1) else "after",
        "epsilon": config.get("norm_eps", 1e-5),
        "shape": (index(height), index(width), inputs),
    }


def completed(fields: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """The fields with what arrays tell: the images' channels, and the levels with attention. arrays: ours, by path."""
    fields = {**DEFAULTS, **fields}
    levels = range(len(fields["multipliers"]))
    return {
        **fields,
        "attention": tuple(level for level in levels if f"params/up_{level}_0_attention/query/kernel" in arrays),
        "attention_by": "level",
        "shape": (*fields["shape"][:2], arrays["params/in/kernel"].shape[2]),
    }


def config(fields: Mapping[str, Any]) -> dict[str, Any]:
    """What config.json says of such a network. Raises ConfigError for one that the format has no words for."""
    fields = {**DEFAULTS, **fields}
    for field, value in FIXED.items():
        if fields[field] != value:
            raise ConfigError(f'"{field}" is {fields[field]!r}, and the format unet2d has {value!r} alone')
    if fields["multipliers"][0] != 1:
        raise ConfigError(f'"multipliers" is {tuple(fields["multipliers"])}, and the format unet2d begins with 1')
    height, width, channels = fields["shape"]
    kind = {ours: theirs for theirs, ours in RESAMPLING.items()}[fields["resampling"]]
    levels, number = fields["attention"], len(fields["multipliers"])
    down, up = ([_types(way, kind)[level in levels] for level in range(number)] for way in ("Down", "Up"))
    return {
        "_class_name": CLASSES[0],
        "sample_size": (height if height == width else [height, width]) or None,
        "in_channels": channels,
        "out_channels": channels * (2 if fields["learned_variance"] else 1),
        "block_out_channels": [multiplier * fields["channels"] for multiplier in fields["multipliers"]],
        "down_block_types": down,
        "up_block_types": up[::-1],
        "layers_per_block": fields["blocks"],
        "dropout": fields["dropout"],
        "norm_num_groups": fields["groups"],
        "attn_norm_num_groups": fields["groups"],
        "norm_eps": fields["epsilon"],
        "num_class_embeds": fields["label_classes"] or None,
        "add_attention": fields["middle_attention"],
        "attention_head_dim": fields["head_width"] or None,
        **{key: values[0] for key, values in COMPUTED.items()},
        "resnet_time_scale_shift": "scale_shift" if fields["modulation"] else "default",
        "downsample_type": kind,
        "upsample_type": kind,
        "downsample_padding": 1 if fields["border"] == "before" else 0,
        "freq_shift": fields["frequency_shift"],
        "flip_sin_to_cos": fields["cosines_first"],
    }


def table(fields: Mapping[str, Any]) -> list[Entry]:
    """Every array of theirs and the one of ours that it is."""
    fields = {**DEFAULTS, **fields}
    multipliers, levels = fields["multipliers"], fields["attention"]
    widths = [multiplier * fields["channels"] for multiplier in multipliers]
    found = [
        *convolution("conv_in", "in"),
        *linear("time_embedding.linear_1", "time_1"),
        *linear("time_embedding.linear_2", "time_2"),
        *norm("conv_norm_out", "GroupNorm_0"),
        *convolution("conv_out", "out"),
    ]
    if fields["label_classes"]:
        found.append(Entry("class_embedding.weight", "params/label/embedding"))

    def resampler(theirs: str, ours: str) -> list[Entry]:
        return convolution(f"{theirs}.conv", ours) if fields["resampling"] == "convolution" else block(theirs, ours)

    for level, width in enumerate(widths):
        theirs = f"down_blocks.{level}"
        for i in range(fields["blocks"]):
            before = width if i else widths[max(level - 1, 0)]
            found += block(f"{theirs}.resnets.{i}", f"down_{level}_{i}", shortcut=before != width)
            found += attention(f"{theirs}.attentions.{i}", f"down_{level}_{i}_attention") if level in levels else []
        if level + 1 < len(widths):
            found += resampler(f"{theirs}.downsamplers.0", f"shrink_{level + 1}")

    found += block("mid_block.resnets.0", "middle_0") + block("mid_block.resnets.1", "middle_1")
    found += attention("mid_block.attentions.0", "middle_0_attention") if fields["middle_attention"] else []

    for level in reversed(range(len(widths))):
        theirs = f"up_blocks.{len(widths) - 1 - level}"
        for i in range(fields["blocks"] + 1):  # of which each reads more channels than it gives
            found += block(f"{theirs}.resnets.{i}", f"up_{level}_{i}", shortcut=True)
            found += attention(f"{theirs}.attentions.{i}", f"up_{level}_{i}_attention") if level in levels else []
        if level:
            found += resampler(f"{theirs}.upsamplers.0", f"grow_{level}")
    return found


def block(theirs: str, ours: str, shortcut: bool = False, time: bool = True) -> list[Entry]:
    """A residual block. shortcut: its channels change. time: it reads one."""
    return [
        *norm(f"{theirs}.norm1", f"{ours}/GroupNorm_0"),
        *convolution(f"{theirs}.conv1", f"{ours}/Conv_0"),
        *(linear(f"{theirs}.time_emb_proj", f"{ours}/Dense_0") if time else []),
        *norm(f"{theirs}.norm2", f"{ours}/GroupNorm_1"),
        *convolution(f"{theirs}.conv2", f"{ours}/Conv_1"),
        *(linear(f"{theirs}.conv_shortcut", f"{ours}/shortcut", POINTWISE) if shortcut else []),
    ]


def attention(theirs: str, ours: str) -> list[Entry]:
    """Self-attention over the positions of an image."""
    return [
        *norm(f"{theirs}.group_norm", f"{ours}/GroupNorm_0"),
        *linear(f"{theirs}.to_q", f"{ours}/query"),
        *linear(f"{theirs}.to_k", f"{ours}/key"),
        *linear(f"{theirs}.to_v", f"{ours}/value"),
        *linear(f"{theirs}.to_out.0", f"{ours}/out"),
    ]


def norm(theirs: str, ours: str) -> list[Entry]:
    return [Entry(f"{theirs}.weight", f"params/{ours}/scale"), Entry(f"{theirs}.bias", f"params/{ours}/bias")]


def linear(theirs: str, ours: str, form: Form = TRANSPOSED) -> list[Entry]:
    return [Entry(f"{theirs}.weight", f"params/{ours}/kernel", form), Entry(f"{theirs}.bias", f"params/{ours}/bias")]


def convolution(theirs: str, ours: str) -> list[Entry]:
    return linear(theirs, ours, CONVOLUTION)


def _same(config: Mapping[str, Any], key: str, default: Any, *values: Any) -> None:
    """Raises ConfigError where a key has none of these values."""
    if config.get(key, default) not in values:
        raise ConfigError(
            f'"{key}" is {config.get(key, default)!r}, and {NETWORK} has {" or ".join(map(repr, values))}'
        )


def _types(way: str, kind: str) -> tuple[str, str]:
    """The classes of a level without and with attention. way: "Down" or "Up"; kind: of what resamples."""
    return f"{way}Block2D" if kind == "conv" else f"Resnet{way}sampleBlock2D", f"Attn{way}Block2D"


def _levels(config: Mapping[str, Any], key: str, kind: str, number: int) -> tuple[int, ...]:
    """The levels with attention on one way. Raises ConfigError for a block of another kind."""
    way = "Down" if key == "down_block_types" else "Up"
    types = [str(name).removeprefix("UNetRes") for name in config[key]]
    ordered = types if way == "Down" else types[::-1]
    last = number - 1 if way == "Down" else 0  # which resamples nothing, so its plain block may be of either kind
    plain, attentive = _types(way, kind)
    other = _types(way, "resnet" if kind == "conv" else "conv")[0]
    for level, name in enumerate(ordered):
        if name not in (plain, attentive) and not (level == last and name == other):
            raise ConfigError(f'"{key}" has "{name}", and {NETWORK} has "{plain}" and "{attentive}"')
    if len(types) != number:
        raise ConfigError(f'"{key}" has {len(types)} blocks, and "block_out_channels" has {number}')
    return tuple(level for level, name in enumerate(ordered) if name == attentive)
