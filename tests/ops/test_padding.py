"""What is there is told from what only fills a row."""

import jax.numpy as jnp
import numpy as np
import pytest

from aigc_jax.ops import padding


@pytest.mark.parametrize(
    ("none", "ids", "there"),
    [(0, [3, 0, 5], [True, False, True]), (-1, [3, 0, 0], [True, True, False]), (-100, [3, 0, 0], [True, True, False])],
)
def test_ids_are_split_from_what_stands_for_none(none, ids, there):
    found, known = padding.split(jnp.array([[3, 0, 5 if none == 0 else none]]), none)
    np.testing.assert_array_equal(found, [ids])
    np.testing.assert_array_equal(known, [there])
