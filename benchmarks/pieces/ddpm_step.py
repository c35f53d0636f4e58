"""A training step of the diffusion U-Net of configs/ddpm_cifar.py: diffusers.

Loss of eq. 14 at fresh times, with fresh noise, dropout 0.1, gradients clipped to norm 1, Adam, an average of weights.
dewml's network differs in what `benchmarks.rivals` says.
"""

from collections.abc import Callable, Mapping
from typing import Any

from benchmarks.ddpm import CIFAR, CLIP, DECAY, RATE, TIMESTEPS, TINY, config, images, unet
from benchmarks.work import Side, Work

CEILING = "convolution"
UNIT = "images"
SIZES = {
    "cpu": dict(**CIFAR, batch=8, precision="float32"),
    "gpu": dict(**CIFAR, batch=128, precision="bfloat16"),
    "tiny": TINY,
}


def aigc_jax(settings: Mapping[str, Any]) -> Work:
    """The trainer's step."""
    from benchmarks import ours

    facts = {"shape": settings["image"], "levels": 256}
    return ours.training(config(settings), facts, {"target": images(settings)}, settings["batch"])


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
