"""The cross-entropy and its gradient against float64 and against what differentiating the look-up gives."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from aigc_jax.ops.cross_entropy import cross_entropy

LOGITS = 5 * jax.random.normal(jax.random.key(0), (3, 4, 7))
TARGETS = jax.random.randint(jax.random.key(1), (3, 4), 0, 7)
WEIGHT = jax.random.normal(jax.random.key(2), (3, 4))


def test_equals_minus_log_softmax_in_float64():
    x = np.asarray(LOGITS, np.float64)
    log_p = x - np.log(np.exp(x).sum(-1, keepdims=True))
    expected = -np.take_along_axis(log_p, np.asarray(TARGETS)[..., None], -1)[..., 0]
    np.testing.assert_allclose(cross_entropy(LOGITS, TARGETS), expected, rtol=1e-5, atol=1e-6)


def test_gradient_is_that_of_the_look_up():
    def plain(logits):
        return -jnp.take_along_axis(jax.nn.log_softmax(logits), TARGETS[..., None], -1)[..., 0]

    found, expected = (
        jax.grad(lambda x, loss=loss: jnp.sum(WEIGHT * loss(x)))(LOGITS)
        for loss in (lambda x: cross_entropy(x, TARGETS), plain)
    )
    np.testing.assert_allclose(found, expected, atol=1e-6)
    np.testing.assert_allclose(found.sum(-1), 0, atol=1e-6)  # adding the same to all logits changes nothing


@pytest.mark.parametrize("size", [1e4, -1e4])
def test_large_logits_stay_finite(size):
    loss, gradient = jax.value_and_grad(lambda x: cross_entropy(x, jnp.int32(1)))(jnp.array([size, 0.0]))
    assert np.isfinite(loss) and np.isfinite(gradient).all()


def test_bfloat16_logits_are_summed_in_float32():
    logits = LOGITS.astype(jnp.bfloat16)
    loss, gradient = jax.value_and_grad(lambda x: jnp.sum(cross_entropy(x, TARGETS)))(logits)
    assert loss.dtype == jnp.float32 and gradient.dtype == jnp.bfloat16
    assert float(loss) == pytest.approx(float(jnp.sum(cross_entropy(logits.astype(jnp.float32), TARGETS))), rel=1e-6)
