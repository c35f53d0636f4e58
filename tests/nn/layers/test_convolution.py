"""The layer is Linen's, by parameters and by values."""

import flax.linen as nn
import jax
import numpy as np

from aigc_jax.nn.layers.convolution import Conv


def test_parameters_and_values_are_those_of_linen():
    x = jax.random.normal(jax.random.key(0), (2, 12, 10, 32))
    ours, linen = Conv(33), nn.Conv(33, (3, 3))
    variables = jax.jit(linen.init)(jax.random.key(1), x)
    assert jax.tree.map(np.array_equal, variables, jax.jit(ours.init)(jax.random.key(1), x)) == jax.tree.map(
        lambda _: True, variables
    )
    expected = jax.jit(linen.apply)(variables, x)
    np.testing.assert_allclose(jax.jit(ours.apply)(variables, x), expected, atol=3e-5 * np.abs(expected).max())
