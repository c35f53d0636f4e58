"""The modulated convolution: its variance, and that it is the one with weights of each example."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from aigc_jax.nn.layers.modulated import EPSILON, ModulatedConv

KEY = jax.random.key(0)
X = jax.random.normal(jax.random.key(1), (4, 16, 16, 24))
STYLE = 2 * jax.random.normal(jax.random.key(2), (4, 10))


def test_demodulated_outputs_have_variance_one_whatever_the_style():
    """For inputs of N(0, 1), away from the border (section 2.2); without demodulation the style decides."""
    layer = ModulatedConv(32)
    params = layer.init(KEY, X, STYLE)
    plain = ModulatedConv(32, demodulate=False)
    for scale in (0.1, 1.0, 30.0):
        inside = layer.apply(params, X, scale * STYLE)[:, 1:-1, 1:-1]
        np.testing.assert_allclose(inside.std(axis=(1, 2, 3)), 1, atol=0.12)
    weak, strong = (plain.apply(params, X, scale * STYLE)[:, 1:-1, 1:-1].std() for scale in (1.0, 30.0))
    assert strong > 10 * weak


@pytest.mark.parametrize("demodulate", [True, False])
def test_it_is_the_convolution_with_scaled_weights(demodulate):
    layer = ModulatedConv(5, demodulate=demodulate)
    params = layer.init(KEY, X, STYLE)
    style, kernel = params["params"]["style"], params["params"]["kernel"] / np.sqrt(9 * X.shape[-1])
    y = layer.apply(params, X, STYLE)
    for i in range(len(X)):
        scales = STYLE[i] @ style["kernel"] / np.sqrt(STYLE.shape[-1]) + style["bias"]
        weights = kernel * scales[:, None]
        if demodulate:
            weights = weights / jnp.sqrt(jnp.sum(weights**2, axis=(0, 1, 2)) + EPSILON)
        own = lax.conv_general_dilated(
            X[i : i + 1], weights, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
        )
        np.testing.assert_allclose(y[i], own[0], atol=1e-5)


def test_a_style_scales_by_one_at_first():
    params = ModulatedConv(5).init(KEY, X, STYLE)
    assert (params["params"]["style"]["bias"] == 1).all()
