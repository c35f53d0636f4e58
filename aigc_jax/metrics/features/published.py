"""Weights that others published for PyTorch, in our form and with their origin beside them.

A file of ours is safetensors: the arrays under their published names, and in its header the SHA-256 of each published
file that they are from, and the `fingerprint` of the arrays.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from aigc_jax.errors import UserError
from aigc_jax.metrics.features.extractor import fingerprint

Weights = Mapping[str, np.ndarray]  # by their names in a PyTorch state dictionary

LEAVES = {"running_mean": ("batch_stats", "mean"), "running_var": ("batch_stats", "var"), "bias": ("params", "bias")}
WEIGHT = {1: ("params", "scale"), 2: ("params", "kernel"), 4: ("params", "kernel")}  # by the number of axes
AXES = {1: (0,), 2: (1, 0), 4: (2, 3, 1, 0)}  # PyTorch's order, from which Flax's is taken


class Source(NamedTuple):
    """A published file of weights."""

    file: str  # its name
    sha256: str
    origin: str  # where it is to be had
    prefix: str = ""  # of the names of the arrays that are needed


def place(folder: Path | None, name: str) -> Path:
    """The file of the weights of this name. Raises UserError without a folder of weights."""
    if folder is None:
        raise UserError(
            f"The weights {name} have no folder, for this user has no home: set AIGC_JAX_CACHE to a folder."
        )
    return folder / f"{name}.safetensors"


def write(path: Path, weights: Weights, sources: Sequence[Source]) -> None:
    """Writes the arrays of published files, whose hashes have been checked."""
    from safetensors.numpy import save_file

    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = path.with_suffix(f".{os.getpid()}.part")
    header = {"sha256": _hashes(sources), "fingerprint": fingerprint(weights)}
    save_file({name: np.asarray(array, order="C") for name, array in weights.items()}, part, header)
    part.replace(path)


def read(path: Path, sources: Sequence[Source]) -> tuple[dict[str, np.ndarray], str]:
    """(the arrays of a file that `write` wrote, their fingerprint).

    Raises UserError where there is no such file, where it is damaged, and where it was made from others.
    """
    from safetensors import SafetensorError, safe_open

    again = f"python -m aigc_jax.evaluate convert {' '.join(source.file for source in sources)} --name {path.stem}"
    if not path.is_file():
        needed = " and ".join(f"{source.file} ({source.origin})" for source in sources)
        raise UserError(f"There is no {path}: take {needed}, and convert with  {again}")
    try:
        with safe_open(path, "np") as file:
            header = file.metadata() or {}
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no dictionary
    except (OSError, SafetensorError, ValueError) as error:
        raise UserError(f"{path} cannot be read ({error}): convert it again with  {again}") from error
    if header.get("sha256") != _hashes(sources):
        raise UserError(
            f"{path} was made from a file with the SHA-256 {header.get('sha256', 'that nobody noted')}, and "
            f"{_hashes(sources)} is needed: convert with  {again}"
        )
    found = fingerprint(weights)
    if found != header.get("fingerprint"):
        raise UserError(f"{path} is damaged, its arrays are not those that were written: convert it with  {again}")
    return weights, found


def _hashes(sources: Sequence[Source]) -> str:
    return " ".join(source.sha256 for source in sources)


def variables(weights: Weights) -> dict[str, Any]:
    """Flax's variables for modules that have PyTorch's names: convolutions, dense layers, batch normalisations.

    Raises KeyError for an array that belongs to none of them.
    """
    found: dict[str, Any] = {"params": {}, "batch_stats": {}}
    for name, array in weights.items():
        *place, leaf = name.split(".")
        if leaf == "num_batches_tracked":
            continue
        if leaf == "weight":
            (group, leaf), array = WEIGHT[array.ndim], array.transpose(AXES[array.ndim])
        else:
            group, leaf = LEAVES[leaf]
        tree = found[group]
        for part in place:
            tree = tree.setdefault(part, {})
        tree[leaf] = array
    return found
