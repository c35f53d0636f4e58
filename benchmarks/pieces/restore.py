"""Restoring the whole state that the piece `save` saves, from files that were just written: PyTorch's torch.load.

Ours first holds every file against its hash, which PyTorch's does not.
"""

from collections.abc import Mapping
from typing import Any

from benchmarks import standin
from benchmarks.pieces import save
from benchmarks.work import Side, Work

CEILING = ""
UNIT = "states"
SIZES = save.SIZES


def aigc_jax(settings: Mapping[str, Any]) -> Work:
    """manifest.fault and Checkpoints.restore, as a run begins that goes on."""
    import jax

    from aigc_jax.train import manifest
    from benchmarks import in_jax

    folder = standin.scratch()
    programs, state, checkpoints = save.kept(settings, folder)
    checkpoints.save(state, programs.start_sums(), {})
    checkpoints.wait()

    def run() -> None:
        fault = manifest.fault(folder / "0")
        assert not fault, fault
        jax.block_until_ready(checkpoints.restore(programs.described, programs.described_sums, 0))

    return Work(run, 1, in_jax.count(state.params))


def pytorch(settings: Mapping[str, Any]) -> Work:
    """Into a network, an optimizer and an average that are there."""
    import torch

    from benchmarks import peers

    folder = standin.scratch()
    network, parts = save.trained(settings)
    torch.save({name: part.state_dict() for name, part in parts.items()}, folder / "state.pt")

    def run() -> None:
        found = torch.load(folder / "state.pt", map_location=peers.DEVICE, weights_only=True)
        for name, part in parts.items():
            part.load_state_dict(found[name])
        peers.finish()

    return Work(run, 1, peers.parameters(network))


SIDES = {"ours": Side("aigc_jax", aigc_jax, "aigc_jax"), "torch": Side("torch", pytorch, "torch.load")}
