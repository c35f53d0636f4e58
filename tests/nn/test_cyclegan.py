"""The ResNet generator: its layers as the paper lists them, its borders, and its halvings by definition."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from aigc_jax.errors import Unfit
from aigc_jax.nn.cyclegan import Generator, Strided
from aigc_jax.ops.kernels.strided import double, halve

KEY = jax.random.key(0)


@pytest.mark.parametrize("blocks, millions", [(6, 7.8), (9, 11.4)])
def test_the_sizes_of_the_paper(blocks, millions):
    """c7s1-64, d128, d256, R256 …, u128, u64, c7s1-3 (appendix 7.2), by kernels, and a scale and bias a channel."""
    image = jax.ShapeDtypeStruct((1, 256, 256, 3), jnp.float32)
    net = Generator(shape=(256, 256, 3), channels=64, blocks=blocks)
    variables = jax.eval_shape(lambda x: net.init(KEY, x, to="y"), image)
    size = sum(leaf.size for leaf in jax.tree.leaves(variables["params"]))
    kernels = 49 * 3 * 64 * 2 + 9 * (64 * 128 + 128 * 256) * 2 + blocks * 2 * 9 * 256 * 256
    assert size == kernels + 2 * (64 + 128 + 256 + 128 + 64 + blocks * 2 * 256) + 3
    assert size / 1e6 == pytest.approx(millions, abs=0.1)


def test_a_halving_and_a_doubling_are_those_of_3_by_3_kernels():
    """out[i] = Σ k[a] x[2i + a - 1], and its transpose, for each row and column."""
    x = np.asarray(jax.random.normal(KEY, (1, 4, 4, 1)))
    net = Strided(1, halve, jnp.float32)
    variables = net.init(KEY, x)
    kernel = np.asarray(variables["params"]["kernel"])[:, :, 0, 0]
    padded, expected = np.pad(x[0, :, :, 0], 1), np.zeros((2, 2))
    for i, j in np.ndindex(2, 2):
        expected[i, j] = (padded[2 * i : 2 * i + 3, 2 * j : 2 * j + 3] * kernel).sum()
    np.testing.assert_allclose(net.apply(variables, x)[0, :, :, 0], expected, atol=1e-6)

    found = Strided(1, double, jnp.float32).apply(variables, x)[0, :, :, 0]
    spread = np.zeros((10, 10))
    for i, j in np.ndindex(4, 4):
        spread[2 * i : 2 * i + 3, 2 * j : 2 * j + 3] += x[0, i, j, 0] * kernel
    np.testing.assert_allclose(found, spread[1:9, 1:9], atol=1e-6)


def test_borders_are_reflected():
    """A constant image stays constant, up to its borders: the borders of zeros would show."""
    net = Generator(shape=(16, 16, 1), channels=2, blocks=1)
    noise = jax.random.normal(KEY, (1, 16, 16, 3))
    variables = net.init(KEY, noise, to="y")
    # Doublings have borders of zeros in the paper too: without them, the first convolution and the block.
    stripes = jnp.tile(noise[:, :1], (1, 16, 1, 1))
    first = net.apply(variables, stripes, to="y", capture_intermediates=True)[1]["intermediates"]["y"]
    found = np.asarray(first["Conv_0"]["__call__"][0])
    np.testing.assert_allclose(found, np.broadcast_to(found[:, :1], found.shape), atol=1e-5)


def test_images_that_cannot_be_halved_twice_are_refused():
    net = Generator(shape=(6, 6, 1), channels=2, blocks=0)
    with pytest.raises(Unfit, match="can be halved 1 times"):
        net.init(KEY, jnp.zeros((1, 6, 6, 1)), to="y")
