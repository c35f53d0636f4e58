"""Closed-form directions are the singular vectors of what a generator does first with its latent."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from aigc_jax.ops.directions import closed_form_directions


def kernels(*outputs, width=6):
    random = np.random.RandomState(0)
    return [random.randn(width, count).astype(np.float32) for count in outputs]


@pytest.mark.parametrize("outputs", [(9,), (3,), (4, 7)], ids=["wide", "narrow", "two layers"])
def test_they_are_the_left_singular_vectors_of_all_kernels_together(outputs):
    found = kernels(*outputs)
    values, directions = jax.jit(closed_form_directions)(found)
    u, s, _ = np.linalg.svd(np.concatenate(found, axis=1).astype(np.float64))
    count = len(s)  # the other directions move nothing, and no order is known among them
    np.testing.assert_allclose(values, [*s**2, *[0.0] * (6 - count)], rtol=1e-5, atol=1e-4)
    cosines = np.sum(np.asarray(directions)[:count] * u.T[:count], axis=1)
    np.testing.assert_allclose(np.abs(cosines), 1, atol=1e-5)
    np.testing.assert_allclose(directions @ directions.T, np.eye(6), atol=1e-5)


def test_no_other_direction_moves_the_first_layer_as_far_as_the_strongest():
    (kernel,) = kernels(20)
    values, directions = closed_form_directions([kernel])
    bias, z, step = np.random.RandomState(1).randn(20), np.random.RandomState(2).randn(6), 3.0

    def moved(direction):
        return np.linalg.norm(((z + step * direction) @ kernel + bias) - (z @ kernel + bias))

    np.testing.assert_allclose([moved(n) for n in directions], step * np.sqrt(values), rtol=1e-4)
    others = np.random.RandomState(3).randn(1000, 6)
    others /= np.linalg.norm(others, axis=1, keepdims=True)
    assert max(map(moved, others)) <= moved(directions[0]) * (1 + 1e-5)
    assert min(map(moved, others)) >= moved(directions[-1]) * (1 - 1e-5)


def test_a_direction_has_the_same_sign_always():
    (kernel,) = kernels(9)
    _, one = closed_form_directions([kernel])
    _, other = closed_form_directions([jnp.asarray(kernel[:, ::-1], jnp.bfloat16).astype(jnp.float32)])
    assert np.all(np.sum(one * other, axis=1) > 0.99)
    assert np.all(one[np.arange(6), np.abs(one).argmax(1)] > 0)
