"""Diffusion by class, against normal data whose mean the class decides."""

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
from aigc_jax.nn.layers.given_image import beside
from aigc_jax.nn.unet import UNet
from aigc_jax.ops.diffusion.process import process

MEANS, STD, STEPS = (-0.5, 0.0, 0.6), 0.1, 100


class Optimal(nn.Module):
    """E[ε | x_t, class] for data N(MEANS[class], STD²), times a weight that starts at 1."""

    reads: tuple[str, ...] = ("label",)

    @nn.compact
    def __call__(self, x, t, given, kept, train):
        alpha, sigma = process("cosine", STEPS).at(t, x)
        mean = jnp.asarray(MEANS)[given["label"]]
        mean = (mean if kept is None else jnp.where(kept, mean, 0.0))[:, None, None, None]
        noise = sigma * (x - alpha * mean) / ((alpha * STD) ** 2 + sigma**2)
        return self.param("weight", nn.initializers.ones, ()) * noise


def method(module, drop=0.0):
    made = diffusion(
        {"net": Learner("net", module, optax.adam(1e-2), {}, 1)}, timesteps=STEPS, schedule="cosine",
        prediction="noise", variance="small", clip=False, bound_terms=0, drop=drop, shape=(2, 2, 1), levels=256,
        frozen={},
    )  # fmt: skip
    return made._replace(step=jax.jit(made.step), evaluate=jax.jit(made.evaluate), sample=jax.jit(made.sample))


def drawn(method, state, label, **settings):
    plan = method.plan(**{"sampler": "ancestral", "steps": STEPS, "eta": 0.0, **settings})
    return np.asarray(method.sample(jax.random.split(jax.random.key(1), len(label)), state, {"label": label}, plan))


def batch(label):
    label = jnp.asarray(label, jnp.int32)
    noise = jax.random.normal(jax.random.key(0), (len(label), 2, 2, 1))
    return Batch(jnp.asarray(MEANS)[label][:, None, None, None] + STD * noise, {"label": label})


@pytest.fixture(scope="module")
def made():
    optimal = method(Optimal())
    return optimal, optimal.init(jax.random.key(0), batch(np.zeros(4)), {})


def test_samples_are_of_the_class_that_is_asked_for(made):
    optimal, state = made
    label = jnp.arange(600, dtype=jnp.int32) % 3
    samples = drawn(optimal, state, label)
    for each, mean in enumerate(MEANS):
        found = samples[label == each]
        assert found.mean() == pytest.approx(mean, abs=5 * STD / np.sqrt(found.size))
        assert 0.8 * STD < found.std() < 1.05 * STD, "the small variance is a little too small"


def test_guidance_goes_beyond_what_is_given(made):
    """The optimal denoiser is linear in its mean, and so are guided samples: their mean is guidance times the class's.

    Without what is given the data's mean counts as 0 here.
    """
    guided = method(Optimal(), drop=0.1)
    _, state = made
    label = jnp.full(200, 2, jnp.int32)
    for guidance in (0.0, 0.5, 1.0):
        samples = drawn(guided, state, label, guidance=guidance, sampler="ddim", steps=50)
        assert samples.mean() == pytest.approx(guidance * MEANS[2], abs=0.02)
    np.testing.assert_allclose(
        drawn(guided, state, label, guidance=1.0), drawn(method(Optimal()), state, label), atol=1e-5
    )
    with pytest.raises(ConfigError, match=r"sample.guidance.*method.drop"):
        method(Optimal()).plan(sampler="ddim", steps=5, eta=0.0, guidance=2.0)


def test_guidance_may_end_and_be_taken_back(made):
    """Without an interval that holds any time guidance is none; rescaled, the samples' deviation is the plain ones'."""
    guided, (_, state) = method(Optimal(), drop=0.1), made
    label = jnp.full(50, 2, jnp.int32)
    plain, strong = (drawn(guided, state, label, guidance=w, sampler="ddim", steps=20) for w in (1.0, 1.4))
    none = drawn(guided, state, label, guidance=1.4, sampler="ddim", steps=20, guidance_interval=(0.0, 0.0))
    np.testing.assert_allclose(none, plain, atol=1e-5)
    late = drawn(guided, state, label, guidance=1.4, sampler="ddim", steps=20, guidance_interval=(0.0, 0.5))
    assert plain.mean() < late.mean() < strong.mean()


def test_training_leaves_out_as_much_of_what_is_given_as_it_is_told(made):
    _, state = made
    rows = batch([2] * 2000)
    losses = [
        float(method(Optimal(), drop).step(jax.random.key(3), state, rows)[1]["simple"]) for drop in (0, 0.5, 0.9)
    ]
    without = float(
        method(Optimal()).step(jax.random.key(3), state, rows.replace(given={"label": rows.given["label"] * 0 + 1}))[1][
            "simple"
        ]
    )
    shares = [(loss - losses[0]) / (without - losses[0]) for loss in losses]
    np.testing.assert_allclose(shares, [0, 0.5, 0.9], atol=0.06)


def test_the_bound_and_the_loss_read_the_label(made):
    optimal, state = made
    right = batch([2] * 8)
    wrong = right.replace(given={"label": jnp.zeros(8, jnp.int32)})
    key = jax.random.key(2)
    bits = [optimal.evaluate(key, state, each)["bits_per_dim"].total.mean() for each in (right, wrong)]
    assert bits[1] > bits[0] + 1
    losses = [optimal.step(key, state, each)[1]["simple"] for each in (right, wrong)]
    assert losses[1] > losses[0]


def test_a_network_that_reads_labels_has_one_table_more():
    common = dict(channels=8, multipliers=(1, 1), blocks=1, attention=(), dropout=0.0, groups=4)

    def shapes(given, classes):
        net = UNet(**common, label_classes=classes)
        x, t = jnp.zeros((2, 8, 8, 1)), jnp.zeros(2)
        return jax.eval_shape(lambda key: net.init(key, x, t, *given, train=False), jax.random.key(0))["params"]

    plain, conditional = shapes((), 0), dict(shapes(({"label": jnp.zeros(2, jnp.int32)}, None), 10))
    assert conditional.pop("label")["embedding"].shape == (10, 32)
    assert conditional == plain
    assert UNet(**common, label_classes=0).reads == () and UNet(**common, label_classes=3).reads == ("label",)


def test_a_network_that_reads_nothing_has_nothing_to_leave_out():
    with pytest.raises(ConfigError, match="method.drop"):
        method(Optimal(reads=()), drop=0.1)


class Seeing(nn.Module):
    """x and the given image, through one layer."""

    reads: tuple[str, ...] = ("small",)

    @nn.compact
    def __call__(self, x, t, given, kept, train):
        return nn.Conv(1, (3, 3))(beside(x, "small", given, kept))


def test_an_image_is_read_as_far_as_guidance_goes():
    """At weight 0 samples are of nothing that is given; at 1 they are, and left out it counts as mid grey."""
    guided = diffusion(
        {"net": Learner("net", Seeing(), optax.sgd(0.1), {}, 1)}, schedule="flow", prediction="flow",
        clip=False, bound_terms=1, drop=0.1, shape=(2, 2, 1), levels=0, frozen={},
    )  # fmt: skip
    small = jnp.array([0.3, -0.5, -0.9])[:, None, None, None]
    state = guided.init(jax.random.key(0), Batch(jnp.zeros((3, 2, 2, 1)), {"small": small}), {})
    draw = jax.jit(guided.sample)

    def drawn(small, guidance):
        plan = guided.plan(sampler="euler", steps=3, guidance=guidance)
        return np.asarray(draw(jax.random.split(jax.random.key(1), 3), state, {"small": small}, plan))

    none, full, doubled = (drawn(small, weight) for weight in (0.0, 1.0, 2.0))
    np.testing.assert_allclose(none, drawn(-small, 0.0), atol=1e-6)
    np.testing.assert_allclose(none, drawn(0 * small, 1.0), atol=1e-5)
    assert np.abs(full - none).max() > 1e-2
    np.testing.assert_allclose(doubled - none, 2 * (full - none), atol=1e-5, err_msg="all here is linear")
