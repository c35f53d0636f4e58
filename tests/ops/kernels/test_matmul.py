"""Rows by a matrix: the same product as `jax.lax.dot_general`, and gradients of two axes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from aigc_jax.ops.kernels import matmul
from aigc_jax.ops.kernels.matmul import columns_dot, rows_dot


@pytest.mark.parametrize("trailing", [(6,), (3, 2)])
@pytest.mark.parametrize("leading", [(), (5,), (2, 5), (2, 3, 5)])
def test_equals_dot_general(leading, trailing):
    x = jax.random.normal(jax.random.key(0), (*leading, 4))
    kernel = jax.random.normal(jax.random.key(1), (4, *trailing))
    numbers = (((x.ndim - 1,), (0,)), ((), ()))

    def run(dot):
        read, back = jax.vjp(lambda x, kernel: dot(x, kernel, numbers), x, kernel)
        return read, back(jnp.sin(read))

    for a, b in zip(jax.tree.leaves(run(rows_dot)), jax.tree.leaves(run(jax.lax.dot_general)), strict=True):
        assert a.shape == b.shape
        np.testing.assert_allclose(a, b, atol=1e-5)


@pytest.mark.parametrize(("rows", "columns", "widened"), [(300, 130, True), (300, 256, False), (2, 130, False)])
def test_on_a_gpu_many_rows_meet_whole_lines_of_columns(rows, columns, widened, monkeypatch):
    monkeypatch.setattr(matmul, "whole_on_gpus", lambda: True)
    x = jax.random.normal(jax.random.key(0), (rows, 4))
    kernel = jax.random.normal(jax.random.key(1), (4, columns))
    numbers = (((1,), (0,)), ((), ()))

    def run(dot):
        read, back = jax.vjp(lambda x, kernel: dot(x, kernel, numbers), x, kernel)
        return read, back(jnp.sin(read))

    for a, b in zip(jax.tree.leaves(run(columns_dot)), jax.tree.leaves(run(jax.lax.dot_general)), strict=True):
        assert a.shape == b.shape
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)
    text = str(jax.make_jaxpr(lambda x, kernel: columns_dot(x, kernel, numbers))(x, kernel))
    assert (f"{rows},256]" in text) == (widened or columns == 256)
