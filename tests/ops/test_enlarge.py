"""Enlarging against Pillow's bicubic filter."""

import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from aigc_jax.ops.enlarge import enlarged, enlarged_levels, fits


def by_pillow(channel, size):
    return np.asarray(Image.fromarray(channel.astype(np.float32)).resize(size[::-1], Image.Resampling.BICUBIC))


@pytest.mark.parametrize("size", [(16, 24), (12, 18)])
def test_values_are_those_of_pillow(size):
    small = np.random.default_rng(0).normal(size=(2, 4, 6, 3)).astype(np.float32)
    found = enlarged(jnp.asarray(small), size)
    assert found.shape == (2, *size, 3)
    for i in range(2):
        for c in range(3):
            np.testing.assert_allclose(found[i, :, :, c], by_pillow(small[i, :, :, c], size), atol=2e-5)


def test_an_image_of_that_size_stays_to_the_last_bit():
    image = jnp.asarray(np.random.default_rng(0).normal(size=(1, 4, 4, 1)), jnp.float32)
    assert enlarged(image, (4, 4)) is image


def test_levels_are_rounded_and_cut_off():
    small = np.array([[0, 255, 0, 255]] * 4, np.uint8)[None, :, :, None]
    expected = by_pillow(small[0, :, :, 0], (16, 16))
    assert expected.min() < -1 and expected.max() > 256, "the filter goes beyond"
    found = np.asarray(enlarged_levels(small, (16, 16)))[0, :, :, 0]
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, np.rint(expected).clip(0, 255))


def test_one_whole_factor_fits():
    assert fits((4, 6, 1), (8, 12, 3)) and fits((4, 4), (4, 4))
    assert not any(fits(small, (8, 8)) for small in ((3, 3), (4, 8), (16, 16), (8, 4)))
