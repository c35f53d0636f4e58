"""EDM2's U-Net: its size, its magnitudes, its start at zero, and what scaling and normalizing weights leave alone."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax.traverse_util import flatten_dict, unflatten_dict

from aigc_jax.errors import ConfigError, Unfit
from aigc_jax.nn.edm2 import Block, UNet
from aigc_jax.nn.layers import magnitude
from aigc_jax.ops.optimizer import optimizer

IMAGE = (8, 8, 3)
SETTINGS = dict(
    channels=8, multipliers=(1, 2), blocks=0, attention=(4,), head_width=4, dropout=0.5, label_classes=5
)  # fmt: skip
ADAM = dict(
    learning_rate=0.01, schedule="constant", warmup_steps=0, reference_steps=1, b1=0.9, b2=0.99, eps=1e-8,
    weight_decay=0.0, clip_norm=0.0, unit_norm="kernel",
)  # fmt: skip


def small(**changes):
    return UNet(**{**SETTINGS, **changes})


def inputs(rows=3, image=IMAGE):
    x = jax.random.normal(jax.random.key(5), (rows, *image))
    return x, jnp.linspace(-900.0, 900.0, rows), {"label": jnp.arange(rows) % 5}


def shapes(net, image):
    return jax.eval_shape(
        lambda key: net.init(key, jnp.zeros((2, *image)), jnp.zeros(2), train=False), jax.random.key(0)
    )


@pytest.fixture(scope="module")
def variables():
    """Where nothing is zero: gains are 1 / 2."""
    start = jax.jit(lambda key: small().init(key, *inputs(), train=False))(jax.random.key(0))
    return {**start, "params": jax.tree.map(lambda x: x if x.ndim else jnp.float32(0.5), start["params"])}


@functools.cache
def program(**changes):
    net = small(**changes)
    return jax.jit(lambda variables, *given: net.apply(variables, *given, train=False))


def test_edm2_s_for_imagenet_has_the_parameters_of_the_paper():
    """Table 2 has 280 million for the size S. Counted are all trained weights, without a head for uncertainty."""
    net = UNet(192, (1, 2, 3, 4), 3, (16, 8), 64, 0.0, 1000)
    count = sum(leaf.size for leaf in jax.tree.leaves(shapes(net, (64, 64, 3))["params"]))
    assert count == 280_209_253


def test_every_block_keeps_the_magnitude_of_its_input():
    """The claim of section 2.3, of random weights. Attention takes means over positions, which are less than 1."""
    net = UNet(64, (1, 2), 1, (), 32, 0.0, 5)
    x, t, given = inputs(2, (16, 16, 3))

    @jax.jit
    def magnitudes(key):
        blocks = lambda module, _: isinstance(module, Block)  # noqa: E731
        _, found = net.init_with_output(key, x, t, given, train=False, capture_intermediates=blocks)
        return {name: jnp.sqrt(jnp.mean(each["__call__"][0] ** 2)) for name, each in found["intermediates"].items()}

    found = [magnitudes(jax.random.key(seed)) for seed in range(4)]
    assert len(found[0]) == 2 * 1 + 1 + 2 + 2 * 2 + 1
    means = {name: float(np.mean([each[name] for each in found])) for name in found[0]}
    assert all(0.9 < mean < 1.1 for mean in means.values()), means


def test_functions_keep_the_magnitude_of_normal_numbers():
    a, b = (jax.random.normal(jax.random.key(i), (2000, width)) for i, width in ((0, 30), (1, 90)))
    share_of_b = magnitude.join(jnp.zeros_like(a), b, 0.3)
    rms = lambda x: np.sqrt(np.mean(np.square(x)))  # noqa: E731
    for found in (
        magnitude.silu(a),
        magnitude.blend(a, b[:, :30], 0.3),
        magnitude.join(a, b),
        magnitude.join(a, b, 0.3),
    ):
        assert rms(found) == pytest.approx(1, abs=0.01)
    # |share b|² over the whole, times the 120 values of both
    assert np.sum(np.square(share_of_b)) / 2000 == pytest.approx(120 * 0.3**2 / (0.3**2 + 0.7**2), rel=0.02)
    features = magnitude.Fourier(400)
    t = jnp.linspace(-2, 2, 50)
    found, variables = features.init_with_output(jax.random.key(0), t)
    assert rms(found) == pytest.approx(1, abs=0.02)
    # E cos(2π f a + φ) cos(2π f b + φ) · 2 = exp(-(2π (a - b))² / 2) for f of N(0, 1)
    many, _ = magnitude.Fourier(40_000).init_with_output(jax.random.key(1), jnp.array([0.3, 0.4]))
    assert np.mean(many[0] * many[1]) == pytest.approx(np.exp(-((2 * np.pi * 0.1) ** 2) / 2), abs=0.02)
    assert set(variables) == {"fourier"}, "nothing to train"


def test_the_output_is_zero_before_training_and_every_weight_has_a_gradient_after_one_step():
    net, given = small(multipliers=(2,), blocks=1, attention=()), inputs(2, (4, 4, 3))
    tx = optimizer("adam", 10, **ADAM)
    rest = jax.jit(lambda key: net.init(key, *given, train=False))(jax.random.key(0))
    params = rest.pop("params")
    target = jax.random.normal(jax.random.key(9), given[0].shape)

    def loss(params):
        output = net.apply({"params": params, **rest}, *given, train=True, rngs={"dropout": jax.random.key(1)})
        return jnp.mean((output - target) ** 2), output

    grad = jax.jit(jax.grad(loss, has_aux=True))
    state = tx.init(params)
    grads, output = grad(params)
    assert not output.any() and output.shape == target.shape
    # The output's gain is the first to move, then all that it shows, and then what their gains show.
    for _ in range(2):
        updates, state = tx.update(grads, state, params)
        params = optax.apply_updates(params, updates)
        grads, output = grad(params)
    assert output.any()
    still = [
        path for path, each in flatten_dict(grads, sep="/").items() if not (jnp.isfinite(each).all() and each.any())
    ]
    assert not still


def test_scaling_a_weight_leaves_the_output_unchanged(variables):
    apply, given = program(), inputs()
    base = apply(variables, *given)
    assert np.abs(base).max() > 0.1
    flat = flatten_dict(variables["params"])
    for path, weight in flat.items():
        if weight.ndim:
            scaled = unflatten_dict({**flat, path: 3.7 * weight})
            np.testing.assert_allclose(
                apply({**variables, "params": scaled}, *given), base, atol=2e-5, err_msg=str(path)
            )
    turned = unflatten_dict({**flat, ("in", "kernel"): flat["in", "kernel"][::-1]})
    assert np.abs(apply({**variables, "params": turned}, *given) - base).max() > 1e-3, "it does read its weights"


def test_forced_norms_are_1_and_the_output_is_that_of_the_plain_step(variables):
    params = variables["params"]
    grads = jax.tree.map(lambda x: jax.random.normal(jax.random.key(x.size), x.shape), params)

    def stepped(**changes):
        tx = optimizer("adam", 10, **{**ADAM, **changes})
        updates, _ = tx.update(grads, tx.init(params), params)
        return optax.apply_updates(params, updates)

    forced, plain = jax.jit(stepped)(), jax.jit(lambda: stepped(unit_norm=""))()
    for path, weight in flatten_dict(forced).items():
        if weight.ndim:
            np.testing.assert_allclose(
                np.mean(np.square(weight), axis=tuple(range(weight.ndim - 1))), 1, rtol=1e-5, err_msg=str(path)
            )
    np.testing.assert_array_equal(forced["gain"], plain["gain"])
    outputs = [program()({**variables, "params": each}, *inputs()) for each in (forced, plain, params)]
    np.testing.assert_allclose(outputs[0], outputs[1], atol=2e-5)
    assert np.abs(outputs[0] - outputs[2]).max() > 1e-3


def test_norms_that_no_weight_has_are_refused(variables):
    with pytest.raises(ConfigError, match=r'"unit_norm" is "gain", and is in no path of a weight of two .*in/kernel'):
        optimizer("adam", 10, **{**ADAM, "unit_norm": "gain"}).init(variables["params"])


def test_time_and_label_are_read_and_rows_do_not_meet(variables):
    (x, t, given), apply = inputs(), program()
    base = apply(variables, x, t, given)
    moved = apply(variables, x.at[1].add(1.0), t.at[2].add(200), {"label": jnp.array([3, 1, 2])})
    assert all(np.abs(moved[i] - base[i]).max() > 1e-3 for i in range(3))
    np.testing.assert_allclose(apply(variables, x.at[1].add(1.0), t, given)[0], base[0], atol=1e-5)


def test_a_label_that_is_not_kept_is_none(variables):
    (x, t, given), apply = inputs(), program()
    none, with_label = apply(variables, x, t), apply(variables, x, t, given)
    some = apply(variables, x, t, given, jnp.array([True, False, True]))
    np.testing.assert_allclose(some[1], none[1], atol=1e-5)
    np.testing.assert_allclose(some[0], with_label[0], atol=1e-5)
    assert np.abs(some[1] - with_label[1]).max() > 1e-3


def test_half_precision_and_recomputing(variables):
    exact = program()(variables, *inputs())
    half = program(dtype=jnp.bfloat16)(variables, *inputs())
    assert half.dtype == jnp.float32
    assert 0 < np.abs(half - exact).max() < 0.1 * np.abs(exact).max()
    np.testing.assert_allclose(program(remat=True)(variables, *inputs()), exact, atol=1e-5)
    assert all(leaf.dtype == jnp.float32 for leaf in jax.tree.leaves(shapes(small(dtype=jnp.bfloat16), IMAGE)))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"head_width": 3}, "head_width is 3, and has to divide the channels"),
        ({"attention": (5,)}, "attention is .* names heights, of which there are 8, 4"),
        ({"multipliers": (1, 1, 1, 1, 1)}, "multipliers is .* halves images 4 times"),
    ],
)
def test_fields_that_do_not_fit_are_refused(changes, said):
    with pytest.raises(Unfit, match=said):
        shapes(small(**changes), IMAGE)


def test_a_constant_channel_stands_for_biases(variables):
    """Without it an image of zeros would leave nothing but zeros in front of the first block."""
    output = program()(variables, jnp.zeros((1, *IMAGE)), jnp.zeros(1))
    assert np.abs(output).max() > 1e-3
