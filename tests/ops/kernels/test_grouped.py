"""A convolution for each group against one operation, with gradients of two orders."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from aigc_jax.ops.kernels.grouped import convolve_groups, one_by_one, together

GROUPS = 3


@pytest.fixture(scope="module")
def arrays():
    x, kernel, y = (
        jax.random.normal(jax.random.key(i), shape)
        for i, shape in enumerate([(2, 5, 4, 6), (3, 3, 2, 12), (2, 5, 4, 12)])
    )
    return x, kernel, y


def test_the_values_are_those_of_one_operation(arrays):
    x, kernel, _ = arrays
    np.testing.assert_allclose(one_by_one(x, kernel, GROUPS), together(x, kernel, GROUPS), atol=1e-5)


def test_a_group_reads_its_own_channels(arrays):
    x, kernel, _ = arrays
    moved = one_by_one(x.at[..., 2:4].add(1), kernel, GROUPS) - one_by_one(x, kernel, GROUPS)
    assert np.abs(moved[..., 4:8]).max() > 0.1
    np.testing.assert_array_equal(moved.at[..., 4:8].set(0), jnp.zeros_like(moved))


def test_gradients_of_both_orders_are_those_of_one_operation(arrays):
    """A penalty on the gradient by x, differentiated by the kernel."""
    x, kernel, y = arrays

    def penalty(convolve):
        slope = lambda k: jax.grad(lambda x: jnp.sum(y * jnp.tanh(convolve(x, k, GROUPS))))(x)  # noqa: E731
        return jax.grad(lambda k: jnp.sum(slope(k) ** 2))(kernel)

    found, expected = penalty(one_by_one), penalty(together)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-3)


def test_a_kernels_gradient_is_right_where_one_axis_of_a_mesh_splits_the_batch():
    """XLA's own is not: `together` in the place of `convolve_groups` gives twice as much."""
    x, y = (jax.random.normal(jax.random.key(i), (8, 3, 3, 4)) for i in range(2))
    kernel = jax.random.normal(jax.random.key(2), (3, 3, 2, 4))

    def slope(convolve):
        return jax.jit(jax.grad(lambda k, x, y: jnp.sum(y * convolve(x, k)), 0))

    expected = slope(lambda x, k: together(x, k, 2))(kernel, x, y)
    mesh = jax.make_mesh((2, 2), ("data", "tensor"), axis_types=(AxisType.Auto,) * 2)
    with jax.set_mesh(mesh):
        split = (jax.device_put(each, NamedSharding(mesh, PartitionSpec("data"))) for each in (x, y))
        found = slope(convolve_groups)(kernel, *split)
    np.testing.assert_allclose(found, expected, atol=1e-4)
