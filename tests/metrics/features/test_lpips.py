"""Laws of LPIPS, whatever its weights are; its figures are held against its authors' package in tests/parity."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from aigc_jax.nn.lpips import Lpips

RANDOM = np.random.RandomState(0)
ONE, OTHER = RANDOM.rand(2, 3, 40, 33, 3).astype(np.float32) * 2 - 1
DISTANCE = jax.jit(Lpips("alex").apply)


@pytest.fixture(scope="module")
def weights():
    return jax.jit(Lpips("alex").init)(jax.random.key(0), ONE, OTHER)


def test_distances(weights):
    found = DISTANCE(weights, ONE, OTHER)
    assert found.shape == (3,) and found.min() > 0
    np.testing.assert_allclose(DISTANCE(weights, OTHER, ONE), found, rtol=1e-5)
    np.testing.assert_array_equal(DISTANCE(weights, ONE, ONE), 0)
    np.testing.assert_allclose(DISTANCE(weights, ONE[::-1], OTHER[::-1]), found[::-1], rtol=1e-5)


def test_a_gradient_is_finite_where_nothing_is_seen(weights):
    """Features that are all rectified to 0 have no direction."""
    blind = jax.tree.map(lambda leaf: -jnp.abs(leaf), weights["params"]["backbone"])
    params = {**weights["params"], "backbone": blind}
    gradient = jax.jit(jax.grad(lambda images: DISTANCE({"params": params}, images, OTHER).sum()))
    assert jnp.isfinite(gradient(jnp.ones_like(ONE))).all()


@pytest.mark.parametrize(("kind", "count"), [("alex", 2_469_696), ("vgg", 14_714_688)])
def test_size(kind, count):
    """The convolutions of AlexNet and VGG-16, as torchvision has them."""
    found = jax.eval_shape(Lpips(kind).init, jax.random.key(0), ONE, OTHER)["params"]["backbone"]
    assert sum(leaf.size for leaf in jax.tree.leaves(found)) == count
