"""A ceiling: bytes a second to and from memory, for a + 2 b over arrays beyond any cache, in JAX and in PyTorch."""

from collections.abc import Mapping
from typing import Any

from benchmarks.work import Side, Work

CEILING = ""
UNIT = "sums"
SIZES = {"cpu": dict(elements=1 << 26), "gpu": dict(elements=1 << 29), "tiny": dict(elements=1 << 10)}
MOVED = 3 * 4  # bytes an element: two float32 read, one written


def in_jax(settings: Mapping[str, Any]) -> Work:
    """Into the memory of the first operand."""
    import jax
    import jax.numpy as jnp

    held = [jnp.zeros(settings["elements"])]
    other = jnp.ones(settings["elements"])
    add = jax.jit(lambda a, b: a + 2 * b, donate_argnums=0)

    def run() -> None:
        held[0] = add(held[0], other)
        held[0].block_until_ready()

    return Work(run, 1, cost=float(MOVED * settings["elements"]))


def in_torch(settings: Mapping[str, Any]) -> Work:
    """In place."""
    import torch

    from benchmarks import peers

    a = torch.zeros(settings["elements"], device=peers.DEVICE)
    b = torch.ones(settings["elements"], device=peers.DEVICE)

    @torch.inference_mode()
    def run() -> None:
        a.add_(b, alpha=2)
        peers.finish()

    return Work(run, 1, cost=float(MOVED * settings["elements"]))


SIDES = {"ours": Side("aigc_jax", in_jax, "JAX"), "torch": Side("torch", in_torch, "PyTorch")}
