"""The filters to twice and half the resolution against loops over the paper's own, and against each other."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from aigc_jax.ops.resample import convolve_down, convolve_up, down, up

KEY = jax.random.key(0)
IMAGE = jax.random.normal(KEY, (2, 6, 4, 3))
KERNEL = jax.random.normal(jax.random.key(1), (3, 3, 3, 5))
LAYOUT = ("NHWC", "HWIO", "NHWC")
TAPS = np.outer([1, 3, 3, 1], [1, 3, 3, 1]) / 64


def filtered(x, border, gain=1.0, up=1, down=1):
    """Zeros between pixels and around them, the filter [1, 3, 3, 1] in both directions, every `down`-th value."""
    kernel = jnp.tile(jnp.asarray(gain * TAPS, jnp.float32)[:, :, None, None], (1, 1, 1, x.shape[-1]))
    return lax.conv_general_dilated(
        x, kernel, (down, down), [border] * 2, (up, up), dimension_numbers=LAYOUT, feature_group_count=x.shape[-1]
    )


def slowly_up(x, kernel):
    zeros_between = lax.conv_general_dilated(
        x, kernel[::-1, ::-1].swapaxes(2, 3), (1, 1), [(2, 2)] * 2, (2, 2), dimension_numbers=LAYOUT
    )
    return filtered(zeros_between, (1, 1), gain=4)


def slowly_down(x, kernel):
    return lax.conv_general_dilated(filtered(x, (2, 2)), kernel, (2, 2), "VALID", dimension_numbers=LAYOUT)


def test_filters_are_the_papers():
    np.testing.assert_allclose(up(IMAGE), filtered(IMAGE, (2, 2), gain=4, up=2), atol=1e-6)
    np.testing.assert_allclose(down(IMAGE), filtered(IMAGE, (1, 1), down=2), atol=1e-6)


def test_filters_keep_constants():
    ones = jnp.ones((1, 8, 8, 2))
    np.testing.assert_allclose(up(ones)[:, 1:-1, 1:-1], 1, atol=1e-6)
    np.testing.assert_allclose(down(ones)[:, 1:-1, 1:-1], 1, atol=1e-6)


@pytest.mark.parametrize(
    ("fast", "slow", "kernel"),
    [(convolve_up, slowly_up, KERNEL.swapaxes(2, 3)), (convolve_down, slowly_down, KERNEL)],
)
def test_convolutions_are_the_papers_with_their_gradients(fast, slow, kernel):
    """Values, gradients, and gradients of gradients, which penalties take."""

    def squares(of):
        return lambda x, kernel: jnp.sum(jnp.sin(of(x, kernel)))

    def penalty(of):
        return lambda kernel: jnp.sum(jax.grad(squares(of))(IMAGE, kernel) ** 2)

    def close(one, other):
        assert np.abs(one - other).max() <= 2e-6 * np.abs(other).max()

    close(fast(IMAGE, kernel), slow(IMAGE, kernel))
    for each in zip(*(jax.grad(squares(of), argnums=(0, 1))(IMAGE, kernel) for of in (fast, slow)), strict=True):
        close(*each)
    close(jax.grad(penalty(fast))(kernel), jax.grad(penalty(slow))(kernel))
