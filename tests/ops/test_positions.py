"""Sines and rotations of a grid, against their formulas one place at a time."""

import math

import jax
import jax.numpy as jnp
import numpy as np

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
