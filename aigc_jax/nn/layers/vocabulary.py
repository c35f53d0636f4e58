"""From vectors to logits of a vocabulary: an output layer of its own, or the embedding, transposed (Press & Wolf 2017).

All rows of a batch are one axis of the product: see `ops.kernels.matmul`.
"""

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.linen.dtypes import promote_dtype

from aigc_jax.nn.layers.style import INIT_STD
from aigc_jax.ops.kernels.matmul import columns_dot

Output = Callable[[jax.Array], jax.Array]  # rows [N, width] -> [N, vocabulary]


def output_layer(vocabulary: int, dtype: Any) -> nn.Dense:
    """An output layer of its own, without a bias."""
    init = nn.initializers.normal(INIT_STD)
    return nn.Dense(vocabulary, use_bias=False, kernel_init=init, dtype=dtype, dot_general=columns_dot)


def by_table(table: jax.Array, dtype: Any, bias: jax.Array | None = None) -> Output:
    """The product with a table [width, vocabulary], such as an embedding, transposed, and a bias [vocabulary]."""

    def output(rows: jax.Array) -> jax.Array:
        rows, columns, added = promote_dtype(rows, table, bias, dtype=dtype)
        found = columns_dot(rows, columns, (((1,), (0,)), ((), ())))
        return found if added is None else found + added

    return output


def logits(x: jax.Array, output: Output) -> jax.Array:
    """[..., width] -> float32 [..., vocabulary]."""
    found = output(x.reshape(-1, x.shape[-1]))
    return found.reshape(*x.shape[:-1], found.shape[-1]).astype(jnp.float32)
