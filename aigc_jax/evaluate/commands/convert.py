"""Bring a network's published weights into our form.

    python -m aigc_jax.evaluate convert pt_inception-2015-12-05-6726825d.pth --name inception

FILE is the file that PyTorch users have, and is read by PyTorch (pip install torch), which nothing else here needs.
Its SHA-256 has to be the published one. What is written is found by the extractor of that name.
"""

import argparse
import hashlib
from pathlib import Path

import numpy as np

from aigc_jax import places
from aigc_jax.errors import UserError
from aigc_jax.metrics.features import published
from aigc_jax.metrics.features.extractor import sources


def arguments(parser: argparse.ArgumentParser) -> None:
    known = sources()
    listed = "; ".join(f"{name}: {source.file}, {source.origin}" for name, source in known.items())
    parser.add_argument("file", metavar="FILE", type=Path)
    parser.add_argument("--name", required=True, choices=known, help=f"of the extractor. {listed}")


def run(options: argparse.Namespace) -> None:
    """Writes the weights into the folder of weight files. Raises UserError for any file but the published one."""
    source = sources()[options.name]
    if not options.file.is_file():
        raise UserError(f"There is no file {options.file}: {source.file} is to be had from {source.origin}")
    with options.file.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    if sha256 != source.sha256:
        raise UserError(
            f"{options.file} has the SHA-256 {sha256}, and {source.file} has {source.sha256}: take that one from "
            f"{source.origin}"
        )
    path = places.weights() / f"{options.name}.safetensors"
    published.write(path, state_dictionary(options.file), source)
    print(f"{path}: the weights of {source.file}")


def state_dictionary(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a file that PyTorch wrote, by name. Nothing in it is executed. Raises UserError without PyTorch."""
    try:
        import torch
    except ImportError as error:
        raise UserError("Reading published weights needs PyTorch: pip install torch, then convert again.") from error
    return {name: tensor.numpy() for name, tensor in torch.load(path, map_location="cpu", weights_only=True).items()}
