"""Units and augmentation of images, against NumPy."""

import jax
import jax.numpy as jnp
import numpy as np

from aigc_jax.ops import augment

IMAGES = np.random.RandomState(0).randint(0, 256, (40, 4, 5, 3)).astype(np.uint8)


def test_every_grey_level_survives_a_round_trip():
    levels = np.arange(256, dtype=np.uint8)
    floats = augment.to_float(levels)
    assert floats.dtype == jnp.float32 and floats[0] == -1 and floats[255] == 1
    np.testing.assert_allclose(floats, levels / 127.5 - 1, atol=1e-6)
    np.testing.assert_array_equal(augment.to_uint8(floats), levels)
    assert augment.to_uint8(jnp.array([-3.0, 3.0])).tolist() == [0, 255]


def test_padding_frames_with_black():
    expected = np.pad(IMAGES, ((0, 0), (2, 2), (2, 2), (0, 0)))
    padded = augment.pad(jnp.asarray(IMAGES), 2)
    assert padded.dtype == jnp.uint8
    np.testing.assert_array_equal(padded, expected)
    np.testing.assert_array_equal(augment.pad(jnp.asarray(IMAGES), 0), IMAGES)


def test_a_flip_mirrors_or_leaves():
    flipped = np.asarray(augment.flip(jax.random.key(1), jnp.asarray(IMAGES)))
    kept = (flipped == IMAGES).all((1, 2, 3))
    mirrored = (flipped == IMAGES[:, :, ::-1]).all((1, 2, 3))
    assert (kept ^ mirrored).all() and kept.any() and mirrored.any()


def test_a_flip_draws_for_the_whole_batch_under_pmap():
    devices = min(4, jax.device_count())
    shards = IMAGES.reshape(devices, -1, *IMAGES.shape[1:])
    mapped = jax.pmap(augment.flip, axis_name="batch", in_axes=(None, 0), devices=jax.devices()[:devices])
    whole = augment.flip(jax.random.key(2), jnp.asarray(IMAGES))
    np.testing.assert_array_equal(np.asarray(mapped(jax.random.key(2), shards)).reshape(IMAGES.shape), whole)
