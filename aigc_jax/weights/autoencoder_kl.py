"""The autoencoder as Hugging Face publishes it, `AutoencoderKL` of diffusers, and `nn.autoencoder_kl` (Rombach 2022).

Arrays are arranged as in `weights.unet2d`. Theirs gives the means of images, so `parameters` is 1: train with a
likelihood of a scale. Pipelines multiply latents by `scaling_factor`, which is our `codec.scale`, and no part of the
network: it is written as 1, and what is read has to be set there. `sample_size` becomes the `shape`: change it in
config.json for images of another size.
"""

from collections.abc import Mapping
from operator import index
from typing import Any

from aigc_jax.errors import ConfigError
from aigc_jax.format import Entry
from aigc_jax.weights import unet2d
from aigc_jax.weights.unet2d import POINTWISE, attention, block, convolution, linear, norm

NETWORK = "autoencoder_kl.AutoencoderKL"
PREFIX = ""
BUFFERS = r"$^"  # there are none
CLASSES = ("AutoencoderKL",)
FILE = unet2d.FILE
RENAMED = unet2d.RENAMED

DOWN, UP = "DownEncoderBlock2D", "UpDecoderBlock2D"
DEFAULTS: dict[str, Any] = {"middle_attention": True, "mixing": True}


def fields(config: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of our network that computes the same. config: config.json.

    Raises ConfigError for a variant that it does not compute, KeyError for a size that is not there.
    """
    widths = tuple(index(width) for width in config["block_out_channels"])
    channels, mixing = index(config.get("in_channels", 3)), config.get("use_quant_conv", True)
    if any(width % widths[0] for width in widths):
        raise ConfigError(f'"block_out_channels" is {widths}, and {NETWORK} has multiples of the first')
    for key, default, ours in (
        ("act_fn", "silu", "silu"),
        ("out_channels", 3, channels),
        ("use_post_quant_conv", True, mixing),
        ("down_block_types", [DOWN], [DOWN] * len(widths)),
        ("up_block_types", [UP], [UP] * len(widths)),
    ):
        given = config.get(key, default)
        if (list(given) if isinstance(ours, list) else given) != ours:
            raise ConfigError(f'"{key}" is {given!r}, and {NETWORK} has {ours!r}')
    size = config.get("sample_size", 32)
    height, width = (size, size) if isinstance(size, int) else size
    return {
        "shape": (index(height), index(width), channels),
        "channels": widths[0],
        "multipliers": tuple(width // widths[0] for width in widths),
        "blocks": index(config.get("layers_per_block", 1)),
        "latent_channels": index(config.get("latent_channels", 4)),
        "groups": index(config.get("norm_num_groups", 32)),
        "parameters": 1,
        "middle_attention": config.get("mid_block_add_attention", True),
        "mixing": mixing,
    }


def config(fields: Mapping[str, Any]) -> dict[str, Any]:
    """What config.json says of such a network. Raises ConfigError for one that the format has no words for."""
    fields = {**DEFAULTS, **fields}
    height, width, channels = fields["shape"]
    number, first = len(fields["multipliers"]), fields["multipliers"][0]
    if fields["parameters"] != 1:
        raise ConfigError(f'"parameters" is {fields["parameters"]!r}, and the format autoencoder_kl has 1')
    if first != 1:
        raise ConfigError(f'"multipliers" begins with {first!r}, and the format autoencoder_kl with 1')
    return {
        "_class_name": CLASSES[0],
        "sample_size": height if height == width else [height, width],
        "in_channels": channels,
        "out_channels": channels,
        "block_out_channels": [multiplier * fields["channels"] for multiplier in fields["multipliers"]],
        "down_block_types": [DOWN] * number,
        "up_block_types": [UP] * number,
        "layers_per_block": fields["blocks"],
        "latent_channels": fields["latent_channels"],
        "norm_num_groups": fields["groups"],
        "act_fn": "silu",
        "mid_block_add_attention": fields["middle_attention"],
        "use_quant_conv": fields["mixing"],
        "use_post_quant_conv": fields["mixing"],
        "scaling_factor": 1.0,
    }


def table(fields: Mapping[str, Any]) -> list[Entry]:
    """Every array of theirs and the one of ours that it is."""
    fields = {**DEFAULTS, **fields}
    widths = [multiplier * fields["channels"] for multiplier in fields["multipliers"]]
    coarsest = len(widths) - 1
    found = []
    if fields["mixing"]:
        found += linear("quant_conv", "posterior", POINTWISE) + linear("post_quant_conv", "reading", POINTWISE)
    for part in ("encoder", "decoder"):
        found += [
            *convolution(f"{part}.conv_in", f"{part}/in"),
            *_block(f"{part}.mid_block.resnets.0", f"{part}/middle/middle_0"),
            *_block(f"{part}.mid_block.resnets.1", f"{part}/middle/middle_1"),
            *norm(f"{part}.conv_norm_out", f"{part}/norm"),
            *convolution(f"{part}.conv_out", f"{part}/out"),
        ]
        if fields["middle_attention"]:
            found += attention(f"{part}.mid_block.attentions.0", f"{part}/middle/middle_0_attention")
    for level, width in enumerate(widths):
        down, up = f"encoder.down_blocks.{level}", f"decoder.up_blocks.{coarsest - level}"
        finer, coarser = widths[max(level - 1, 0)], widths[min(level + 1, coarsest)]
        for i in range(fields["blocks"]):
            changes = not i and finer != width
            found += _block(f"{down}.resnets.{i}", f"encoder/down_{level}_{i}", changes)
        for i in range(fields["blocks"] + 1):
            changes = not i and coarser != width
            found += _block(f"{up}.resnets.{i}", f"decoder/up_{level}_{i}", changes)
        if level < coarsest:
            found += convolution(f"{down}.downsamplers.0.conv", f"encoder/shrink_{level + 1}")
        if level:
            found += convolution(f"{up}.upsamplers.0.conv", f"decoder/grow_{level}")
    return found


def _block(theirs: str, ours: str, shortcut: bool = False) -> list[Entry]:
    return block(theirs, ours, shortcut, time=False)
