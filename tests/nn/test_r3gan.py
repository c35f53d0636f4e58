"""The networks of R3GAN: sizes, and how they begin."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import traverse_util

from aigc_jax.errors import ConfigError
from aigc_jax.nn import r3gan
from aigc_jax.ops.resample import up

LABELS = {"label": jnp.array([0, 2, 2, 1], jnp.int32)}
NOISE = jax.random.normal(jax.random.key(0), (4, 5))
IMAGES = jax.random.uniform(jax.random.key(1), (4, 8, 8, 1), minval=-1)


def generator(classes=0):
    return r3gan.Generator((8, 8, 1), classes, 4, (2, 1), 2, 4)


def discriminator(classes=0):
    return r3gan.Discriminator(classes, 4, (1, 2), 2, 4)


def count(tree):
    return sum(leaf.size for leaf in jax.tree.leaves(tree))


def block(channels, group):
    wide = 2 * channels
    return 2 * channels * wide + 9 * group * wide + 2 * wide


def test_the_papers_networks_for_cifar10():
    """Four stages of 768 channels from 4x4 to 32x32, two blocks each, groups of 16 channels."""
    net = r3gan.Generator((32, 32, 3), 10, 768, (1, 1, 1, 1), 2, 16)
    label = {"label": jnp.zeros(1, int)}
    images, g = jax.eval_shape(net.init_with_output, jax.random.key(0), jnp.zeros((1, 64)), label)
    embedded = r3gan.EMBEDDED
    begun = (64 + embedded) * 768 + 16 * 768 + 10 * embedded
    assert images.shape == (1, 32, 32, 3)
    assert count(g) == begun + 8 * block(768, 16) + 768 * 3
    net = r3gan.Discriminator(10, 768, (1, 1, 1, 1), 2, 16)
    logits, d = jax.eval_shape(net.init_with_output, jax.random.key(0), images, label)
    assert logits.shape == (1,)
    assert count(d) == 3 * 768 + 8 * block(768, 16) + 16 * 768 + 768 * embedded + 10 * embedded


def test_sides_of_28_fit_and_widths_change_between_stages():
    images, g = jax.eval_shape(
        r3gan.Generator((28, 28, 1), 0, 16, (4, 2, 1), 1, 16).init_with_output, jax.random.key(0), NOISE
    )
    assert images.shape == (4, 28, 28, 1) and images.dtype == jnp.float32
    between = 64 * 32 + 32 * 16
    blocks = sum(block(width, 16) for width in (64, 32, 16))
    assert count(g) == 5 * 64 + 49 * 64 + blocks + between + 16
    with pytest.raises(ConfigError, match="can be halved 2 times"):
        r3gan.Discriminator(0, 4, (1, 1, 1, 1), 1, 4).init(jax.random.key(0), jnp.zeros((1, 28, 28, 1)))
    with pytest.raises(ConfigError, match="has to divide the channels within a block, 8"):
        r3gan.Discriminator(0, 4, (1,), 1, 3).init(jax.random.key(0), IMAGES)


def test_a_block_is_the_identity_at_first_and_passes_a_gradient_on():
    x = jax.random.normal(jax.random.key(0), (2, 5, 5, 8))
    net = r3gan.Block(4, 6, jnp.float32)
    variables = net.init(jax.random.key(1), x)
    np.testing.assert_array_equal(net.apply(variables, x), x)
    slopes = jax.grad(lambda v: jnp.sum(net.apply(v, x) ** 2))(variables)["params"]
    assert np.abs(slopes["narrow"]["kernel"]).max() > 0.1  # what is 0 moves first


def test_weights_within_a_block_are_smaller_in_a_deeper_network():
    """Fix-up, for L blocks of three products: L^(-1/4) of what keeps the variance through the leaky ReLU."""
    x = jnp.zeros((1, 2, 2, 64))
    for depth in (1, 16):
        params = r3gan.Block(16, depth, jnp.float32).init(jax.random.key(0), x)["params"]
        for name, inputs in (("widen", 64), ("groups", 9 * 16)):
            expected = np.sqrt(2 / (1 + r3gan.SLOPE**2) / inputs) * depth**-0.25
            assert params[name]["kernel"].std() == pytest.approx(expected, rel=0.05)
        assert not params["narrow"]["kernel"].any()


def test_a_new_generator_is_linear_in_its_noise():
    """Blocks are identities then: the image is resampled from the grid of the basis."""
    net = generator()
    variables = net.init(jax.random.key(2), NOISE)
    images = net.apply(variables, NOISE)
    np.testing.assert_allclose(net.apply(variables, 3 * NOISE), 3 * images, rtol=1e-4, atol=1e-5)
    params = variables["params"]
    grid = (NOISE @ params["latent"]["kernel"])[:, None, None] * params["basis"]
    expected = up(grid @ params["stages"]["Dense_0"]["kernel"]) @ params["colours"]["kernel"]
    np.testing.assert_allclose(images, expected, rtol=1e-4, atol=1e-5)


def test_grouped_convolutions_of_a_critic_bear_a_penalty_of_its_gradient():
    """Every kernel of a moved critic has a part in R1. (Biases have one through the ReLUs alone: almost nowhere.)"""
    net = discriminator()
    params = net.init(jax.random.key(2), IMAGES)["params"]
    params = jax.tree.map(lambda x: x + 0.1 * jax.random.normal(jax.random.key(3), x.shape), params)

    def penalty(params):
        slope = jax.grad(lambda x: jnp.sum(net.apply({"params": params}, x)))(IMAGES)
        return jnp.mean(jnp.sum(slope**2, axis=(1, 2, 3)))

    slopes = jax.grad(penalty)(params)
    for path, leaf in jax.tree_util.tree_leaves_with_path(slopes):
        if path[-1].key in ("kernel", "basis"):
            assert np.abs(leaf).max() > 1e-6, path


def test_a_label_decides_what_is_generated_and_judged():
    other = {"label": (LABELS["label"] + 1) % 3}
    for net, inputs in ((generator(3), NOISE), (discriminator(3), IMAGES)):
        assert net.reads == ("label",)
        variables = net.init(jax.random.key(2), inputs, LABELS)
        assert np.abs(net.apply(variables, inputs, LABELS) - net.apply(variables, inputs, other)).max() > 1e-3
    assert generator().reads == discriminator().reads == ()


def test_one_kernel_reads_the_noise_and_then_the_label():
    shapes = jax.eval_shape(generator(3).init, jax.random.key(2), NOISE, LABELS)["params"]
    flat = traverse_util.flatten_dict(shapes, sep="/")
    (kernel,) = (leaf for path, leaf in flat.items() if re.search(r3gan.Generator.latent_kernels, path))
    assert kernel.shape == (NOISE.shape[1] + r3gan.EMBEDDED, 8)
