"""Random weights under the names and in the shapes of published files."""

from functools import cache
from pathlib import Path

import jax
import numpy as np

from aigc_jax.metrics.features.efficientnet_lite0 import EfficientNetLite0
from aigc_jax.metrics.features.inception import Inception

FILES = Path(__file__).parent / "metrics" / "features" / "files"  # that PyTorch wrote
NETWORKS = {"inception": (Inception, 299), "efficientnet_lite0": (EfficientNetLite0, 224)}
LEAVES = {"kernel": "weight", "scale": "weight", "bias": "bias", "mean": "running_mean", "var": "running_var"}
ORDER = {1: (0,), 2: (1, 0), 4: (3, 2, 0, 1)}  # of Flax's axes, as PyTorch has them


@cache
def described(name):
    """The shapes of a network's variables."""
    network, side = NETWORKS[name]
    return jax.eval_shape(network().init, jax.random.key(0), jax.ShapeDtypeStruct((1, side, side, 3), np.float32))


@cache
def state_dictionary(name):
    """Name -> array: kernels that keep variances, statistics a little off 0 and 1."""
    random, found = np.random.RandomState(0), {}
    for group in ("params", "batch_stats"):
        for path, leaf in jax.tree.leaves_with_path(described(name)[group]):
            *place, last = (key.key for key in path)
            if last == "kernel":
                array = random.randn(*leaf.shape) * np.sqrt(2 / np.prod(leaf.shape[:-1]))
            else:
                array = {"scale": 1, "bias": 0, "mean": 0, "var": 1}[last] + 0.1 * random.rand(*leaf.shape)
            array = array.transpose(ORDER[array.ndim]).astype(np.float32)
            found[".".join([*place, LEAVES[last]]).replace("_blocks_", "_blocks.")] = array
    if name == "inception":
        found["fc.bias"] = random.randn(1008).astype(np.float32)
    return found
