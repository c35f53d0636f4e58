"""A network of random weights, written in a published form and read back."""

import jax
import numpy as np
from safetensors.numpy import load_file

from aigc_jax import published
from aigc_jax.ops.platform import run_once


def written(folder, kind, module, fields, name, inputs, **options):
    """Writes weights of the size that trained ones have. -> (their arrays, float64, what our network computes)."""
    found = run_once(lambda key: module.init(key, *inputs, **options))(jax.random.key(0))
    leaves, tree = jax.tree.flatten(found)
    keys = jax.random.split(jax.random.key(1), len(leaves))
    moved = [x + 0.2 * jax.random.normal(key, x.shape) for x, key in zip(leaves, keys, strict=True)]
    variables = jax.tree.unflatten(tree, moved)
    published.write(folder, {"name": name, **fields}, variables, kind)
    read = published.read(folder)
    jax.tree.map(np.testing.assert_array_equal, read.variables(), jax.device_get(variables))
    assert {key: read.network[key] for key in fields} == fields
    arrays = {key: x.astype(np.float64) for key, x in load_file(folder / published.ARRAYS).items()}
    return arrays, np.asarray(run_once(lambda v: module.apply(v, *inputs, **options))(variables))
