"""Sines and rotations of a grid, against their formulas one place at a time."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from aigc_jax.ops import positions

HEIGHT, WIDTH = 3, 5
PLACES = [(row, column) for row in range(HEIGHT) for column in range(WIDTH)]


def test_sines_of_a_line():
    found = positions.line_sines(jnp.array([0, 3, 700]), 6)
    for vector, place in zip(found, (0, 3, 700), strict=True):
        angles = [place / 10_000 ** (2 * i / 6) for i in range(3)]
        np.testing.assert_allclose(vector, [*map(math.sin, angles), *map(math.cos, angles)], atol=1e-4)


def test_a_grid_has_its_columns_first():
    found = positions.grid_sines(HEIGHT, WIDTH, 8)
    assert found.shape == (HEIGHT * WIDTH, 8)
    for vector, (row, column) in zip(found, PLACES, strict=True):
        expected = [f(place * w) for place in (column, row) for f in (math.sin, math.cos) for w in (1, 0.01)]
        np.testing.assert_allclose(vector, expected, atol=1e-6)


def test_rotation_is_a_product_with_complex_numbers():
    x = np.random.default_rng(0).normal(size=(2, HEIGHT * WIDTH, 3, 8)).astype(np.float32)
    found = np.asarray(positions.rotate(x, positions.grid_angles(HEIGHT, WIDTH, 8)))
    for place, (row, column) in enumerate(PLACES):
        turns = np.exp(1j * np.array([row, row / 10, column, column / 10]))
        expected = (x[:, place, :, :4] + 1j * x[:, place, :, 4:]) * turns
        np.testing.assert_allclose(found[:, place, :, :4] + 1j * found[:, place, :, 4:], expected, atol=1e-5)


def test_products_of_turned_vectors_depend_on_the_way_from_place_to_place():
    query, key = jax.random.normal(jax.random.key(0), (2, 1, 1, 1, 8))
    every = jnp.ones((1, HEIGHT * WIDTH, 1, 1))
    angles = positions.grid_angles(HEIGHT, WIDTH, 8)
    queries, keys = positions.rotate(query * every, angles), positions.rotate(key * every, angles)
    products = np.asarray(queries[0, :, 0] @ keys[0, :, 0].T)
    by_way: dict[tuple[int, int], list[float]] = {}
    for one, (row, column) in enumerate(PLACES):
        for two, (other, another) in enumerate(PLACES):
            by_way.setdefault((row - other, column - another), []).append(products[one, two])
    assert max(np.ptp(each) for each in by_way.values()) < 1e-4
    assert np.std([np.mean(each) for each in by_way.values()]) > 0.1


def bucket(offset, both, buckets, farthest):
    """Of one key minus its query, as section 2.1 of T5's paper has it, in float64."""
    first = 0
    if both:
        buckets //= 2
        first = buckets if offset > 0 else 0
        distance = abs(offset)
    else:
        distance = max(-offset, 0)
    single = buckets // 2
    if distance < single:
        return first + distance
    share = math.log(distance / single) / math.log(farthest / single)
    return first + min(single + math.floor(share * (buckets - single)), buckets - 1)


@pytest.mark.parametrize("both", [True, False])
@pytest.mark.parametrize(("buckets", "farthest"), [(32, 128), (8, 20), (4, 6)])
def test_relative_buckets(both, buckets, farthest):
    offsets = np.arange(-200, 201)
    found = np.asarray(positions.relative_buckets(jnp.asarray(offsets), both, buckets, farthest))
    expected = [bucket(offset, both, buckets, farthest) for offset in offsets.tolist()]
    np.testing.assert_array_equal(found, expected)
    assert set(found.tolist()) == set(range(buckets)) - ({buckets // 2} if both else set())


def test_angles_of_a_line():
    """Of any shape; a period of its own."""
    found = positions.line_angles(jnp.array([[0, 3], [700, 5]]), 6, 500.0)
    expected = [[[place / 500 ** (2 * i / 6) for i in range(3)] for place in row] for row in ((0, 3), (700, 5))]
    np.testing.assert_allclose(found, expected, rtol=1e-5)
