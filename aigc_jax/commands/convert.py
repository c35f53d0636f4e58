"""Bring a network's published weights into our form.

    aigc_jax convert pt_inception-2015-12-05-6726825d.pth --name inception
    aigc_jax convert alexnet-owt-7be5be79.pth alex.pth --name lpips_alex

FILES are those that PyTorch users have, and are read by PyTorch (pip install torch), which nothing else here needs.
Their SHA-256 have to be the published ones. What is written is found by the network of that name.
"""

import argparse
import hashlib
from pathlib import Path

import numpy as np

from aigc_jax import places
from aigc_jax.errors import UserError, optional
from aigc_jax.metrics.features import published
from aigc_jax.metrics.features.extractor import sources


def arguments(parser: argparse.ArgumentParser) -> None:
    known = sources()
    listed = "; ".join(
        f"{name}: {' and '.join(f'{source.file}, {source.origin}' for source in files)}"
        for name, files in known.items()
    )
    parser.add_argument("files", metavar="FILE", type=Path, nargs="+", help=argparse.SUPPRESS)
    parser.add_argument("--name", metavar="NAME", required=True, choices=known, help=f"of the network. {listed}")


def run(options: argparse.Namespace) -> None:
    """Writes the weights into the folder of weight files. Raises UserError for any files but the published ones."""
    needed = sources()[options.name]
    given = {_sha256(file): file for file in options.files}
    for source in needed:
        if source.sha256 not in given:
            found = ", ".join(f"{file} has the SHA-256 {sha256}" for sha256, file in given.items())
            raise UserError(f"{source.file} has {source.sha256}, and {found}: take that one from {source.origin}")
    weights = {
        name: array
        for source in needed
        for name, array in state_dictionary(given[source.sha256]).items()
        if name.startswith(source.prefix)
    }
    path = published.place(places.weights(), options.name)
    published.write(path, weights, needed)
    print(f"{path}: the weights of {' and '.join(source.file for source in needed)}")


def _sha256(path: Path) -> str:
    if not path.is_file():
        raise UserError(f"There is no file {path}: --help says where published weights are to be had.")
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def state_dictionary(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a file that PyTorch wrote, by name. Nothing in it is executed. Raises UserError without PyTorch."""
    torch = optional("torch", "torch", "Reading published weights")
    return {name: tensor.numpy() for name, tensor in torch.load(path, map_location="cpu", weights_only=True).items()}
