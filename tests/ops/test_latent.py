"""A walk's points are draws of the law that samples start from."""

import jax
import numpy as np
from scipy import stats

from aigc_jax.ops.latent import arc, line, walk


def test_every_point_is_a_draw_and_the_ends_are_independent():
    ways = np.stack([walk(jax.random.key(i), 5, (40,)) for i in range(50)])
    assert ways.shape == (50, 5, 40)
    for place in range(5):
        assert stats.kstest(ways[:, place].ravel(), "norm").pvalue > 0.001
    assert abs(np.corrcoef(ways[:, 0].ravel(), ways[:, -1].ravel())[0, 1]) < 0.08
    # Steps of equal angle: neighbours correlate by its cosine.
    neighbours = [np.corrcoef(ways[:, i].ravel(), ways[:, i + 1].ravel())[0, 1] for i in range(4)]
    np.testing.assert_allclose(neighbours, np.cos(np.pi / 8), atol=0.02)


def test_ways_start_and_end_where_they_say():
    start, end = np.random.RandomState(0).randn(2, 3, 4).astype(np.float32)
    for way in map(np.asarray, (arc(start, end, 7), line(start, end, 7))):
        assert way.shape == (7, 3, 4)
        np.testing.assert_allclose(way[[0, -1]], [start, end], atol=1e-6)
    np.testing.assert_allclose(arc(start, end, 7)[3], (start + end) / np.sqrt(2), atol=1e-6)
    np.testing.assert_allclose(line(start, end, 7)[3], (start + end) / 2, atol=1e-6)
