"""The U-Net's size, shapes, embedding of time, and start at zero."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax.traverse_util import flatten_dict

from aigc_jax.nn.unet import UNet


def shapes(net, image):
    return jax.eval_shape(
        lambda key: net.init(key, jnp.zeros((2, *image)), jnp.zeros(2, jnp.int32), train=False),
        jax.random.key(0),
    )["params"]


def size(tree):
    return sum(leaf.size for leaf in jax.tree.leaves(tree))


def small(**changes):
    settings = dict(channels=8, multipliers=(1, 2), blocks=1, attention=(4,), dropout=0.5, groups=4, label_classes=0)
    return UNet(**{**settings, **changes})


def filled(net, image):
    """Variables whose every parameter is drawn at random, so that nothing is zero."""
    rng = np.random.default_rng(0)
    return {"params": jax.tree.map(lambda leaf: np.float32(0.2 * rng.normal(size=leaf.shape)), shapes(net, image))}


@pytest.fixture(scope="module")
def variables():
    return filled(small(), (8, 8, 1))


@pytest.fixture(scope="module")
def apply(variables):
    return jax.jit(lambda x, t: small().apply(variables, x, t, train=False))


def test_the_paper_s_model_for_cifar_has_its_parameters():
    net = UNet(128, (1, 2, 2, 2), 2, (16,), 0.1, 32, 0)
    assert size(shapes(net, (32, 32, 3))) == 35_746_307


def test_the_paper_s_model_for_large_images_has_its_parameters():
    # appendix B: 114 million, for LSUN and CelebA-HQ at 256 x 256
    net = UNet(128, (1, 1, 2, 2, 4, 4), 2, (16,), 0.0, 32, 0)
    assert size(shapes(net, (256, 256, 3))) == pytest.approx(114e6, rel=0.005)


def test_attention_is_at_the_named_heights_only():
    def attentive(**changes):
        params = flatten_dict(shapes(small(multipliers=(1, 1, 1), **changes), (16, 16, 1)))
        return {path[0] for path in params if "attention" in path[0]}

    assert attentive(attention=()) == {"middle_0_attention"}
    assert attentive(attention=(8,)) == {
        "down_1_0_attention", "middle_0_attention", "up_1_0_attention", "up_1_1_attention",
    }  # fmt: skip
    assert len(attentive(attention=(16, 8, 4))) == 3 + 1 + 6


def test_output_and_residual_branches_are_zero_before_training():
    net, x = small(multipliers=(1,)), jax.random.normal(jax.random.key(0), (2, 4, 4, 3))
    output, variables = jax.jit(lambda key: net.init_with_output(key, x, jnp.array([3, 4]), train=False))(
        jax.random.key(1)
    )
    assert output.shape == x.shape
    assert not output.any()
    params = variables["params"]
    assert not params["down_0_0"]["Conv_1"]["kernel"].any()
    assert not params["middle_0_attention"]["out"]["kernel"].any()
    assert params["down_0_0"]["Conv_0"]["kernel"].any()


def test_output_depends_on_time_and_rows_do_not_meet(apply):
    x = jax.random.normal(jax.random.key(0), (3, 8, 8, 1))
    base = apply(x, jnp.array([10, 10, 10]))
    moved = apply(x.at[1].add(1.0), jnp.array([10, 10, 700]))
    np.testing.assert_allclose(moved[0], base[0], atol=1e-5)
    assert np.abs(moved[1] - base[1]).max() > 1e-3
    assert np.abs(moved[2] - base[2]).max() > 1e-3


def test_dropout_is_drawn_from_its_key():
    net = small(multipliers=(1,))
    variables = filled(net, (4, 4, 1))
    x, t = jax.random.normal(jax.random.key(0), (1, 4, 4, 1)), jnp.array([5])
    train = jax.jit(lambda key: net.apply(variables, x, t, train=True, rngs={"dropout": key}))
    first, second, again = (train(jax.random.key(k)) for k in (0, 1, 0))
    assert not np.allclose(first, second)
    np.testing.assert_array_equal(first, again)


def test_half_precision_keeps_parameters_and_output_in_float32(variables, apply):
    half = small(dtype=jnp.bfloat16)
    x, t = jax.random.normal(jax.random.key(0), (3, 8, 8, 1)), jnp.array([5, 50, 500])
    assert all(leaf.dtype == jnp.float32 for leaf in jax.tree.leaves(shapes(half, (8, 8, 1))))
    output = jax.jit(lambda x, t: half.apply(variables, x, t, train=False))(x, t)
    exact = apply(x, t)
    assert output.dtype == jnp.float32
    assert 0 < np.abs(output - exact).max() < 0.1 * np.abs(exact).max()


def test_heights_that_halve_to_odd_numbers():
    net = small(multipliers=(1, 1, 1), attention=())
    output = jax.eval_shape(
        lambda key: net.init_with_output(key, jnp.zeros((2, 28, 28, 1)), jnp.zeros(2), train=False)[0],
        jax.random.key(0),
    )
    assert output.shape == (2, 28, 28, 1)
