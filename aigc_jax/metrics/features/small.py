"""Small classifiers that were trained by this project's configurations and are part of the package.

A file holds the weights. Its header holds the network's fields and the configuration that trains it again.
"""

import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np

from aigc_jax.errors import UserError
from aigc_jax.metrics.features.extractor import Extractor, weights_sha256
from aigc_jax.nn.convnet import ConvNet
from aigc_jax.ops.augment import to_float

HEADER = ("network", "config")


def load(path: Path) -> Extractor:
    """The extractor in a file that `save` wrote. Raises UserError for another or a damaged file."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "np") as file:
            header = {key: json.loads(value) for key, value in file.metadata().items()}
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no dictionary
        fields: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in header["network"].items()
        }
        module = ConvNet(**fields)
    except (OSError, SafetensorError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path} holds no extractor ({error}): install the package again.") from error
    params: dict[str, Any] = {}
    for name, array in weights.items():
        *places, leaf = name.split("/")
        tree = params
        for place in places:
            tree = tree.setdefault(place, {})
        tree[leaf] = array.astype(np.float32)
    return Extractor(
        path.stem,
        weights_sha256(weights),
        module.image_shape,
        "as they are, in -1 … 1",
        partial(_apply, module),
        {"params": params},
    )


def _apply(module: ConvNet, variables: Any, images: jax.Array) -> tuple[jax.Array, jax.Array]:
    answers: Any = module.apply(variables, to_float(images))
    return answers


def save(path: Path, params: Any, network: Mapping[str, Any], config: Mapping[str, Any]) -> None:
    """Writes a ConvNet's weights, in half precision. network: its fields; config: the configuration that trains it."""
    from safetensors.numpy import save_file

    weights = {
        jax.tree_util.keystr(place, simple=True, separator="/"): np.asarray(leaf).astype(np.float16)
        for place, leaf in jax.tree.leaves_with_path(params)
    }
    header = dict(zip(HEADER, (network, config), strict=True))
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(weights, path, {key: json.dumps(value) for key, value in header.items()})
