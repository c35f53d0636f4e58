"""Shapes, parameter counts and initial weights of the adversarial networks."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from aigc_jax.errors import ConfigError
from aigc_jax.nn import dcgan, mlp


def count(tree):
    return sum(leaf.size for leaf in jax.tree.leaves(tree))


def test_dcgan_shapes_and_parameter_counts():
    z, images = jnp.zeros((2, 100)), jnp.zeros((2, 28, 28, 1))
    generator, discriminator = dcgan.Generator((28, 28, 1), (128, 64), 0), dcgan.Discriminator((64, 128), 0)
    out, g = jax.eval_shape(generator.init_with_output, jax.random.key(0), z)
    logits, d = jax.eval_shape(discriminator.init_with_output, jax.random.key(0), images)
    assert out.shape == images.shape and logits.shape == (2,)
    assert count(g["params"]) == 100 * 7 * 7 * 128 + 2 * 128 + 16 * 128 * 64 + 2 * 64 + 16 * 64 * 1 + 1
    assert count(d["params"]) == 16 * 1 * 64 + 64 + 16 * 64 * 128 + 2 * 128 + 7 * 7 * 128 + 1
    assert count(g["batch_stats"]) == 2 * (128 + 64) and count(d["batch_stats"]) == 2 * 128


def test_dcgan_at_the_papers_size():
    """Figure 1: 100 -> 4x4x1024 -> 8x8x512 -> 16x16x256 -> 32x32x128 -> 64x64x3."""
    widths = (1024, 512, 256, 128)
    generator = dcgan.Generator((64, 64, 3), widths, 0)
    out, variables = jax.eval_shape(generator.init_with_output, jax.random.key(0), jnp.zeros((2, 100)))
    assert out.shape == (2, 64, 64, 3)
    kernels = sum(16 * a * b for a, b in zip(widths, (*widths[1:], 3), strict=True))
    assert count(variables["params"]) == 100 * 16 * 1024 + kernels + 2 * sum(widths) + 3


def test_dcgan_starts_from_the_papers_weights():
    images, z = jnp.zeros((2, 28, 28, 1)), jnp.zeros((2, 100))
    trees = (
        dcgan.Generator((28, 28, 1), (128, 64), 0).init(jax.random.key(0), z)["params"],
        dcgan.Discriminator((64, 128), 0).init(jax.random.key(1), images)["params"],
    )
    for path, leaf in jax.tree_util.tree_leaves_with_path(trees):
        name = path[-1].key
        centre = 1.0 if name == "scale" else 0.0
        if name == "bias":
            assert (leaf == 0).all()
        else:
            tolerance = 5 / np.sqrt(leaf.size)
            assert abs(leaf.std() / 0.02 - 1) < tolerance and abs(leaf.mean() - centre) < 0.02 * tolerance


def test_training_normalises_by_the_batch_and_inference_by_running_statistics():
    generator = dcgan.Generator((8, 8, 1), (8, 4), 0)
    z = jax.random.normal(jax.random.key(0), (16, 4))
    variables = generator.init(jax.random.key(1), z)
    _, moved = generator.apply(variables, z, train=True, mutable=["batch_stats"])
    grid = z @ variables["params"]["Dense_0"]["kernel"]
    batch_mean = grid.reshape(-1, 8).mean(0)
    running = moved["batch_stats"]["Norm_0"]["BatchNorm_0"]["mean"]
    np.testing.assert_allclose(running, (1 - dcgan.MOMENTUM) * batch_mean, atol=1e-6)
    alone = generator.apply(variables, z[:1])
    np.testing.assert_allclose(alone, generator.apply(variables, z)[:1], atol=1e-6)
    trained, _ = generator.apply(variables, z, train=True, mutable=["batch_stats"])
    assert not np.allclose(trained, generator.apply(variables, z), atol=1e-2)


def test_sizes_that_cannot_be_halved_are_refused():
    with pytest.raises(ConfigError, match="28 × 28 can be halved 2 times: shorten it, or take .* such as 24 or 32"):
        dcgan.Generator((28, 28, 1), (8, 8, 8), 0).init(jax.random.key(0), jnp.zeros((2, 4)))


def test_mlp_shapes_and_parameter_counts():
    generator, discriminator = mlp.Generator((28, 28, 1), (256, 512), 0), mlp.Discriminator((512, 256), 0)
    images, g = jax.eval_shape(generator.init_with_output, jax.random.key(0), jnp.zeros((2, 100)))
    logits, d = jax.eval_shape(discriminator.init_with_output, jax.random.key(0), jnp.zeros((2, 28, 28, 1)))
    assert images.shape == (2, 28, 28, 1) and logits.shape == (2,)
    assert count(g) == 101 * 256 + 257 * 512 + 513 * 784
    assert count(d) == 785 * 512 + 513 * 256 + 257


def test_generators_stay_within_the_range_of_images():
    z = 50 * jax.random.normal(jax.random.key(0), (4, 3))
    for generator in (mlp.Generator((4, 4, 1), (8,), 0), dcgan.Generator((4, 4, 1), (8,), 0)):
        images, _ = generator.init_with_output(jax.random.key(1), z)
        assert images.dtype == jnp.float32 and np.abs(images).max() <= 1
