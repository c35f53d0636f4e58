"""Numbers of 8 bits against what they stand for."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from aigc_jax.ops.int8 import LARGEST, Int8, dequantised, quantised

X = jax.random.normal(jax.random.key(0), (6, 2, 5)) * jnp.array([1e-3, 1, 1e3, 5, 7])


@pytest.mark.parametrize("axis", [0, -1])
def test_a_number_is_off_by_half_a_step_of_its_channel_at_most(axis):
    found = quantised(X, axis)
    assert found.values.dtype == jnp.int8 and found.values.shape == X.shape and found.scale.dtype == jnp.float32
    assert found.scale.shape == tuple(1 if i == axis % 3 else n for i, n in enumerate(X.shape))
    error = np.abs(np.asarray(dequantised(found) - X, np.float64))
    assert np.all(error <= 0.5 * np.asarray(found.scale, np.float64) * (1 + 1e-5) + 1e-12)
    assert np.all(np.max(np.abs(found.values), axis) == LARGEST), "the largest of a channel is the end of the range"


def test_it_is_symmetric_and_what_is_rounded_stays():
    found = quantised(X, 0)
    np.testing.assert_array_equal(quantised(-X, 0).values, -found.values)
    again = quantised(dequantised(found), 0)
    np.testing.assert_array_equal(again.values, found.values)


def test_zeros_stay_zeros():
    found = quantised(jnp.zeros((3, 2)), 0)
    assert isinstance(found, Int8) and not np.any(found.values) and not np.any(dequantised(found))
