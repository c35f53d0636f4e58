"""The path length of functions whose Jacobian is known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from aigc_jax.ops import batch
from aigc_jax.ops.path_length import path_length

KEY = jax.random.key(5)
ROWS, LAYERS, WIDTH, SIDE = 6, 4, 3, 5


def linear(key):
    """(render, its Jacobian [LAYERS * WIDTH, SIDE * SIDE]) of a linear generator."""
    jacobian = jax.random.normal(key, (LAYERS * WIDTH, SIDE * SIDE))
    return lambda w: (w.reshape(w.shape[0], -1) @ jacobian).reshape(-1, SIDE, SIDE, 1), jacobian


def test_lengths_of_a_linear_generator_are_those_of_its_jacobian():
    render, jacobian = linear(KEY)
    w = jax.random.normal(jax.random.key(1), (ROWS, LAYERS, WIDTH))
    penalty, mean = path_length(render, w, KEY, jnp.float32(2.0))
    y = jax.random.normal(KEY, (ROWS, SIDE, SIDE, 1)).reshape(ROWS, -1) / SIDE
    lengths = np.linalg.norm(y @ jacobian.T, axis=1) / np.sqrt(LAYERS)
    np.testing.assert_allclose(mean, lengths.mean(), rtol=1e-5)
    np.testing.assert_allclose(penalty, (lengths - 2.0) ** 2, rtol=1e-4)


def test_an_orthogonal_jacobian_has_lengths_of_its_scale():
    """|s Q y| = s |y|: where J is s times an orthogonal matrix, every length is s |y| (appendix C)."""
    q, _ = np.linalg.qr(np.random.RandomState(0).randn(SIDE * SIDE, SIDE * SIDE))

    def render(w):
        return 3.0 * (w.reshape(w.shape[0], -1) @ q).reshape(-1, SIDE, SIDE, 1)

    _, mean = path_length(render, jnp.zeros((ROWS, 1, SIDE * SIDE)), KEY, jnp.float32(0))
    y = jax.random.normal(KEY, (ROWS, SIDE, SIDE, 1)) / SIDE
    np.testing.assert_allclose(mean, 3.0 * np.linalg.norm(y.reshape(ROWS, -1), axis=1).mean(), rtol=1e-5)


def test_its_gradient_is_that_of_differences():
    """It reaches the weights of the generator, through a gradient of a gradient."""
    w = jax.random.normal(jax.random.key(2), (ROWS, 1, WIDTH))
    weights = jax.random.normal(jax.random.key(3), (WIDTH, SIDE * SIDE)) / 3

    def loss(weights):
        def render(w):
            return jnp.tanh(w[:, 0] @ weights).reshape(-1, SIDE, SIDE, 1)

        return jnp.sum(path_length(render, w, KEY, jnp.float32(0.5))[0])

    direction = jax.random.normal(jax.random.key(4), weights.shape)
    step = 3e-3 * direction
    differences = (loss(weights + step) - loss(weights - step)) / 6e-3
    np.testing.assert_allclose(jnp.sum(jax.grad(loss)(weights) * direction), differences, rtol=5e-3)


def test_a_generator_that_ignores_w_has_finite_gradients():
    def loss(scale):
        return jnp.sum(path_length(lambda w: scale * 0 * w.reshape(-1, 2, 2, 1), jnp.ones((2, 1, 4)), KEY, 1.0)[0])

    assert loss(1.0) == 2 and jnp.isfinite(jax.grad(loss)(1.0))


@pytest.mark.skipif(jax.device_count() < 2, reason="needs several devices")
def test_devices_draw_what_one_would():
    render, _ = linear(KEY)
    w = jax.random.normal(jax.random.key(1), (ROWS, LAYERS, WIDTH))
    penalty, mean = path_length(render, w, KEY, jnp.float32(1))
    parts = w.reshape(2, ROWS // 2, LAYERS, WIDTH)
    found, means = jax.pmap(lambda w: path_length(render, w, KEY, 1.0), axis_name=batch.AXIS)(parts)
    np.testing.assert_allclose(found.reshape(-1), penalty, rtol=1e-5)
    np.testing.assert_allclose(means, [mean] * 2, rtol=1e-5)
