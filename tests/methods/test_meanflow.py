"""MeanFlow against normal data: the mean velocity of its flow keeps the identity, and one step draws the data."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from aigc_jax.errors import ConfigError
from aigc_jax.learner import Learner
from aigc_jax.method import Batch
from aigc_jax.methods.meanflow import CLOCK, MOST_STEPS, meanflow
from aigc_jax.nn.dit import DiT

MEAN, STD = 0.1, 0.4  # of the data
SHAPE = (4, 4, 1)
LEAST = 1e-3  # t - r below which the mean velocity is taken over as much


class Wise(nn.Module):
    """(z_t - z_r) / (t - r) along the flow of normal data, times a weight that starts at 1."""

    @nn.compact
    def __call__(self, z, times, train):
        t, apart = (each[:, None, None, None] / CLOCK for each in (times[:, 0], times[:, 1]))
        r = t - jnp.maximum(apart, LEAST)

        def deviation(t):
            return jnp.sqrt((1 - t) ** 2 * STD**2 + t**2)

        ends = (1 - r) * MEAN + deviation(r) / deviation(t) * (z - (1 - t) * MEAN)
        return self.param("weight", nn.initializers.ones, ()) * (z - ends) / (t - r)


def images(count, key=0):
    return Batch(MEAN + STD * jax.random.normal(jax.random.key(key), (count, *SHAPE)), {})


@pytest.fixture(scope="module")
def made():
    method = meanflow({"net": Learner("net", Wise(), optax.sgd(1e-2), {}, 1)}, apart=0.5, shape=SHAPE, levels=0)
    method = method._replace(**{name: jax.jit(getattr(method, name)) for name in ("step", "evaluate", "sample")})
    return method, method.init(jax.random.key(0), images(4), {})


@pytest.mark.parametrize("steps", [1, 2, 7])
def test_any_number_of_steps_draws_the_data(made, steps):
    method, state = made
    x = method.sample(jax.random.split(jax.random.key(1), 3000), state, {}, method.plan(steps=steps))
    assert float(x.mean()) == pytest.approx(MEAN, abs=5 * STD / np.sqrt(x.size))
    assert float(x.std()) == pytest.approx(STD, rel=0.02)


def test_the_mean_velocity_of_the_flow_keeps_the_identity(made):
    """What remains of the error is the variance of v given z, and no gradient moves the weight."""
    method, state = made
    worse = state.replace(params={"net": {"weight": jnp.float32(0.7)}})
    gradients = [float(method.step(jax.random.key(2), s, images(4000))[1]["net_gradient"]) for s in (state, worse)]
    assert gradients[0] < 0.06 * gradients[1]
    best, bad = (method.evaluate(jax.random.key(3), s, images(1000)) for s in (state, worse))
    assert all(best[name].total.mean() < bad[name].total.mean() for name in ("simple", "jump"))


def test_the_loss_at_equal_times_is_that_of_flow_matching():
    """Of a network that says 0: E |ε - x|²."""

    class Zero(nn.Module):
        @nn.compact
        def __call__(self, z, times, train):
            return self.param("weight", nn.initializers.zeros, ()) * z

    learners = {"net": Learner("net", Zero(), optax.sgd(0.1), {}, 1)}
    method = meanflow(learners, apart=0.0, weight_power=0.0, shape=SHAPE, levels=0)
    state = method.init(jax.random.key(0), images(4), {})
    _, metrics = jax.jit(method.step)(jax.random.key(1), state, images(4000))
    assert float(metrics["simple"]) == pytest.approx(1 + STD**2 + MEAN**2, rel=0.02)


def test_a_transformer_learns_from_both_times():
    net = DiT(shape=SHAPE, patch=2, width=8, layers=1, heads=2, positions="rotary", label_classes=3)
    method = meanflow({"net": Learner("net", net, optax.adam(1e-2), {}, 1)}, shape=SHAPE, levels=256)
    batch = images(64).replace(given={"label": jnp.arange(64) % 3})
    state, step = method.init(jax.random.key(0), batch, {}), jax.jit(method.step)
    losses = []
    for i in range(40):
        state, metrics = step(jax.random.key(i), state, batch)
        losses.append(float(metrics["simple"]))
    assert np.mean(losses[-8:]) < 0.8 * np.mean(losses[:4])
    z, label = jax.random.normal(jax.random.key(0), (2, *SHAPE)), {"label": jnp.arange(2)}
    near, far = (net.apply({"params": state.params["net"]}, z, jnp.array([at] * 2), label, train=False)
                 for at in ([9.0, 0.0], [9.0, 9.0]))  # fmt: skip
    assert not np.allclose(near, far)


def test_more_steps_than_the_plan_has_rows_are_refused(made):
    with pytest.raises(ConfigError, match=r"sample\.steps"):
        made[0].plan(steps=MOST_STEPS + 1)
