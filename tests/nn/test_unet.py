"""The U-Net's size, shapes, embedding of time, and start at zero, and the options of ADM."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax.traverse_util import flatten_dict

from aigc_jax.errors import Unfit
from aigc_jax.nn.unet import UNet

ADM = dict(
    head_width=64, modulation=True, resampling="block", frequency_shift=0, epsilon=1e-5, learned_variance=True
)  # fmt: skip


def shapes(net, image):
    given = {"label": jnp.zeros(2, jnp.int32)} if net.label_classes else None
    return jax.eval_shape(
        lambda key: net.init(key, jnp.zeros((2, *image)), jnp.zeros(2, jnp.int32), given, train=False),
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


@pytest.mark.parametrize(
    ("image", "channels", "multipliers", "blocks", "millions"),
    [
        (64, 192, (1, 2, 3, 4), 3, 296),
        (128, 256, (1, 1, 2, 3, 4), 2, 422),
        (256, 256, (1, 1, 2, 2, 4, 4), 2, 554),
    ],
)
def test_adm_has_the_parameters_of_the_paper(image, channels, multipliers, blocks, millions):
    """arXiv:2105.05233: ImageNet at three sizes, with classes, to the million."""
    net = UNet(channels, multipliers, blocks, (32, 16, 8), 0.1, 32, 1000, **ADM)
    assert round(size(shapes(net, (image, image, 3))) / 1e6) == millions


def adm(**changes):
    options = {**ADM, "head_width": 4, "rescale": True}
    return small(**{"label_classes": 3, "dropout": 0.0, **options, **changes})


def test_adm_begins_at_zero_and_every_weight_gets_a_gradient():
    net, image = adm(attention=()), (8, 8, 2)
    x, t = jax.random.normal(jax.random.key(0), (2, *image)), jnp.array([3.0, 700.0])
    given, weight = {"label": jnp.array([0, 2])}, jax.random.normal(jax.random.key(1), (2, 8, 8, 4))

    def loss(params):
        y = net.apply({"params": params}, x, t, given, train=True, variance=True)
        return jnp.sum(weight * y), y

    gradient = jax.jit(jax.value_and_grad(loss, has_aux=True))
    params = filled(net, image)["params"]
    (_, output), grads = gradient(params)
    assert output.shape == (2, 8, 8, 4) and output.dtype == jnp.float32
    still = {path for path, leaf in flatten_dict(grads, sep="/").items() if not np.abs(leaf).max() > 1e-4}
    # What is added to all keys of a head changes no weight of the attention.
    assert still == {path for path in flatten_dict(grads, sep="/") if path.endswith("key/bias")}
    begun = jax.jit(net.init, static_argnames="train")(jax.random.key(2), x, t, given, train=False)["params"]
    assert not gradient(begun)[0][1].any()
    assert begun["shrink_1"]["Conv_0"]["kernel"].any() and not begun["shrink_1"]["Conv_1"]["kernel"].any()


def test_a_label_that_is_not_kept_is_not_read_and_the_means_are_the_first_outputs():
    net = adm(multipliers=(1,), attention=())
    variables = filled(net, (4, 4, 1))
    x, t = jnp.ones((2, 4, 4, 1)), jnp.array([5, 5])

    @jax.jit
    def apply(labels, kept):
        both = net.apply(variables, x, t, {"label": labels}, kept, train=False, variance=True)
        return net.apply(variables, x, t, {"label": labels}, kept, train=False), both

    kept = jnp.array([True, False])
    means, both = apply(jnp.array([0, 0]), kept)
    np.testing.assert_array_equal(means, both[..., :1])
    others, _ = apply(jnp.array([1, 1]), kept)
    assert np.abs(others[0] - means[0]).max() > 1e-3
    np.testing.assert_array_equal(others[1], means[1])
    nothing = jax.jit(lambda: net.apply(variables, x, t, train=False))()
    np.testing.assert_allclose(nothing[1], means[1], atol=1e-6)


def test_zeros_before_an_image_are_those_after_it_in_a_mirror(apply, variables):
    """Where a kernel is turned with its image, convolutions of stride 1 agree, and so has to what halves."""
    turned = jax.tree.map(lambda x: x[::-1, ::-1] if x.ndim == 4 else x, variables)
    before = jax.jit(lambda x, t: small(border="before").apply(turned, x, t, train=False))
    x, t = jax.random.normal(jax.random.key(0), (3, 8, 8, 1)), jnp.array([10, 10, 700])
    expected = apply(x, t)
    np.testing.assert_allclose(before(x[:, ::-1, ::-1], t)[:, ::-1, ::-1], expected, atol=1e-4)
    assert np.abs(before(x, t) - expected).max() > 1e-2


def test_cosines_first_are_the_same_numbers_in_another_order(apply, variables):
    params = dict(variables["params"])
    params["time_1"] = {**params["time_1"], "kernel": np.roll(params["time_1"]["kernel"], 4, axis=0)}
    x, t = jax.random.normal(jax.random.key(0), (3, 8, 8, 1)), jnp.array([1, 10, 700])
    other = jax.jit(lambda x, t: small(cosines_first=True).apply({"params": params}, x, t, train=False))
    np.testing.assert_allclose(other(x, t), apply(x, t), atol=1e-5)


def test_attention_by_level_is_that_by_height():
    by_height = shapes(small(attention=(4,)), (8, 16, 1))
    assert shapes(small(attention=(1,), attention_by="level"), (8, 16, 1)) == by_height
    none = shapes(small(attention=(), middle_attention=False), (8, 16, 1))
    assert not [name for name in none if "attention" in name]


@pytest.mark.parametrize(
    ("changes", "field", "said"),
    [
        (dict(multipliers=(1, 1, 1, 1, 1)), "multipliers", "those of 8 × 8 can be halved 3 times"),
        (dict(attention=(5,)), "attention", "names heights, of which there are 8, 4; "),
        (dict(attention=(2,), attention_by="level"), "attention", "names levels, of which there are 0, 1; "),
        (dict(head_width=6), "head_width", "has to divide the channels of level 1, 16"),
        (dict(head_width=16, attention=(8,)), "head_width", "has to divide the channels of level 0, 8"),
        (dict(groups=3), "groups", "has to divide the channels of the finest level, 8"),
        (dict(patch=3), "patch", "divides not both sides of images of 8 x 8"),
    ],
)
def test_what_does_not_fit_is_said_in_one_line(changes, field, said):
    with pytest.raises(Unfit, match=said) as raised:
        shapes(small(**changes), (8, 8, 1))
    assert raised.value.field == field and "\n" not in str(raised.value)
