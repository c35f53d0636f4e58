"""Bilinear resampling against jax.image.resize, and its adjoint."""

import jax
import jax.numpy as jnp
import numpy as np

from aigc_jax.nn.layers.bilinear import double_bilinear, halve_bilinear


def test_doubling_is_bilinear_interpolation_away_from_the_border():
    x = jax.random.normal(jax.random.key(0), (2, 5, 7, 3))
    expected = jax.image.resize(x, (2, 10, 14, 3), "bilinear")
    np.testing.assert_allclose(double_bilinear(x)[:, 1:-1, 1:-1], expected[:, 1:-1, 1:-1], atol=1e-6)


def test_halving_is_antialiased_bilinear_interpolation_away_from_the_border():
    x = jax.random.normal(jax.random.key(0), (2, 10, 14, 3))
    expected = jax.image.resize(x, (2, 5, 7, 3), "bilinear", antialias=True)
    np.testing.assert_allclose(halve_bilinear(x)[:, 1:-1, 1:-1], expected[:, 1:-1, 1:-1], atol=1e-6)


def test_doubling_is_four_times_the_adjoint_of_halving():
    x = jax.random.normal(jax.random.key(0), (2, 4, 6, 3))
    y = jax.random.normal(jax.random.key(1), (2, 8, 12, 3))
    np.testing.assert_allclose(jnp.vdot(double_bilinear(x), y), 4 * jnp.vdot(x, halve_bilinear(y)), rtol=1e-4)
