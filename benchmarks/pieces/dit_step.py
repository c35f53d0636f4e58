"""A training step of DiT by class, with the settings of configs/dit_imagenet.py: diffusers.

Loss of the noise at fresh times, labels left out of one example in ten, Adam, gradients clipped to norm 1, an average
of weights. diffusers' network computes its embedding of time and label in every block, which takes little.
"""

from collections.abc import Mapping
from typing import Any

from benchmarks import dit
from benchmarks.work import Side, Work

CEILING = "matmul"
UNIT = "images"
CLIP = 1.0
SIZES = {
    "cpu": dict(**dit.S4, batch=8, precision="float32"),
    "gpu": dict(**dit.XL2, batch=32, precision="bfloat16"),
    "tiny": dit.TINY,
}


def aigc_jax(settings: Mapping[str, Any]) -> Work:
    """The trainer's step."""
    from benchmarks import ours

    return ours.training(dit.config(settings), dit.facts(settings), dit.rows(settings), settings["batch"])


def diffusers(settings: Mapping[str, Any], compiled: bool = False) -> Work:
    """The same step, in a plain loop. Its network leaves labels out by itself while it trains."""
    import torch
    from diffusers import DDPMScheduler

    from benchmarks import peers

    network = dit.transformer(settings).train()
    call = torch.compile(network) if compiled else network
    schedule, made = DDPMScheduler(dit.TIMESTEPS), dit.rows(settings)
    x0 = torch.from_numpy(made["target"]).permute(0, 3, 1, 2).contiguous().to(peers.DEVICE)
    labels = torch.from_numpy(made["label"]).long().to(peers.DEVICE)

    def loss() -> torch.Tensor:
        noise = torch.randn_like(x0)
        t = torch.randint(0, dit.TIMESTEPS, (len(x0),), device=x0.device)
        found = call(schedule.add_noise(x0, noise, t), timestep=t, class_labels=labels).sample
        return torch.nn.functional.mse_loss(found.float(), noise)

    optimizer = torch.optim.Adam(network.parameters(), dit.RATE, fused=True)
    work = peers.training(network, loss, optimizer, len(x0), settings["precision"], CLIP, dit.DECAY)
    return work if compiled else work._replace(cost=lambda: peers.counted(work.run))


SIDES = {
    "ours": Side("aigc_jax", aigc_jax, "aigc_jax"),
    "eager": Side("torch", diffusers, "diffusers, eager"),
    "compiled": Side("torch", lambda settings: diffusers(settings, compiled=True), "diffusers, torch.compile"),
}
