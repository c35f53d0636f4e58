"""What the pieces about the diffusion U-Net of configs/ddpm_cifar.py share: its sizes, its images, diffusers' twin."""

from collections.abc import Mapping
from typing import Any

import numpy as np

CIFAR = dict(channels=128, multipliers=(1, 2, 2, 2), blocks=2, attention=(16,), image=(32, 32, 3))
TINY = dict(channels=32, multipliers=(1, 2), blocks=1, attention=(), image=(8, 8, 1), batch=4, precision="float32")
TIMESTEPS, DROPOUT, RATE, CLIP, DECAY = 1000, 0.1, 2e-4, 1.0, 0.9999


def config(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration that these settings ask for."""
    from benchmarks import ours

    changes = {f"networks.net.{key}": settings[key] for key in ("channels", "multipliers", "blocks", "attention")}
    return ours.settings("ddpm_cifar", {**changes, "precision": settings["precision"]})


def images(settings: Mapping[str, Any]) -> np.ndarray:
    """A batch in [-1, 1], float32 [B, H, W, C]."""
    return np.random.RandomState(0).uniform(-1, 1, (settings["batch"], *settings["image"])).astype(np.float32)


def unet(settings: Mapping[str, Any]) -> Any:
    """diffusers' network with the same layers; its parameters are as many."""
    from diffusers import UNet2DModel

    from benchmarks import peers

    height, _, colours = settings["image"]
    levels = len(settings["multipliers"])
    attends = [height >> level in settings["attention"] for level in range(levels)]
    return UNet2DModel(
        sample_size=height,
        in_channels=colours,
        out_channels=colours,
        layers_per_block=settings["blocks"],
        block_out_channels=tuple(settings["channels"] * m for m in settings["multipliers"]),
        down_block_types=tuple("AttnDownBlock2D" if a else "DownBlock2D" for a in attends),
        up_block_types=tuple("AttnUpBlock2D" if a else "UpBlock2D" for a in reversed(attends)),
        attention_head_dim=None,  # one head
        norm_eps=1e-6,
        norm_num_groups=32,
        downsample_padding=1,
        flip_sin_to_cos=False,
        freq_shift=1,
        dropout=DROPOUT,
    ).to(peers.DEVICE)
