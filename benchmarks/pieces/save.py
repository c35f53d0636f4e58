"""Saving the whole state of the diffusion U-Net of configs/ddpm_cifar.py: PyTorch's torch.save.

Weights, Adam's moments and the average of weights. What counts is how long training waits: ours until the arrays are
copied, while files and their hashes are written behind it; PyTorch's until the file is written.
"""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks import ddpm, standin
from benchmarks.work import Side, Work

CEILING = ""
UNIT = "states"
SIZES = {
    "cpu": dict(**ddpm.CIFAR),
    "tiny": {key: ddpm.TINY[key] for key in ddpm.CIFAR},
}


def kept(settings: Mapping[str, Any], folder: Path) -> tuple[Any, Any, Any]:
    """Ours: (the programs of a run, its state, its checkpoints in a folder)."""
    from aigc_jax.config import bind
    from aigc_jax.train.checkpoint import Checkpoints
    from benchmarks import ours

    config = ddpm.config({**settings, "precision": "float32"})
    facts = {"shape": settings["image"], "levels": 256}
    programs = ours.programs(config, facts, {"target": ddpm.images({**settings, "batch": 1})})
    keep = {**config["checkpoint"], "keep_last": 2, "best": ""}
    del keep["every"], keep["minutes"]
    return programs, programs.init(), Checkpoints(folder, **bind(Checkpoints, keep, "checkpoint"))


def aigc_jax(settings: Mapping[str, Any]) -> Work:
    """Checkpoints.save. Each save waits, uncounted, for the files of the one before."""
    import jax.numpy as jnp

    from benchmarks import in_jax

    folder = standin.scratch()
    programs, state, checkpoints = kept(settings, folder)
    sums, step = programs.start_sums(), 0

    def run() -> float:
        nonlocal step
        step += 1
        now = state.replace(step=jnp.full_like(state.step, step))
        began = time.perf_counter()
        checkpoints.save(now, sums, {})
        spent = time.perf_counter() - began
        checkpoints.wait()
        assert (folder / str(step)).is_dir()
        return spent

    return Work(run, 1, in_jax.count(state.params))


def trained(settings: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
    """PyTorch's: (a network, what there is to save of it after a step: its weights, Adam's moments, the average)."""
    import torch

    from benchmarks import peers

    network = ddpm.unet(settings)
    optimizer = torch.optim.Adam(network.parameters(), ddpm.RATE, fused=True)
    for parameter in network.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    average = ddpm.unet(settings)
    assert peers.parameters(average) == peers.parameters(network)
    return network, {"model": network, "optimizer": optimizer, "average": average}


def pytorch(settings: Mapping[str, Any]) -> Work:
    """Over the file of the save before."""
    import torch

    from benchmarks import peers

    folder = standin.scratch()
    network, parts = trained(settings)

    def run() -> None:
        torch.save({name: part.state_dict() for name, part in parts.items()}, folder / "state.pt")

    return Work(run, 1, peers.parameters(network))


SIDES = {"ours": Side("aigc_jax", aigc_jax, "aigc_jax"), "torch": Side("torch", pytorch, "torch.save")}
