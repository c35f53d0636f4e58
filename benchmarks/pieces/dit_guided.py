"""Drawing by class from DiT, with guidance, by DDIM in 50 steps: diffusers.

Every step asks the network twice, with the label and without, in one batch, as DiTPipeline does. Deterministic steps
from noise to arrays on the host.
"""

from collections.abc import Mapping
from typing import Any

from benchmarks import dit
from benchmarks.work import Side, Work

CEILING = "matmul"
UNIT = "images"
WEIGHT = 1.5
SIZES = {
    "cpu": dict(**dit.S4, batch=2, steps=50, precision="float32"),
    "gpu": dict(**dit.XL2, batch=16, steps=50, precision="bfloat16"),
    "tiny": dict(**dit.TINY, steps=3),
}


def aigc_jax(settings: Mapping[str, Any]) -> Work:
    """The trainer's program that samples."""
    from benchmarks import ours

    config = dit.config(settings)
    config["sample"].update(sampler="ddim", steps=settings["steps"], eta=0.0, guidance=WEIGHT)
    return ours.drawing(config, dit.facts(settings), dit.rows(settings), settings["batch"])


def diffusers(settings: Mapping[str, Any], compiled: bool = False) -> Work:
    """The loop of its pipeline without the decoder, in the precision of the weights."""
    import torch
    from diffusers import DDIMScheduler

    from benchmarks import peers

    dtype = getattr(torch, settings["precision"])
    network = dit.transformer(settings).eval().to(dtype)
    count = peers.parameters(network)
    if compiled:
        network.compile()
    schedule = DDIMScheduler(dit.TIMESTEPS, clip_sample=False)
    schedule.set_timesteps(settings["steps"])
    side, _, channels = settings["image"]
    labels = torch.from_numpy(dit.rows(settings)["label"]).long().to(peers.DEVICE)
    classes = torch.cat([labels, torch.full_like(labels, settings["classes"])])

    @torch.inference_mode()
    def run() -> None:
        x = torch.randn(settings["batch"], channels, side, side, dtype=dtype, device=peers.DEVICE)
        for t in schedule.timesteps:
            times = torch.full((2 * len(x),), int(t), device=x.device)
            strong, weak = network(torch.cat([x, x]), timestep=times, class_labels=classes).sample.chunk(2)
            x = schedule.step(weak + WEIGHT * (strong - weak), t, x).prev_sample
        assert x.float().cpu().numpy().shape == (settings["batch"], channels, side, side)

    return Work(run, settings["batch"], count, 0.0 if compiled else lambda: peers.counted(run), peers.memory())


SIDES = {
    "ours": Side("aigc_jax", aigc_jax, "aigc_jax"),
    "eager": Side("torch", diffusers, "diffusers, eager"),
    "compiled": Side("torch", lambda settings: diffusers(settings, compiled=True), "diffusers, torch.compile"),
}
