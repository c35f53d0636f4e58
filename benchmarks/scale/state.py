"""Bytes of state on one device of eight, from shapes and shardings alone: no array is made."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax

from benchmarks.scale.standins import build_run, load_config

MESHES: Mapping[str, Mapping[str, int]] = {
    "data=8": {"data": 8},
    "fsdp=8": {"fsdp": 8},
    "tensor=8": {"tensor": 8},
    "data=fsdp=tensor=2": {"data": 2, "fsdp": 2, "tensor": 2},
}
PARTS = ("params", "opt_state", "ema")
DEVICES = 8
SLACK = 0.02  # of the goal: an eighth of the state and two percent


def total_bytes(tree: Any) -> int:
    """Of all leaves, each counted once. tree: of `jax.ShapeDtypeStruct` or arrays."""
    return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))


def device_bytes(tree: Any) -> int:
    """On one device: of each leaf the shard that its sharding gives."""
    return sum(_shard_bytes(leaf) for leaf in jax.tree.leaves(tree))


def copied(tree: Any) -> list[dict[str, Any]]:
    """The leaves that every device holds whole, largest first."""
    found = [
        {
            "path": jax.tree_util.keystr(path, simple=True, separator="/"),
            "shape": list(leaf.shape),
            "bytes": leaf.size * leaf.dtype.itemsize,
        }
        for path, leaf in jax.tree.leaves_with_path(tree)
        if _shard_bytes(leaf) == leaf.size * leaf.dtype.itemsize
    ]
    return sorted(found, key=lambda leaf: -leaf["bytes"])


def measure(names: Sequence[str], folder: Path) -> dict[str, Any]:
    """configuration -> bytes in all, bytes per device under each of MESHES, what fsdp leaves copied."""
    results: dict[str, Any] = {}
    for name in names:
        row: dict[str, Any] = {"meshes": {}}
        for label, mesh in MESHES.items():
            state = build_run(load_config(name), folder, mesh).programs.described
            held = {part: getattr(state, part) for part in PARTS}
            row["total"] = {part: total_bytes(tree) for part, tree in held.items()}
            row["meshes"][label] = {part: device_bytes(tree) for part, tree in held.items()}
            if label == "fsdp=8":
                leaves = copied(held["params"])
                row["copied"] = {"leaves": len(leaves), "bytes": sum(x["bytes"] for x in leaves), "largest": leaves[:3]}
        share = sum(row["meshes"]["fsdp=8"].values()) / sum(row["total"].values())
        row["fsdp_share"] = share
        row["within_relative"] = share <= (1 + SLACK) / DEVICES
        row["within_points"] = share <= 1 / DEVICES + SLACK
        results[name] = row
    return results


def _shard_bytes(leaf: Any) -> int:
    return math.prod(leaf.sharding.shard_shape(leaf.shape)) * leaf.dtype.itemsize
