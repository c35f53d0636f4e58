"""Extractors by name: batches and devices do not matter, wrong images and files are refused."""

from pathlib import Path

import jax
import numpy as np
import pytest

from aigc_jax.data import catalogue
from aigc_jax.errors import UserError
from aigc_jax.metrics.features import extractor as module
from aigc_jax.metrics.features import small
from aigc_jax.metrics.features.catalogue import SHIPPED, extractor, names
from aigc_jax.metrics.features.extractor import remembered, weights_sha256

NOWHERE = Path("/nowhere")


@pytest.fixture(scope="module")
def digits():
    return catalogue.load({"name": "digits"}, None).splits["test"][np.arange(360)]


def test_the_shipped_classifiers_are_as_good_as_their_configurations_say(digits):
    right = extractor("digits", NOWHERE)(digits["image"]).logits.argmax(-1) == digits["label"]
    assert right.mean() >= 0.98


def test_batches_and_devices_do_not_matter(digits, monkeypatch):
    whole = extractor("digits", NOWHERE)(digits["image"][:37])
    monkeypatch.setattr(module, "BATCH", 2)
    parts = extractor("digits", NOWHERE)(digits["image"][:37])
    assert len(jax.local_devices()) == 8
    np.testing.assert_allclose(parts.features, whole.features, atol=1e-5)
    np.testing.assert_allclose(parts.logits, whole.logits, atol=1e-4)
    floats = extractor("digits", NOWHERE)(digits["image"][:37].astype(np.float32))
    np.testing.assert_allclose(floats.features, whole.features, atol=1e-5)


def test_answers_are_remembered_by_weights_and_pixels(digits, tmp_path):
    eye, images = extractor("digits", NOWHERE), digits["image"][:16]
    first = remembered(eye, images, tmp_path)
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:100])  # cut short
    np.testing.assert_array_equal(remembered(eye, images, tmp_path).features, first.features)
    assert len(list(tmp_path.iterdir())) == 1
    remembered(eye, 255 - images, tmp_path)
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((3, 8, 8), np.uint8), "have to be [N, H, W, 1 or 3], and are [3, 8, 8]"),
        (np.zeros((3, 8, 8, 2), np.uint8), "1 or 3"),
        (np.zeros((0, 8, 8, 1), np.uint8), "are [0, 8, 8, 1]"),
        (np.zeros((3, 9, 8, 1), np.uint8), "takes grey images of 8 × 8, and these are [9, 8, 1]"),
        (np.full((3, 8, 8, 1), -1.0), "have to be in 0 … 255, and are in -1 … -1"),
        (np.full((3, 8, 8, 1), 256.0), "are in 256 … 256"),
        (np.full((3, 8, 8, 1), np.nan), "3 of 3 images hold NaN or infinity, the first is number 0"),
    ],
)
def test_images_that_are_refused(images, message):
    with pytest.raises(UserError) as found:
        extractor("digits", NOWHERE)(images)
    assert message in str(found.value)


def test_damaged_weights_are_refused(tmp_path):
    whole = (SHIPPED / "digits.safetensors").read_bytes()
    for size in (0, 4, 100, len(whole) - 1):
        path = tmp_path / f"{size}.safetensors"
        path.write_bytes(whole[:size])
        with pytest.raises(UserError, match="holds no extractor"):
            small.load(path)


def test_a_fingerprint_is_of_every_weight():
    weights = {"a": np.zeros((2, 3), np.float32), "b": np.ones(2)}
    changed = {**weights, "b": np.array([1, 1 + 1e-15])}
    shaped = {**weights, "a": np.zeros((3, 2), np.float32)}
    assert len({weights_sha256(each) for each in (weights, changed, shaped)}) == 3
    assert weights_sha256(dict(reversed(weights.items()))) == weights_sha256(weights)


def test_names():
    assert {"inception", "efficientnet_lite0", "digits", "fashion_mnist"} <= set(names())
    assert extractor("digits", NOWHERE).distance == "FD-digits"
