"""Drawing images with DDIM in 50 steps from the diffusion U-Net of configs/ddpm_cifar.py: diffusers' DDIMPipeline.

Deterministic steps (eta = 0) from noise to images as host arrays, the predicted image clipped at every step.
dewml's network differs in what `benchmarks.rivals` says.
"""

from collections.abc import Mapping
from typing import Any

from benchmarks import ddpm
from benchmarks.pieces import ddpm_step
from benchmarks.work import Side, Work

CEILING = "convolution"
UNIT = "images"
SIZES = {
    "cpu": dict(**ddpm.CIFAR, batch=2, steps=50, precision="float32"),
    "gpu": dict(**ddpm.CIFAR, batch=64, steps=50, precision="bfloat16"),
    "tiny": dict(**ddpm.TINY, steps=3),
}


def aigc_jax(settings: Mapping[str, Any]) -> Work:
    """The trainer's program that samples."""
    from benchmarks import ours

    config = ddpm.config(settings)
    config["sample"].update(sampler="ddim", steps=settings["steps"], eta=0.0)
    facts = {"shape": settings["image"], "levels": 256}
    return ours.drawing(config, facts, {"target": ddpm.images(settings)}, settings["batch"])


def diffusers(settings: Mapping[str, Any], compiled: bool = False) -> Work:
    """The pipeline as it is, in the precision of its weights."""
    import torch
    from diffusers import DDIMPipeline, DDIMScheduler

    from benchmarks import peers

    network = ddpm.unet(settings).eval().to(getattr(torch, settings["precision"]))
    count = peers.parameters(network)
    if compiled:
        network.compile()
    pipeline = DDIMPipeline(network, DDIMScheduler(ddpm.TIMESTEPS))
    pipeline.set_progress_bar_config(disable=True)

    def run() -> None:
        made = pipeline(settings["batch"], num_inference_steps=settings["steps"], eta=0.0, output_type="pt").images
        made = made.float().cpu().permute(0, 2, 3, 1).numpy()  # "np" does the same, but cannot take bfloat16
        assert made.shape == (settings["batch"], *settings["image"])

    return Work(run, settings["batch"], count, 0.0 if compiled else lambda: peers.counted(run), peers.memory())


SIDES = {
    "ours": Side("aigc_jax", aigc_jax, "aigc_jax"),
    "eager": Side("torch", diffusers, "diffusers, eager"),
    "compiled": Side("torch", lambda settings: diffusers(settings, compiled=True), "diffusers, torch.compile"),
    "dewml": Side("rivals", ddpm_step.rival("dewml_sampling"), "dewml"),
}
