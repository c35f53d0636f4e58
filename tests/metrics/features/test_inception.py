"""The graph of Inception v3: its size, its resizing, and how weights get into it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from aigc_jax.metrics.features.inception import CLASSES, FEATURES, SIDE, Inception, resize_matrix, resized, variables

IMAGES = jax.ShapeDtypeStruct((2, SIDE, SIDE, 3), jnp.float32)


@pytest.fixture(scope="module")
def described():
    return jax.eval_shape(Inception().init, jax.random.key(0), IMAGES)


def test_size(described):
    """As published: 21,768,352 weights of convolutions and biases, and 17,216 scales (Keras leaves those out)."""
    count = sum(leaf.size for leaf in jax.tree.leaves(described["params"]))
    assert count == 21_768_352 + 17_216 + FEATURES * CLASSES
    features, logits = jax.eval_shape(Inception().apply, described, IMAGES)
    assert (features.shape, logits.shape) == ((2, FEATURES), (2, CLASSES))


def test_weights_find_their_places(described):
    names = {"scale": "weight", "bias": "bias", "mean": "running_mean", "var": "running_var", "kernel": "weight"}
    torch, random = {"fc.bias": np.zeros(CLASSES)}, np.random.RandomState(0)
    for group in ("params", "batch_stats"):
        for path, leaf in jax.tree.leaves_with_path(described[group]):
            *place, last = (key.key for key in path)
            shape = leaf.shape[::-1] if len(leaf.shape) == 2 else (*leaf.shape[2:][::-1], *leaf.shape[:2])
            torch[".".join([*place, names[last]])] = random.rand(*(shape if last == "kernel" else leaf.shape))
    found = variables(torch)
    assert jax.tree.map(np.shape, found) == jax.tree.map(lambda leaf: leaf.shape, dict(described))
    kernel = torch["Mixed_6b.branch7x7_2.conv.weight"]
    np.testing.assert_array_equal(
        found["params"]["Mixed_6b"]["branch7x7_2"]["conv"]["kernel"][0, 3], kernel[:, :, 0, 3].T
    )


@pytest.mark.parametrize("size", [28, 32, 299, 512])
def test_resizing(size):
    for half_pixels in (False, True):
        np.testing.assert_allclose(resize_matrix(size, half_pixels).sum(1), 1, rtol=1e-6)
    image = np.random.RandomState(0).rand(1, size, size, 3).astype(np.float32)
    expected = jax.image.resize(image, (1, SIDE, SIDE, 3), "bilinear", antialias=False)
    np.testing.assert_allclose(resized(image, half_pixels=True), expected, atol=5e-5)
    ramp = np.broadcast_to(np.arange(size, dtype=np.float32)[:, None], (size, size))[None, :, :, None]
    corners = np.asarray(resized(ramp, half_pixels=False))[0, :, 0, 0]
    np.testing.assert_allclose(corners, np.minimum(np.arange(SIDE) * size / SIDE, size - 1), rtol=1e-5, atol=1e-4)
