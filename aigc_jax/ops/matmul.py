"""Products of many rows with one matrix."""

from typing import Any

import jax


def rows_dot(x: jax.Array, kernel: jax.Array, dimension_numbers: Any, **options: Any) -> jax.Array:
    """`jax.lax.dot_general` of x [..., K] with a kernel [K, ...N] -> [..., ...N], for Flax's `Dense(dot_general=...)`.

    The leading axes of x are one while it multiplies. With two or more of them, XLA on a CPU transposes one factor
    of the kernel's gradient in memory, and then multiplies at half the speed.
    """
    assert dimension_numbers == (((x.ndim - 1,), (0,)), ((), ())), dimension_numbers
    rows = jax.lax.dot_general(x.reshape(-1, x.shape[-1]), kernel, (((1,), (0,)), ((), ())), **options)
    return rows.reshape(*x.shape[:-1], *kernel.shape[1:])
