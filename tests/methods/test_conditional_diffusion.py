"""Diffusion by class, against normal data whose mean the class decides."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from aigc_jax.errors import ConfigError
from aigc_jax.learner import Learner
from aigc_jax.methods.diffusion import diffusion
from aigc_jax.nn.unet import UNet
from aigc_jax.ops import diffusion as ops

MEANS, STD, STEPS = (-0.5, 0.0, 0.6), 0.1, 100


class Optimal(nn.Module):
    """E[ε | x_t, class] for data N(MEANS[class], STD²), times a weight that starts at 1."""

    classes: int = len(MEANS)

    @nn.compact
    def __call__(self, x, t, label, train):
        a = jnp.asarray(ops.process("cosine", STEPS).alpha_bar, jnp.float32)[t][:, None, None, None]
        mean = jnp.asarray(MEANS)[label][:, None, None, None]
        noise = jnp.sqrt(1 - a) * (x - jnp.sqrt(a) * mean) / (a * STD**2 + 1 - a)
        return self.param("weight", nn.initializers.ones, ()) * noise


def method(module):
    made = diffusion(
        {"net": Learner("net", module, optax.adam(1e-2), {}, 1)},
        timesteps=STEPS, schedule="cosine", prediction="noise", sampler="ancestral", sampler_steps=STEPS, eta=0.0,
        variance="small", clip=False, bound_terms=0, image_shape=(2, 2, 1),
    )  # fmt: skip
    return made._replace(
        step=jax.jit(made.step), evaluate=jax.jit(made.evaluate), sample=jax.jit(made.sample, static_argnums=2)
    )


def batch(label):
    label = jnp.asarray(label, jnp.int32)
    noise = jax.random.normal(jax.random.key(0), (len(label), 2, 2, 1))
    return {"image": jnp.asarray(MEANS)[label][:, None, None, None] + STD * noise, "label": label}


@pytest.fixture(scope="module")
def made():
    optimal = method(Optimal())
    return optimal, optimal.init(jax.random.key(0), batch(np.zeros(4)), {})


def test_samples_are_of_the_class_that_is_asked_for(made):
    optimal, state = made
    label = jnp.arange(600, dtype=jnp.int32) % 3
    samples = np.asarray(optimal.sample(jax.random.key(1), state, 600, label))
    for each, mean in enumerate(MEANS):
        found = samples[label == each]
        assert found.mean() == pytest.approx(mean, abs=5 * STD / np.sqrt(found.size))
        assert 0.8 * STD < found.std() < 1.05 * STD, "the small variance is a little too small"


def test_without_a_condition_samples_are_of_every_class(made):
    optimal, state = made
    samples = np.asarray(optimal.sample(jax.random.key(1), state, 600, None)).mean((1, 2, 3))
    nearest = np.abs(samples[:, None] - np.array(MEANS)).argmin(1)
    np.testing.assert_allclose(np.bincount(nearest) / 600, 1 / 3, atol=4 * np.sqrt(2 / 9 / 600))


def test_the_bound_and_the_loss_read_the_label(made):
    optimal, state = made
    right, wrong = batch([2] * 8), {**batch([2] * 8), "label": jnp.zeros(8, jnp.int32)}
    key = jax.random.key(2)
    bits = [optimal.evaluate(key, state, each)["bits_per_dim"].total.mean() for each in (right, wrong)]
    assert bits[1] > bits[0] + 1
    losses = [optimal.step(key, state, each)[1]["simple"] for each in (right, wrong)]
    assert losses[1] > losses[0]


def test_a_network_that_reads_labels_has_one_table_more():
    common = dict(channels=8, multipliers=(1, 1), blocks=1, attention=(), dropout=0.0, groups=4)

    def shapes(label, **classes):
        net = UNet(**common, **classes)
        x, t = jnp.zeros((2, 8, 8, 1)), jnp.zeros(2)
        return jax.eval_shape(lambda key: net.init(key, x, t, *label, train=False), jax.random.key(0))["params"]

    plain, conditional = shapes(()), dict(shapes((jnp.zeros(2, jnp.int32),), classes=10))
    assert conditional.pop("label")["embedding"].shape == (10, 32)
    assert conditional == plain == shapes((), classes=0)


def test_an_unconditional_network_refuses_a_condition():
    plain = method(Optimal(classes=0))
    with pytest.raises(ConfigError, match="takes no condition"):
        plain.sample(jax.random.key(0), None, 2, jnp.zeros(2, jnp.int32))
