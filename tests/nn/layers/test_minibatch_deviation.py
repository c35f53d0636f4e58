"""The deviation within groups of examples."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from aigc_jax.nn.layers.minibatch_deviation import EPSILON, minibatch_deviation
from aigc_jax.ops import batch

X = jax.random.normal(jax.random.key(0), (8, 3, 2, 5))


def test_equal_examples_do_not_deviate():
    same = jnp.broadcast_to(X[:1], X.shape)
    found = minibatch_deviation(same, 4)
    np.testing.assert_array_equal(found[..., :-1], same)
    np.testing.assert_allclose(found[..., -1], 0, atol=1.01 * EPSILON**0.5)


@pytest.mark.parametrize("group", [1, 2, 4, 8])
def test_neighbours_form_groups(group):
    found = minibatch_deviation(X, group)[..., -1]
    for first in range(0, 8, group):
        rows = np.asarray(X[first : first + group], np.float64)
        np.testing.assert_allclose(found[first : first + group], rows.std(axis=0).mean(), atol=2e-4)


@pytest.mark.parametrize(("rows", "group"), [(2, 2), (3, 3), (5, 1), (6, 3)])
def test_a_batch_that_groups_of_four_do_not_divide_has_smaller_ones(rows, group):
    np.testing.assert_array_equal(minibatch_deviation(X[:rows], 4), minibatch_deviation(X[:rows], group))


@pytest.mark.skipif(jax.device_count() < 4, reason="needs several devices")
@pytest.mark.parametrize("devices", [2, 4])
def test_devices_form_the_groups_of_one(devices):
    """With two examples a device too, where a group of four lies on two of them; and so do gradients."""
    weight = jax.random.normal(jax.random.key(1), (8, 3, 2, 6))

    def loss(x, weight):
        return jnp.sum(weight * minibatch_deviation(x, 4))

    def parts(x):
        return x.reshape(devices, -1, *x.shape[1:])

    found = jax.pmap(lambda x: minibatch_deviation(x, 4), axis_name=batch.AXIS)(parts(X))
    np.testing.assert_allclose(found.reshape(weight.shape), minibatch_deviation(X, 4), atol=1e-6)
    slopes = jax.pmap(jax.grad(loss), axis_name=batch.AXIS)(parts(X), parts(weight))
    np.testing.assert_allclose(slopes.reshape(X.shape), jax.grad(loss)(X, weight), atol=1e-5)
