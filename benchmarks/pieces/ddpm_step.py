"""A training step of the diffusion U-Net of configs/ddpm_cifar.py: diffusers.

Loss of eq. 14 at fresh times, with fresh noise, dropout 0.1, gradients clipped to norm 1, Adam, an average of weights.
dewml's network differs in what `benchmarks.rivals` says.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from benchmarks.work import Side, Work

CEILING = "convolution"
UNIT = "images"
CIFAR = dict(channels=128, multipliers=(1, 2, 2, 2), blocks=2, attention=(16,), image=(32, 32, 3))
SIZES = {
    "cpu": dict(**CIFAR, batch=8, precision="float32"),
    "gpu": dict(**CIFAR, batch=128, precision="bfloat16"),
    "tiny": dict(
        channels=32, multipliers=(1, 2), blocks=1, attention=(), image=(8, 8, 1), batch=4, precision="float32"
    ),
}
TIMESTEPS, DROPOUT, RATE, CLIP, DECAY = 1000, 0.1, 2e-4, 1.0, 0.9999


def config(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration that these settings ask for."""
    from benchmarks import ours

    changes = {f"networks.net.{key}": settings[key] for key in ("channels", "multipliers", "blocks", "attention")}
    return ours.settings("ddpm_cifar", {**changes, "precision": settings["precision"]})


def images(settings: Mapping[str, Any]) -> np.ndarray:
    """A batch in [-1, 1], float32 [B, H, W, C]."""
    return np.random.RandomState(0).uniform(-1, 1, (settings["batch"], *settings["image"])).astype(np.float32)


def aigc_jax(settings: Mapping[str, Any]) -> Work:
    """The trainer's step."""
    from benchmarks import ours

    facts = {"shape": settings["image"], "levels": 256}
    return ours.training(config(settings), facts, {"target": images(settings)}, settings["batch"])


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


def trained_on(x0: Any, settings: Mapping[str, Any], compiled: bool) -> Work:
    """The step of the loop in diffusers' example of unconditional training. x0: images [B, C, H, W] in [-1, 1]."""
    import torch
    from diffusers import DDPMScheduler

    from benchmarks import peers

    network = unet(settings).train()
    call = torch.compile(network) if compiled else network
    schedule = DDPMScheduler(TIMESTEPS)
    x0 = x0.contiguous().to(peers.DEVICE)

    def loss() -> torch.Tensor:
        noise = torch.randn_like(x0)
        t = torch.randint(0, TIMESTEPS, (len(x0),), device=x0.device)
        return torch.nn.functional.mse_loss(call(schedule.add_noise(x0, noise, t), t).sample.float(), noise)

    optimizer = torch.optim.Adam(network.parameters(), RATE, fused=True)
    return peers.training(network, loss, optimizer, len(x0), settings["precision"], CLIP, DECAY)


def diffusers(settings: Mapping[str, Any], compiled: bool = False) -> Work:
    """The same step over and over."""
    import torch

    from benchmarks import peers

    work = trained_on(torch.from_numpy(images(settings)).permute(0, 3, 1, 2), settings, compiled)
    return work if compiled else work._replace(cost=lambda: peers.counted(work.run))


def rival(name: str) -> Callable[[Mapping[str, Any]], Work]:
    """A side of `benchmarks.rivals`."""

    def prepare(settings: Mapping[str, Any]) -> Work:
        from benchmarks import rivals

        return getattr(rivals, name)(settings)

    return prepare


SIDES = {
    "ours": Side("aigc_jax", aigc_jax, "aigc_jax"),
    "eager": Side("torch", diffusers, "diffusers, eager"),
    "compiled": Side("torch", lambda settings: diffusers(settings, compiled=True), "diffusers, torch.compile"),
    "dewml": Side("rivals", rival("dewml_step"), "dewml"),
}
