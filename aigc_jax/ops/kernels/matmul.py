"""Products of many rows with one matrix."""

from typing import Any

import jax
import jax.numpy as jnp

from aigc_jax.ops.platform import whole_on_gpus

LINE = 128  # columns of 16 bits: rows of whole lines of 256 bytes are aligned in a GPU's memory


def rows_dot(x: jax.Array, kernel: jax.Array, dimension_numbers: Any, **options: Any) -> jax.Array:
    """`jax.lax.dot_general` of x [..., K] with a kernel [K, ...N] -> [..., ...N], for Flax's `Dense(dot_general=...)`.

    It merges the leading axes of x. With two or more of them, XLA for CPUs transposes one factor of the kernel's
    gradient in memory, and multiplies at half the speed.
    """
    assert dimension_numbers == (((x.ndim - 1,), (0,)), ((), ())), dimension_numbers
    rows = jax.lax.dot_general(x.reshape(-1, x.shape[-1]), kernel, (((1,), (0,)), ((), ())), **options)
    return rows.reshape(*x.shape[:-1], *kernel.shape[1:])


def columns_dot(x: jax.Array, kernel: jax.Array, dimension_numbers: Any, **options: Any) -> jax.Array:
    """`rows_dot` with a matrix of any number of columns, such as a vocabulary's.

    On a GPU it pads the matrix with zeros to whole lines: cuBLAS has no fast kernel for other widths.
    """
    width = kernel.shape[-1]
    rows, length = x.size // x.shape[-1], kernel.shape[0]
    if whole_on_gpus() and rows > length:  # with fewer rows, copying the matrix takes longer than it saves
        kernel = jnp.pad(kernel, ((0, 0), (0, -width % LINE)))
    return rows_dot(x, kernel, dimension_numbers, **options)[..., :width]
