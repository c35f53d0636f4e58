"""Shapes and parameter count of the convolutional VAE."""

import jax
import jax.numpy as jnp
import pytest

from aigc_jax.errors import ConfigError
from aigc_jax.nn.conv_vae import ConvVAE


def test_shapes_dtypes_and_parameter_count():
    net = ConvVAE((28, 28, 1), (32, 64), 256, 10, 2, jnp.bfloat16)
    images = jnp.zeros((2, 28, 28, 1))
    variables = jax.eval_shape(net.init, jax.random.key(0), images)
    mean, log_variance = jax.eval_shape(lambda v: net.apply(v, images, method="encode"), variables)
    decoded = jax.eval_shape(lambda v: net.apply(v, jnp.zeros((2, 10)), method="decode"), variables)
    assert mean.shape == log_variance.shape == (2, 10) and decoded.shape == (2, 28, 28, 1, 2)
    assert {mean.dtype, log_variance.dtype, decoded.dtype} == {jnp.dtype("float32")}
    assert {leaf.dtype for leaf in jax.tree.leaves(variables)} == {jnp.dtype("float32")}
    grid = 7 * 7 * 64
    encoder = 16 * 1 * 32 + 32 + 16 * 32 * 64 + 64 + (grid + 1) * 256 + 257 * 20
    decoder = 11 * 256 + 257 * grid + 16 * 64 * 32 + 32 + 16 * 32 * 2 + 2
    assert sum(leaf.size for leaf in jax.tree.leaves(variables)) == encoder + decoder


def test_sizes_that_cannot_be_halved_are_refused():
    with pytest.raises(ConfigError, match=r"data\.pad"):
        ConvVAE((28, 28, 1), (4, 4, 4), 8, 2, 1).init(jax.random.key(0), jnp.zeros((2, 28, 28, 1)))
