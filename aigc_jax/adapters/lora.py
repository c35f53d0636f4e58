"""LoRA: low-rank adaptation (Hu et al. 2021, arXiv:2106.09685).

    W = W0 + alpha / rank · A B        (eq. 3; as y = x W has it, so that A is [inputs, rank] and B [rank, outputs])

W0 stays. A begins as N(0, 1 / inputs) and B as zero, so that the first outputs are those of W0.

W0 may be kept in 8 bits (`aigc_jax.ops.int8`), which become float32 where a network is called: as in QLoRA (Dettmers et
al. 2023, arXiv:2305.14314), which takes 4.
"""

import math
import re
from typing import Annotated, Literal

import jax
import jax.numpy as jnp
from flax import traverse_util

from aigc_jax.errors import ConfigError
from aigc_jax.learner import Adapter
from aigc_jax.method import Key, PyTree
from aigc_jax.ops.int8 import Int8, dequantised, quantised
from aigc_jax.ranges import Pattern, Size, above

MATRICES = {"kernel": 0, "embedding": -1}  # weights of two or more axes -> the axis along which a channel lies


def lora(
    base: PyTree, /, *, rank: Size, alpha: Annotated[float, above(0)], on: Pattern, bits: Literal[8, 32] = 32
) -> Adapter:
    """An adapter of matrices: kernels [inputs, ...outputs] of fully connected layers.

    rank: columns of A. alpha: times A B / rank. on: a pattern searched in the paths of kernels, such as "attention".
    bits: of each number of the base's matrices while training: 32, or 8, with a scale for each output or token.
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

    def kept(base: PyTree) -> PyTree:
        weights = traverse_util.flatten_dict(base, sep="/")
        axes = {path: MATRICES.get(path.rpartition("/")[2]) for path, x in weights.items() if x.ndim > 1}
        small = {path: quantised(weights[path], axis) for path, axis in axes.items() if axis is not None}
        return traverse_util.unflatten_dict({**weights, **small}, sep="/")

    def merge(params: PyTree, base: PyTree) -> PyTree:
        factors, weights = (traverse_util.flatten_dict(tree, sep="/") for tree in (params, base))
        weights = {path: dequantised(x) if isinstance(x, Int8) else x for path, x in weights.items()}
        for path in adapted:
            change = jnp.tensordot(factors[f"{path}/a"], factors[f"{path}/b"], 1)
            weights[path] = weights[path] + alpha / rank * change
        return traverse_util.unflatten_dict(weights, sep="/")

    return Adapter(base, init, merge, kept if bits == 8 else lambda base: base)
