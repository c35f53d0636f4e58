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


NAMES = {"scale": "weight", "bias": "bias", "mean": "running_mean", "var": "running_var", "kernel": "weight"}


@pytest.fixture(scope="module")
def published(described):
    """Random weights under the names and in the shapes of the published file."""
    random = np.random.RandomState(0)
    found = {"fc.bias": random.randn(CLASSES).astype(np.float32)}
    for group in ("params", "batch_stats"):
        for path, leaf in jax.tree.leaves_with_path(described[group]):
            *place, last = (key.key for key in path)
            if last == "kernel":
                fan = np.prod(leaf.shape[:-1])
                array = random.randn(*leaf.shape) * np.sqrt(2 / fan)
                array = array.T if array.ndim == 2 else array.transpose(3, 2, 0, 1)
            else:
                array = {"scale": 1, "bias": 0, "mean": 0, "var": 1}[last] + 0.1 * random.rand(*leaf.shape)
            found[".".join([*place, NAMES[last]])] = array.astype(np.float32)
    return found


def test_weights_find_their_places(described, published):
    found = variables(published)
    assert jax.tree.map(np.shape, found) == jax.tree.map(lambda leaf: leaf.shape, dict(described))
    kernel = found["params"]["Mixed_6b"]["branch7x7_2"]["conv"]["kernel"]
    np.testing.assert_array_equal(kernel[0, 3], published["Mixed_6b.branch7x7_2.conv.weight"][:, :, 0, 3].T)


@pytest.mark.parametrize("shape", [(32, 32), (28, 45), (350, 301)])
def test_features_are_those_of_torch_fidelity(tmp_path, published, shape):
    """The same weights and pixels: its resizing, features and logits."""
    torch = pytest.importorskip("torch")
    peer = pytest.importorskip("torch_fidelity.feature_extractor_inceptionv3")
    torch.save({name: torch.from_numpy(array) for name, array in published.items()}, tmp_path / "weights.pth")
    extractor = peer.FeatureExtractorInceptionV3(
        "inception", ["2048", "logits_unbiased"], feature_extractor_weights_path=str(tmp_path / "weights.pth")
    )
    pixels = np.random.RandomState(1).randint(0, 256, (3, *shape, 3), np.uint8)
    expected = extractor(torch.from_numpy(pixels.transpose(0, 3, 1, 2)))
    large = resized(jnp.asarray(pixels, jnp.float32), half_pixels=False)
    found = Inception().apply(variables(published), (large - 128) / 128)
    for ours, theirs in zip(found, expected, strict=True):
        theirs = theirs.numpy()
        assert np.abs(ours - theirs).max() <= 1e-4 * np.abs(theirs).max()


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
