"""Pixels as tokens: the same images, the same levels, in the order of reading."""

import jax
import numpy as np
import pytest

from aigc_jax.data import catalogue
from aigc_jax.data.images import ImageMedium
from aigc_jax.data.pixels import BOS, PixelTokens
from aigc_jax.data.sets.pixels import load
from aigc_jax.errors import ConfigError, UserError

KEY = jax.random.key(0)
RANDOM = np.random.RandomState(0)
IMAGES = RANDOM.randint(0, 256, (5, 4, 6, 3)).astype(np.uint8)
BATCH = {"image": IMAGES, "label": np.zeros(5, np.int32)}


def test_a_token_is_a_level_in_the_order_of_reading():
    medium = PixelTokens(ImageMedium((), 0, ()), (4, 6, 3))
    seen = medium.prepare(KEY, BATCH, True)
    assert seen["tokens"].shape == (5, 73) and seen["tokens"].dtype == np.int32
    assert (seen["tokens"][:, 0] == BOS).all() and (seen["mask"] == 1).all()
    np.testing.assert_array_equal(seen["tokens"][:, 1 + 3 * (2 * 6 + 4) + 1], IMAGES[:, 2, 4, 1])
    assert medium.facts["length"] == 72 and medium.facts["vocabulary"] == 257


@pytest.mark.parametrize("pad", [0, 2])
def test_every_level_comes_back(pad, tmp_path):
    levels = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1)
    medium = PixelTokens(ImageMedium((), pad, ()), (16 + 2 * pad, 16 + 2 * pad, 1))
    tokens = np.asarray(medium.prepare(KEY, {"image": levels, "label": np.zeros(1, np.int32)}, False)["tokens"])[:, 1:]
    assert tokens.shape == (1, (16 + 2 * pad) ** 2)
    np.testing.assert_array_equal(medium.stored(tokens), levels)
    with np.load(medium.save(tokens, None, tmp_path / "samples")) as found:
        np.testing.assert_array_equal(found["image"], levels)
    assert medium.write(tokens, tmp_path / "samples").suffix == ".png"


def test_images_are_augmented_before():
    medium = PixelTokens(ImageMedium((), 0, ("flip",)), (4, 6, 3))
    seen = np.asarray(medium.prepare(KEY, BATCH, True)["tokens"])[:, 1:].reshape(IMAGES.shape)
    mirrored = [np.array_equal(a, b[:, ::-1]) for a, b in zip(seen, IMAGES, strict=True)]
    kept = [np.array_equal(a, b) for a, b in zip(seen, IMAGES, strict=True)]
    assert any(mirrored) and any(kept) and all(np.logical_or(mirrored, kept))


def test_any_set_of_images(tmp_path):
    data = load(data_dir=catalogue.default_data_dir(), images={"name": "digits"})
    assert data.name == "digits" and data.facts["length"] == 64 and len(data.splits["train"]) == 1437
    assert data.medium.describe(data.splits["test"]).startswith("; 0 31, 1 35, ")
    assert data.medium.sheet(data.splits["test"], tmp_path / "sheet").name == "sheet.png"
    with pytest.raises(UserError, match='no prompt such as "7"'):
        data.medium.condition("7", 3)
    with pytest.raises(ConfigError, match="has to name a set of images, and .*sentences"):
        load(data_dir=tmp_path, images={"name": "sentences", "length": 12})
