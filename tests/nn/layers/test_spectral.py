"""Spectral normalisation against the singular values of LAPACK."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from aigc_jax.nn.layers.spectral import COLLECTION, Spectral


class Dense(nn.Module):
    """x W / sigma(W), without a bias."""

    features: int

    @nn.compact
    def __call__(self, x, train):
        kernel = self.param("kernel", nn.initializers.normal(1.0), (x.shape[-1], self.features))
        return x @ Spectral()(kernel, train)


def largest(kernel):
    return np.linalg.svd(np.asarray(kernel, np.float64).reshape(-1, kernel.shape[-1]), compute_uv=False)[0]


def converged(kernel, passes=200):
    """(the normalised kernel, its variables) after many passes in training."""
    layer = Spectral()
    variables = layer.init(jax.random.key(1), kernel, True)
    move = jax.jit(lambda variables: layer.apply(variables, kernel, True, mutable=[COLLECTION]))
    for _ in range(passes):
        normalised, variables = move(variables)
    return normalised, variables


@pytest.mark.parametrize("shape", [(30, 20), (3, 3, 5, 7), (6, 1)], ids=str)
def test_sigma_is_the_largest_singular_value(shape):
    kernel = jax.random.normal(jax.random.key(0), shape)
    normalised, _ = converged(kernel)
    np.testing.assert_allclose(kernel / normalised, largest(kernel), rtol=1e-4)
    assert largest(normalised) == pytest.approx(1, rel=1e-4)


def test_a_layer_moves_no_two_inputs_further_apart_than_they_were():
    layer = Dense(20)
    x = jax.random.normal(jax.random.key(0), (500, 30))
    variables = layer.init(jax.random.key(1), x, train=True)
    for _ in range(200):
        variables = {**variables, **layer.apply(variables, x, train=True, mutable=[COLLECTION])[1]}
    y = layer.apply(variables, x, train=False)
    moved = jnp.linalg.norm(y[1:] - y[:-1], axis=1) / jnp.linalg.norm(x[1:] - x[:-1], axis=1)
    assert moved.max() <= 1 + 1e-4
    u = variables[COLLECTION]["Spectral_0"]["u"]  # the direction that is not shortened at all
    kernel = variables["params"]["kernel"]
    worst = kernel @ u
    kept = jnp.linalg.norm(layer.apply(variables, worst[None], train=False)) / jnp.linalg.norm(worst)
    assert kept == pytest.approx(1, rel=1e-4)


def test_vectors_are_a_state_that_moves_in_training_alone():
    kernel = jax.random.normal(jax.random.key(0), (8, 6))
    layer = Spectral()
    variables = layer.init(jax.random.key(1), kernel, True)
    u = variables[COLLECTION]["u"]
    assert u.shape == (6,) and jnp.linalg.norm(u) == pytest.approx(1, rel=1e-5)
    in_training, moved = layer.apply(variables, kernel, True, mutable=[COLLECTION])
    assert not np.allclose(moved[COLLECTION]["u"], u)
    evaluated, still = layer.apply(variables, kernel, False, mutable=[COLLECTION])
    np.testing.assert_array_equal(still.get(COLLECTION, variables[COLLECTION])["u"], u)
    np.testing.assert_array_equal(evaluated, in_training)  # both by the vector that was there
    assert not np.allclose(layer.apply(moved, kernel, False), evaluated)  # and not by another


def test_the_gradient_passes_through_sigma():
    """For converged vectors: d sigma / d W = u vᵀ, so that the gradient of <A, W / sigma> has no part along W."""
    kernel = jax.random.normal(jax.random.key(0), (8, 6))
    against = jax.random.normal(jax.random.key(2), (8, 6))
    _, variables = converged(kernel)
    slope = jax.grad(lambda w: jnp.sum(against * Spectral().apply(variables, w, False)))(kernel)
    left, singular, right = np.linalg.svd(kernel)
    sigma, outer = singular[0], np.outer(left[:, 0], right[0])
    expected = (against - np.sum(against * kernel) / sigma * outer) / sigma
    np.testing.assert_allclose(slope, expected, atol=1e-4)
    assert abs(np.sum(slope * kernel)) < 1e-4  # the scale of W makes no difference


def test_a_kernel_of_zeros_stays_finite():
    kernel = jnp.zeros((4, 3))
    normalised, variables = Spectral().init_with_output(jax.random.key(0), kernel, True)
    normalised, moved = Spectral().apply(variables, kernel, True, mutable=[COLLECTION])
    assert np.all(np.isfinite(normalised)) and np.all(np.isfinite(moved[COLLECTION]["u"]))
