"""LoRA: low-rank adaptation (Hu et al. 2021, arXiv:2106.09685).

    W = W0 + alpha / rank · A B        (eq. 3; as y = x W has it, so that A is [inputs, rank] and B [rank, outputs])

W0 stays. A begins as N(0, 1 / inputs) and B as zero, so that the first outputs are those of W0.
"""

import math
import re
from typing import Annotated

import jax
import jax.numpy as jnp
from flax import traverse_util

from aigc_jax.errors import ConfigError
from aigc_jax.learner import Adapter
from aigc_jax.method import Key, PyTree
from aigc_jax.ranges import Pattern, Size, above


def lora(base: PyTree, /, *, rank: Size, alpha: Annotated[float, above(0)], on: Pattern) -> Adapter:
    """An adapter of matrices: kernels [inputs, ...outputs] of fully connected layers.

    rank: columns of A. alpha: times A B / rank. on: a pattern searched in the paths of kernels, such as "attention".
    base: the shapes of the weights. Raises ConfigError where the pattern is in no path, or a matrix is too small.
    """
    kernels = {path: x for path, x in traverse_util.flatten_dict(base, sep="/").items() if path.endswith("kernel")}
    adapted = {path: x for path, x in kernels.items() if re.search(on, path)}
    if not adapted:
        raise ConfigError(f'the pattern "{on}" is in no path of a kernel: {", ".join(kernels)}.')
    for path, x in adapted.items():
        if rank >= (smaller := min(x.shape[0], math.prod(x.shape[1:]))):
            raise ConfigError(f"a rank of {rank} is not low for {path}, {list(x.shape)}: it has to be below {smaller}.")

    def init(key: Key) -> PyTree:
        params = {}
        for each, (path, x) in zip(jax.random.split(key, len(adapted)), adapted.items(), strict=True):
            params[f"{path}/a"] = jax.random.normal(each, (x.shape[0], rank)) / x.shape[0] ** 0.5
            params[f"{path}/b"] = jnp.zeros((rank, *x.shape[1:]))
        return traverse_util.unflatten_dict(params, sep="/")

    def merge(params: PyTree, base: PyTree) -> PyTree:
        factors, weights = (traverse_util.flatten_dict(tree, sep="/") for tree in (params, base))
        for path in adapted:
            change = jnp.tensordot(factors[f"{path}/a"], factors[f"{path}/b"], 1)
            weights[path] = weights[path] + alpha / rank * change
        return traverse_util.unflatten_dict(weights, sep="/")

    return Adapter(base, init, merge)
