"""Levels as tokens: the same levels, in the order of reading."""

import jax
import numpy as np
import pytest

from aigc_jax.codecs.identity import identity
from aigc_jax.codecs.levels import BOS, levels
from aigc_jax.data.fields.pixels import Pixels
from aigc_jax.data.fields.points import Point
from aigc_jax.errors import ConfigError
from aigc_jax.ops.bits import Unit

KEY = jax.random.key(0)
IMAGES = np.random.RandomState(0).randint(0, 256, (5, 4, 6, 3)).astype(np.uint8)


def test_a_token_is_a_level_in_the_order_of_reading():
    field = Pixels((4, 6, 3))
    codec = levels(field.facts)
    tokens = codec.encode(KEY, {}, field.prepare(KEY, IMAGES, True))
    assert tokens.shape == (5, 73) and tokens.dtype == np.int32 and (tokens[:, 0] == BOS).all()
    np.testing.assert_array_equal(tokens[:, 1 + 3 * (2 * 6 + 4) + 1], IMAGES[:, 2, 4, 1])
    assert codec.facts == dict(
        vocabulary=257, length=72, pad=256, bos=256, eos=-1, packed=False, units=(Unit("dim", (1,) * 257),)
    )


@pytest.mark.parametrize("pad", [0, 2])
def test_every_level_comes_back(pad):
    stored = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1)
    field = Pixels((16, 16, 1), pad)
    codec = levels(field.facts)
    tokens = codec.encode(KEY, {}, field.prepare(KEY, stored, False))
    assert tokens.shape == (1, (16 + 2 * pad) ** 2 + 1)
    np.testing.assert_array_equal(field.stored(np.asarray(codec.decode({}, tokens))), stored)


def test_a_point_is_two_tokens():
    points = np.stack(np.meshgrid(np.arange(256), np.arange(256)), -1).reshape(-1, 2).astype(np.uint8)
    field = Point("ring")
    codec = levels(field.facts)
    tokens = codec.encode(KEY, {}, field.prepare(KEY, points, True))
    assert tokens.shape == (len(points), 3) and (tokens[:, 0] == BOS).all()
    np.testing.assert_array_equal(field.stored(np.asarray(codec.decode({}, tokens))), points)


def test_what_has_no_levels_is_refused():
    with pytest.raises(ConfigError, match="codec.name.*not of 256 levels"):
        levels({"shape": (1, 1, 4), "levels": 0})


def test_the_identity_changes_nothing():
    codec = identity({"shape": (2,)})
    assert codec.facts == {"shape": (2,)}
    assert codec.decode({}, codec.encode(KEY, {}, IMAGES)) is IMAGES
