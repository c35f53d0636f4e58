"""The pool against the rule of the paper, written as a loop over images, and the same over devices."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from aigc_jax.ops import batch
from aigc_jax.ops.image_pool import Pool, empty, exchanged

KEY = jax.random.key(0)
SIZE = 4


def numbered(first, count):
    """Images that are each full of their number."""
    return jnp.broadcast_to(jnp.arange(first, first + count, dtype=jnp.float32)[:, None, None, None], (count, 2, 2, 1))


def numbers(images):
    return np.asarray(images)[:, 0, 0, 0].astype(int).tolist()


def test_images_fill_the_pool_and_are_shown_as_they_come():
    shown, pool = exchanged(KEY, empty(SIZE, numbered(0, 1)), numbered(1, 3))
    assert numbers(shown) == [1, 2, 3]
    assert numbers(pool.held) == [1, 2, 3, 0] and pool.filled == 3


def test_every_image_is_shown_once_or_still_held():
    """What comes in goes out, or stays: of all images none is lost but those that are shown as they come."""
    pool, seen = empty(SIZE, numbered(0, 1)), []
    for step in range(12):
        shown, pool = exchanged(jax.random.fold_in(KEY, step), pool, numbered(1 + 3 * step, 3))
        fresh = set(range(1 + 3 * step, 4 + 3 * step))
        seen += numbers(shown)
        old = [number for number in numbers(shown) if number not in fresh]
        assert len(set(old)) == len(old)
    filling = seen[:SIZE]
    assert filling == [1, 2, 3, 4]
    later = seen[SIZE:]
    assert len(set(later)) == len(later), "an image that was shown from the pool has left it"
    assert set(later) | set(numbers(pool.held)) == set(range(1, 37))
    assert not set(later) & set(numbers(pool.held))


def test_half_of_the_images_are_old_ones_from_anywhere_in_the_pool():
    full = Pool(numbered(0, SIZE), jnp.int32(SIZE))
    keys = jax.random.split(KEY, 2000)
    shown, pools = jax.vmap(lambda key: exchanged(key, full, numbered(9, 1)))(keys)
    shown = np.asarray(shown)[:, 0, 0, 0, 0].astype(int)
    counts = np.bincount(shown, minlength=10)
    assert counts[9] / 2000 == pytest.approx(1 / 2, abs=0.05)
    np.testing.assert_allclose(counts[:SIZE] / 2000, 1 / 8, atol=0.035)
    taken = np.asarray(pools.held)[:, :, 0, 0, 0] == 9
    np.testing.assert_array_equal(taken.sum(1), shown != 9)


def test_devices_have_equal_copies_of_the_pool_of_one():
    devices = 4
    images = {"image": numbered(1, 8), "beside": -numbered(1, 8)}
    pool, parts = empty(SIZE, images), jax.tree.map(lambda x: x.reshape(devices, 2, *x.shape[1:]), images)
    mapped = jax.pmap(
        lambda pool, part: exchanged(KEY, pool, part),
        axis_name=batch.AXIS,
        in_axes=(None, 0),
        devices=jax.devices()[:devices],
    )
    shown, pools = mapped(pool, parts)
    expected, one = exchanged(KEY, pool, images)
    for name in images:
        np.testing.assert_array_equal(np.asarray(shown[name]).reshape(images[name].shape), expected[name])
        for device in range(devices):
            np.testing.assert_array_equal(pools.held[name][device], one.held[name])
    np.testing.assert_array_equal(expected["beside"], -expected["image"])
