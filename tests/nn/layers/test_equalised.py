"""Equalised layers: their scale at first, and how far Adam moves them."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from aigc_jax.nn.layers.equalised import Conv, Dense, activate

KEY, X_KEY = jax.random.split(jax.random.key(0))


@pytest.mark.parametrize("inputs", [8, 200])
@pytest.mark.parametrize("multiplier", [1.0, 0.01])
def test_outputs_of_white_noise_have_variance_one(inputs, multiplier):
    x = jax.random.normal(X_KEY, (400, inputs))
    layer = Dense(300, multiplier=multiplier)
    y, variables = layer.init_with_output(KEY, x)
    assert y.std() == pytest.approx(1, abs=0.1)
    assert variables["params"]["kernel"].std() == pytest.approx(1 / multiplier, rel=0.05)


@pytest.mark.parametrize("size", [1, 3])
def test_outputs_of_a_convolution_have_variance_one(size):
    x = jax.random.normal(X_KEY, (4, 12, 12, 30))
    y, variables = Conv(40, size).init_with_output(KEY, x)
    assert y[:, 1:-1, 1:-1].std() == pytest.approx(1, abs=0.1)
    assert variables["params"]["kernel"].std() == pytest.approx(1, rel=0.05)


def test_the_activation_keeps_the_second_moment():
    """E[f(x)^2] = 2 (1 + slope^2) / 2 = 1.04 for x ~ N(0, 1)."""
    assert jnp.mean(activate(jax.random.normal(KEY, (100_000,))) ** 2) == pytest.approx(1.04, abs=0.02)


@pytest.mark.parametrize("inputs", [4, 64])
def test_a_step_of_adam_moves_weights_by_the_rate_over_the_root_of_the_inputs(inputs):
    """Each used weight by multiplier * rate / sqrt(inputs), and the bias by multiplier * rate; inputs are 1."""
    layer, x = Dense(3, multiplier=0.1), jnp.ones((1, inputs))
    params = layer.init(KEY, x)["params"]
    tx = optax.adam(0.01)
    gradient = jax.grad(lambda params: jnp.sum(layer.apply({"params": params}, x)))(params)
    updates, _ = tx.update(gradient, tx.init(params), params)
    moved = layer.apply({"params": optax.apply_updates(params, updates)}, x) - layer.apply({"params": params}, x)
    np.testing.assert_allclose(moved, -0.1 * 0.01 * (inputs / np.sqrt(inputs) + 1), rtol=1e-2)


def test_a_bias_begins_as_asked_whatever_the_multiplier():
    x = jnp.zeros((1, 4))
    for multiplier in (1.0, 0.01):
        np.testing.assert_allclose(Dense(3, 1.0, multiplier).init_with_output(KEY, x)[0], 1, rtol=1e-6)


def test_arithmetic_runs_in_its_dtype():
    half = dict(dtype=jnp.bfloat16)
    for layer, x in ((Dense(2, **half), jnp.ones((1, 3))), (Conv(2, **half), jnp.ones((1, 4, 4, 3)))):
        y, variables = layer.init_with_output(KEY, x)
        assert y.dtype == jnp.bfloat16
        assert all(leaf.dtype == jnp.float32 for leaf in jax.tree.leaves(variables))
