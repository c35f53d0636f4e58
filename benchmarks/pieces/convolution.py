"""A ceiling: a 3 × 3 convolution of many channels, forwards, in JAX and in PyTorch."""

from collections.abc import Mapping
from typing import Any

from benchmarks.work import Side, Work

CEILING = ""
UNIT = "images"
SIZES = {
    "cpu": dict(batch=8, side=32, channels=256, precision="float32"),
    "gpu": dict(batch=256, side=32, channels=512, precision="bfloat16"),
    "tiny": dict(batch=2, side=8, channels=8, precision="float32"),
}


def cost(settings: Mapping[str, Any]) -> float:
    """FLOPs of a run."""
    return 2.0 * 9 * settings["batch"] * settings["side"] ** 2 * settings["channels"] ** 2


def in_jax(settings: Mapping[str, Any]) -> Work:
    """lax.conv_general_dilated, channels last."""
    import jax
    from jax import lax

    side, channels = settings["side"], settings["channels"]
    x = jax.random.normal(jax.random.key(0), (settings["batch"], side, side, channels), settings["precision"])
    kernel = jax.random.normal(jax.random.key(1), (3, 3, channels, channels), settings["precision"])
    layout = ("NHWC", "HWIO", "NHWC")
    convolve = jax.jit(lambda x, k: lax.conv_general_dilated(x, k, (1, 1), "SAME", dimension_numbers=layout))

    def run() -> None:
        convolve(x, kernel).block_until_ready()

    return Work(run, settings["batch"], cost=cost(settings))


def in_torch(settings: Mapping[str, Any]) -> Work:
    """torch.nn.functional.conv2d, channels last in memory."""
    import torch

    from benchmarks import peers

    side, channels, dtype = settings["side"], settings["channels"], getattr(torch, settings["precision"])
    x = torch.randn(settings["batch"], channels, side, side, device=peers.DEVICE).to(dtype)
    kernel = torch.randn(channels, channels, 3, 3, device=peers.DEVICE).to(dtype)
    x, kernel = (each.contiguous(memory_format=torch.channels_last) for each in (x, kernel))

    @torch.inference_mode()
    def run() -> None:
        torch.nn.functional.conv2d(x, kernel, padding=1)
        peers.finish()

    return Work(run, settings["batch"], cost=cost(settings))


SIDES = {"ours": Side("aigc_jax", in_jax, "JAX"), "torch": Side("torch", in_torch, "PyTorch")}
