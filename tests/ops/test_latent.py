"""A walk's points are draws of the law that samples start from."""

import jax
import numpy as np
from scipy import stats

from aigc_jax.ops.latent import walk


def test_every_point_is_a_draw_and_the_ends_are_independent():
    ways = np.stack([walk(jax.random.key(i), 5, (40,)) for i in range(50)])
    assert ways.shape == (50, 5, 40)
    for place in range(5):
        assert stats.kstest(ways[:, place].ravel(), "norm").pvalue > 0.001
    assert abs(np.corrcoef(ways[:, 0].ravel(), ways[:, -1].ravel())[0, 1]) < 0.08
    # Steps of equal angle: neighbours correlate by its cosine.
    neighbours = [np.corrcoef(ways[:, i].ravel(), ways[:, i + 1].ravel())[0, 1] for i in range(4)]
    np.testing.assert_allclose(neighbours, np.cos(np.pi / 8), atol=0.02)
