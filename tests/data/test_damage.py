"""Damage against NumPy: what each kind leaves, and that chances are of (seed, split, number) alone."""

import numpy as np
import pytest
from scipy import ndimage

from aigc_jax.data import damage
from aigc_jax.data.damage import damaged
from aigc_jax.data.reduction import grey, small

RANDOM = np.random.default_rng(0).integers(0, 256, (300, 32, 32, 3)).astype(np.uint8)


def test_noise_is_normal_with_a_deviation_of_its_own_for_each_image():
    images = np.full((60, 32, 32, 3), 128, np.uint8)
    images[0] = 255
    found = damaged("noisy", images, range(60), 0, "train").astype(float)
    deviations = (found[1:] - 128).std(axis=(1, 2, 3))
    assert damage.NOISE[0] - 1 < deviations.min() < 25 and 60 < deviations.max() < damage.NOISE[1] + 1
    calm = found[1:][deviations < 40]  # which black and white do not cut off
    values = ((calm - 128) / calm.std(axis=(1, 2, 3), keepdims=True)).ravel()
    assert np.mean(values**4) == pytest.approx(3, abs=0.1), "of a normal law"
    assert found[0].max() == 255 and found[0].min() < 255


def test_blur_is_a_gaussian_of_the_drawn_width():
    """By the sum over neighbours; beyond its edges the image goes on as it ends."""
    image = np.random.default_rng(1).integers(0, 256, (16, 16, 1)).astype(np.uint8)
    deviation = np.random.default_rng(7).uniform(*damage.BLUR) * 16
    offsets = np.arange(-20, 21)
    weights = np.exp(-0.5 * (offsets / deviation) ** 2) * (np.abs(offsets) <= int(4 * deviation + 0.5))
    places = np.clip(np.arange(16)[:, None] + offsets, 0, 15)
    matrix = np.zeros((16, 16))
    np.add.at(matrix, (np.arange(16)[:, None], places), weights / weights.sum())
    expected = matrix @ image[..., 0] @ matrix.T
    found = damage.blurred(image, np.random.default_rng(7))
    np.testing.assert_allclose(found[..., 0], expected, atol=0.51)
    assert np.abs(found.astype(int) - image).max() > 20


def test_boxes_hide_what_is_behind_them_and_nothing_else():
    image = np.full((32, 64, 3), 200, np.uint8)
    counts = []
    for number in range(100):
        (found,) = damaged("masked", image[None], [number], 0, "test")
        hidden = (found != image).any(-1)
        assert np.all(found[hidden] == damage.GREY)
        boxes, count = ndimage.label(hidden)
        counts.append(count)
        for rows, columns in ndimage.find_objects(boxes) if count == 1 and hidden.sum() < 4 * 8 * 2 else ():
            assert hidden[rows, columns].all()
        assert 4 * 8 <= hidden.sum() <= 4 * 12 * 24
    assert set(counts) == {1, 2, 3, 4}


def test_each_kind_is_as_likely_in_a_mixture():
    found = damaged("mixed", RANDOM, range(len(RANDOM)), 0, "train")
    is_grey, is_small = ((found == derive(RANDOM)).all(axis=(1, 2, 3)) for derive in (grey, small))
    boxed = (found == damage.GREY).all(-1).any(axis=(1, 2)) & ((found == RANDOM).all(-1).mean(axis=(1, 2)) > 0.3)
    shares = [kind.mean() for kind in (is_grey, is_small, boxed)]
    np.testing.assert_allclose(shares, 0.2, atol=0.07)
    assert not (is_grey & is_small).any() and not (found == RANDOM).all(axis=(1, 2, 3)).any()


@pytest.mark.parametrize("kind", damage.DAMAGES)
def test_chances_are_of_seed_split_and_number_alone(kind):
    numbers = [5, 3, 8]
    found = damaged(kind, RANDOM[numbers], numbers, 0, "test")
    assert found.shape == (3, 32, 32, 3) and found.dtype == np.uint8
    for image, number in zip(found, numbers, strict=True):
        np.testing.assert_array_equal(image, damaged(kind, RANDOM[[number]], [number], 0, "test")[0])
    whole = damaged(kind, RANDOM[:30], range(30), 0, "test")
    for other in (
        damaged(kind, RANDOM[:30], range(30), 1, "test"),
        damaged(kind, RANDOM[:30], range(30), 0, "train"),
        damaged(kind, RANDOM[:30], range(30, 60), 0, "test"),
    ):
        assert (whole != other).any(axis=(1, 2, 3)).mean() > 0.6
