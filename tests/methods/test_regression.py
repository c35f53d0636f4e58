"""Regression against means and medians, and by the network of a diffusion."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from aigc_jax.errors import ConfigError
from aigc_jax.learner import Learner
from aigc_jax.method import Batch
from aigc_jax.methods.diffusion import diffusion
from aigc_jax.methods.regression import regression
from aigc_jax.nn.unet import UNet

SHAPE = (4, 4, 1)


class Answer(nn.Module):
    """A number for each of two given images, dark and bright."""

    reads: tuple[str, ...] = ("small",)

    @nn.compact
    def __call__(self, x, t, given, kept, train):
        bright = (given["small"].mean((1, 2, 3)) > 0).astype(jnp.int32)
        return jnp.zeros_like(x) + self.param("answer", nn.initializers.zeros, (2,))[bright][:, None, None, None]


def method(module, loss="mse", base="", levels=0, rate=0.05):
    made = regression({"net": Learner("net", module, optax.adam(rate), {}, 1)}, loss=loss, base=base, shape=SHAPE,
                      levels=levels)  # fmt: skip
    return made._replace(step=jax.jit(made.step))


@pytest.fixture(scope="module")
def skewed():
    """Targets whose median is not their mean, for a dark and for a bright image."""
    rng = np.random.default_rng(0)
    bright = np.arange(64) % 2
    target = np.exp(rng.normal(size=64)) * np.where(bright, 1.0, -0.5)
    small = np.where(bright, 0.5, -0.5)[:, None, None, None] * np.ones((1, 2, 2, 1))
    return Batch(jnp.float32(target[:, None, None, None] * np.ones((1, *SHAPE))), {"small": jnp.float32(small)})


@pytest.mark.parametrize(("loss", "center"), [("mse", np.mean), ("l1", np.median)])
def test_squares_learn_the_mean_and_absolute_values_the_median(skewed, loss, center):
    made = method(Answer(), loss)
    state = made.init(jax.random.key(0), skewed, {})
    for _ in range(400):
        state, metrics = made.step(jax.random.key(1), state, skewed)
    values = np.asarray(skewed.target)[:, 0, 0, 0]
    found = made.sample(jax.random.split(jax.random.key(0), 64), state, skewed.given, {})[:, 0, 0, 0]
    spread = 0.1 if loss == "l1" else 0.01  # of an even number there is a whole range of medians
    for each in (0, 1):
        np.testing.assert_allclose(found[each::2], center(values[each::2]), atol=spread)
    measures = made.evaluate(jax.random.key(2), state, skewed)
    assert metrics[loss] == pytest.approx(float(measures[loss].total.mean()), rel=0.05)
    off = values - np.asarray(found)
    np.testing.assert_allclose(measures["l1"].total, np.abs(off), rtol=1e-5)
    np.testing.assert_allclose(measures["mse"].total, off**2, rtol=1e-5)


def test_outputs_are_added_to_the_enlarged_base_and_cut_off(skewed):
    made = method(Answer(), base="small", levels=256)
    state = made.init(jax.random.key(0), skewed, {})
    keys = jax.random.split(jax.random.key(0), 64)
    np.testing.assert_allclose(
        made.sample(keys, state, skewed.given, {}), np.asarray(skewed.given["small"])[:, :1, :1] * np.ones(SHAPE),
        atol=1e-6,
    )  # fmt: skip
    state = state.replace(params={"net": {"answer": jnp.array([0.1, 0.9])}})
    found = made.sample(keys, state, skewed.given, {})
    np.testing.assert_allclose(found[:2, 0, 0, 0], [-0.4, 1.0], atol=1e-6)


def test_it_is_what_a_diffusion_expects_where_noise_has_drowned_the_image():
    """The network of the one is that of the other, with x = 0 and time 0."""
    net = UNet(channels=4, multipliers=(1,), blocks=1, attention=(), dropout=0.0, groups=2, label_classes=0,
               image="small")  # fmt: skip
    learners = {"net": Learner("net", net, optax.sgd(0.1), {}, 1)}
    batch = Batch(jnp.ones((2, *SHAPE)), {"small": jnp.asarray(np.random.default_rng(0).normal(size=(2, 2, 2, 1)))})
    made = method(net)
    state = jax.jit(made.init)(jax.random.key(0), batch, {})
    rng = np.random.default_rng(1)
    filled = jax.tree.map(lambda leaf: jnp.float32(0.3 * rng.normal(size=leaf.shape)), state.params)
    state = state.replace(params=filled)
    other = diffusion(
        learners, frozen={}, schedule="flow", prediction="data", clip=False, bound_terms=1, drop=0.0, shape=SHAPE,
        levels=0,
    )  # fmt: skip
    expected = jax.jit(other.parts["denoise"])(state, jnp.zeros((2, *SHAPE)), jnp.float32(0), batch.given)
    found = jax.jit(made.sample)(jax.random.split(jax.random.key(0), 2), state, batch.given, {})
    assert np.std(found) > 0.01
    np.testing.assert_allclose(found, expected, atol=1e-5)


class Blind(nn.Module):
    """Reads nothing."""

    @nn.compact
    def __call__(self, x, t, train):
        return x


def test_what_cannot_be_is_refused(skewed):
    with pytest.raises(ConfigError, match=r"networks\.net\.image"):
        method(Blind())
    for base, given, why in (
        ("large", skewed.given, 'method.base" is "large", and given is small'),
        ("small", {"small": jnp.zeros((64, 3, 3, 1))}, r"\[3, 3, 1\].*\[4, 4, 1\]"),
        ("small", {"small": jnp.zeros((64, 2, 2, 3))}, r"\[2, 2, 3\]"),
    ):
        with pytest.raises(ConfigError, match=why):
            method(Answer(), base=base).init(jax.random.key(0), skewed.replace(given=given), {})
