"""Laws of LPIPS, whatever its weights are; its figures are held against its authors' package in tests/parity."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from aigc_jax.metrics.features.lpips import Lpips

RANDOM = np.random.RandomState(0)
ONE, OTHER = RANDOM.rand(2, 3, 40, 33, 3).astype(np.float32) * 2 - 1


@pytest.mark.parametrize("kind", ["alex", "vgg"])
def test_distances(kind):
    network = Lpips(kind)
    weights = network.init(jax.random.key(0), ONE, OTHER)
    distance = jax.jit(network.apply)
    found = distance(weights, ONE, OTHER)
    assert found.shape == (3,) and found.min() > 0
    np.testing.assert_allclose(distance(weights, OTHER, ONE), found, rtol=1e-5)
    np.testing.assert_array_equal(distance(weights, ONE, ONE), 0)
    np.testing.assert_allclose(distance(weights, ONE[::-1], OTHER[::-1]), found[::-1], rtol=1e-5)


def test_gradients_are_finite_where_nothing_is_seen():
    """Features that are all rectified to 0 have no direction."""
    network = Lpips("alex")
    weights = network.init(jax.random.key(0), ONE, OTHER)
    blind = jax.tree.map(lambda leaf: -jnp.abs(leaf), weights["params"]["backbone"])
    params = {**weights["params"], "backbone": blind}
    gradient = jax.grad(lambda images: network.apply({"params": params}, images, OTHER).sum())(jnp.ones_like(ONE))
    assert jnp.isfinite(gradient).all()
