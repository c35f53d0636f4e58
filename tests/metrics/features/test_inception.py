"""The graph of Inception v3: its size, what becomes of pixels before it, and how weights get into it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from state_dictionaries import described, state_dictionary

from aigc_jax.errors import UserError
from aigc_jax.metrics.features import published
from aigc_jax.metrics.features.catalogue import extractor, names
from aigc_jax.metrics.features.inception import (
    CLASSES,
    FEATURES,
    SIDE,
    SOURCES,
    Inception,
    prepared,
    resize_matrix,
    resized,
    variables,
)

IMAGES = jax.ShapeDtypeStruct((2, SIDE, SIDE, 3), jnp.float32)
NETWORK = described("inception")
RANDOM = np.random.RandomState(0)


def test_size():
    """As published: 21,768,352 weights of convolutions and biases, and 17,216 scales (Keras leaves those out)."""
    count = sum(leaf.size for leaf in jax.tree.leaves(NETWORK["params"]))
    assert count == 21_768_352 + 17_216 + FEATURES * CLASSES
    features, logits = jax.eval_shape(Inception().apply, NETWORK, IMAGES)
    assert (features.shape, logits.shape) == ((2, FEATURES), (2, CLASSES))


def test_weights_find_their_places():
    weights = state_dictionary("inception")
    found = variables(weights)
    assert jax.tree.map(np.shape, found) == jax.tree.map(lambda leaf: leaf.shape, dict(NETWORK))
    kernel = found["params"]["Mixed_6b"]["branch7x7_2"]["conv"]["kernel"]
    np.testing.assert_array_equal(kernel[0, 3], weights["Mixed_6b.branch7x7_2.conv.weight"][:, :, 0, 3].T)


@pytest.mark.parametrize("size", [28, 32, 299, 512])
def test_resizing(size):
    for half_pixels in (False, True):
        np.testing.assert_allclose(resize_matrix(size, half_pixels).sum(1), 1, rtol=1e-6)
    image = RANDOM.rand(1, size, size, 3).astype(np.float32)
    expected = jax.image.resize(image, (1, SIDE, SIDE, 3), "bilinear", antialias=False)
    np.testing.assert_allclose(resized(image, half_pixels=True), expected, atol=1e-4)
    ramp = np.broadcast_to(np.arange(size, dtype=np.float32)[:, None], (size, size))[None, :, :, None]
    corners = np.asarray(resized(ramp, half_pixels=False))[0, :, 0, 0]
    np.testing.assert_allclose(corners, np.minimum(np.arange(SIDE) * size / SIDE, size - 1), rtol=1e-5, atol=1e-4)


def test_pixels():
    grey = RANDOM.randint(0, 256, (2, 7, 11, 1)).astype(np.float32)
    found = np.asarray(prepared(grey))
    assert found.shape == (2, SIDE, SIDE, 3)
    np.testing.assert_allclose(found, prepared(np.repeat(grey, 3, -1)), atol=1e-6)
    np.testing.assert_allclose(found[:, 0, 0, 0], grey[:, 0, 0, 0] / 128 - 1, atol=1e-6)
    assert -1 <= found.min() <= found.max() <= 1


def test_extractor(tmp_path, monkeypatch):
    """By its name, from a converted file, over more images than divide among the devices, and in parts."""
    assert "inception" in names()
    with pytest.raises(UserError, match="convert pt_inception-2015-12-05-6726825d.pth --name inception"):
        extractor("inception", tmp_path)
    (source,) = SOURCES["inception"]
    sources = (source._replace(sha256="00" * 32),)
    monkeypatch.setitem(SOURCES, "inception", sources)
    published.save(tmp_path / "inception.safetensors", state_dictionary("inception"), sources)
    using = extractor("inception", tmp_path)
    assert using.distance == "FID"
    images = RANDOM.randint(0, 256, (5, 32, 32, 3)).astype(np.uint8)
    whole = using(images)
    assert whole.features.shape == (5, FEATURES) and whole.logits.shape == (5, CLASSES)
    part = using(images[3:])
    assert np.abs(part.features - whole.features[3:]).max() <= 1e-5 * np.abs(whole.features).max()
    # A dense layer without bias gives the logits.
    expected = whole.features @ state_dictionary("inception")["fc.weight"].T
    assert np.abs(whole.logits - expected).max() <= 1e-5 * np.abs(expected).max()
