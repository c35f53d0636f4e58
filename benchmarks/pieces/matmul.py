"""A ceiling: the product of two large square matrices, in JAX and in PyTorch."""

from collections.abc import Mapping
from typing import Any

from benchmarks.work import Side, Work

CEILING = ""
UNIT = "products"
SIZES = {
    "cpu": dict(side=2048, precision="float32"),
    "gpu": dict(side=16384, precision="bfloat16"),
    "tiny": dict(side=64, precision="float32"),
}


def in_jax(settings: Mapping[str, Any]) -> Work:
    """jnp.dot, compiled."""
    import jax
    import jax.numpy as jnp

    side = settings["side"]
    a, b = (jax.random.normal(jax.random.key(k), (side, side), settings["precision"]) for k in (0, 1))
    product = jax.jit(jnp.dot)

    def run() -> None:
        product(a, b).block_until_ready()

    return Work(run, 1, cost=2.0 * side**3)


def in_torch(settings: Mapping[str, Any]) -> Work:
    """torch.mm."""
    import torch

    from benchmarks import peers

    side, dtype = settings["side"], getattr(torch, settings["precision"])
    a, b = (torch.randn(side, side, device=peers.DEVICE).to(dtype) for _ in range(2))

    def run() -> None:
        torch.mm(a, b)
        peers.finish()

    return Work(run, 1, cost=2.0 * side**3)


SIDES = {"ours": Side("aigc_jax", in_jax, "JAX"), "torch": Side("torch", in_torch, "PyTorch")}
