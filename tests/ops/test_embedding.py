"""The waves have the frequencies of the paper."""

import math

import jax.numpy as jnp
import numpy as np
import pytest

from aigc_jax.ops.embedding import embed_time


@pytest.mark.parametrize("shift", [1, 0])
def test_embedding_of_time(shift):
    found = np.asarray(embed_time(jnp.array([0, 1, 500, 1000]), 16, shift))
    for row, t in enumerate([0, 1, 500, 1000]):
        for i in range(8):
            angle = t / 10_000 ** (i / (8 - shift))
            assert found[row, i] == pytest.approx(math.sin(angle), abs=1e-4)
            assert found[row, 8 + i] == pytest.approx(math.cos(angle), abs=1e-4)


def test_embedding_takes_times_between_steps():
    expected = [math.sin(1.5), math.sin(1.5e-4), math.cos(1.5), math.cos(1.5e-4)]
    np.testing.assert_allclose(embed_time(jnp.array([1.5]), 4)[0], expected, atol=1e-6)
