"""An update moves one network by its optimizer, and nothing else."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from aigc_jax.errors import ConfigError
from aigc_jax.learner import Learner, ema, initial_state


class Line(nn.Module):
    """y = w x + b."""

    @nn.compact
    def __call__(self, x):
        return nn.Dense(1)(x)[:, 0]


def setup(**changes):
    learner = Learner("net", Line(), optax.sgd(0.1), {"net": ema(0.5, False)}, 1)._replace(**changes)
    x = jax.random.normal(jax.random.key(1), (8, 3))
    y = jnp.sum(x, 1) + 1
    state = initial_state(
        {"net": (learner, learner.init(jax.random.key(0), x))}, {"given": jnp.ones(2)}, pool=jnp.zeros(1)
    )

    def loss(params, extra, key, batch):
        prediction, extra = learner.apply(params, extra, batch["x"])
        losses = (prediction - batch["y"]) ** 2
        return losses, (extra, {"loss": jnp.mean(losses)})

    return learner, state, loss, {"x": x, "y": y}


def test_one_step_of_gradient_descent_is_the_formula():
    learner, state, loss, batch = setup()
    after, metrics = learner.update(jax.random.key(2), state, loss, batch)
    x, y = np.asarray(batch["x"], np.float64), np.asarray(batch["y"], np.float64)
    w = np.asarray(state.params["net"]["Dense_0"]["kernel"], np.float64)[:, 0]
    error = x @ w - y
    expected = w - 0.1 * 2 * (x * error[:, None]).mean(0)
    np.testing.assert_allclose(after.params["net"]["Dense_0"]["kernel"][:, 0], expected, rtol=1e-5)
    np.testing.assert_allclose(metrics["loss"], (error**2).mean(), rtol=1e-5)


def test_accumulated_gradients_are_those_of_the_whole_batch():
    whole, state, loss, batch = setup()
    expected, _ = whole.update(jax.random.key(2), state, loss, batch)
    for parts in (2, 4, 8):
        after, metrics = whole._replace(accumulate=parts).update(jax.random.key(2), state, loss, batch)
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), after.params, expected.params)
        assert np.isfinite(metrics["loss"])


def test_a_batch_that_cannot_be_split_is_refused():
    learner, state, loss, batch = setup(accumulate=3)
    with pytest.raises(ConfigError, match="8 examples cannot be split into 3"):
        learner.update(jax.random.key(2), state, loss, batch)


@pytest.mark.parametrize(("warmup", "decays"), [(False, [0.5, 0.5, 0.5]), (True, [0.1, 2 / 11, 3 / 12])])
def test_the_average_follows_its_formula(warmup, decays):
    learner, state, loss, batch = setup(averages={"net": ema(0.5, warmup)})
    expected = np.asarray(state.params["net"]["Dense_0"]["kernel"], np.float64)
    for step, decay in enumerate(decays):
        state, _ = learner.update(jax.random.key(step), state.replace(step=jnp.int32(step)), loss, batch)
        expected = decay * expected + (1 - decay) * np.asarray(state.params["net"]["Dense_0"]["kernel"], np.float64)
        np.testing.assert_allclose(state.ema["net"]["Dense_0"]["kernel"], expected, rtol=1e-5)
    assert state.weights("net") is state.ema["net"]


def test_no_average_is_kept_when_none_is_asked_for():
    learner, state, loss, batch = setup(averages={})
    after, _ = learner.update(jax.random.key(2), state, loss, batch)
    assert after.ema == {}
    assert after.weights("net") is after.params["net"]


def test_the_rest_of_the_state_stays():
    learner, state, loss, batch = setup()
    after, _ = learner.update(jax.random.key(2), state, loss, batch)
    assert after.frozen is state.frozen
    assert after.extra["pool"] is state.extra["pool"]


def test_settled_weights_are_those_that_sampling_takes_in_the_dtype_of_the_network():
    learner, state, *_ = setup()
    learner = learner._replace(module=nn.Dense(1, dtype=jnp.bfloat16))
    settled = learner.settled(state)
    assert {x.dtype for x in jax.tree.leaves(settled.params)} == {jnp.dtype(jnp.float32)}, "an average is there"
    kernel, bias = (settled.ema["net"]["Dense_0"][name] for name in ("kernel", "bias"))
    assert kernel.dtype == jnp.bfloat16 and bias.dtype == jnp.float32
    np.testing.assert_array_equal(kernel, state.ema["net"]["Dense_0"]["kernel"].astype(jnp.bfloat16))
