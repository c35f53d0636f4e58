"""An update moves one network by its optimizer, and nothing else."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from aigc_jax.errors import ConfigError
from aigc_jax.learner import Adapter, Learner, ema, initial_state, merging, power
from aigc_jax.method import Method
from aigc_jax.ops.averages import gamma_of
from aigc_jax.ops.batch import AXIS
from aigc_jax.train import guard


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

    return learner, state, squares(learner), {"x": x, "y": y}


def squares(learner):
    def loss(params, extra, key, batch):
        prediction, extra = learner.apply(params, extra, batch["x"])
        losses = (prediction - batch["y"]) ** 2
        return losses, (extra, {"loss": jnp.mean(losses)})

    return loss


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


def test_several_averages_are_kept_beside_each_other():
    """Those of a power are the integral of their profile; the one of the network's name is sampled with."""
    learner, state, loss, batch = setup(averages={"net": power(0.10), "net@0.2": power(0.20), "other": ema(0.5, False)})
    kernels = []
    for step in range(5):
        state, _ = learner.update(jax.random.key(step), state.replace(step=jnp.int32(step)), loss, batch)
        kernels.append(np.asarray(state.params["net"]["Dense_0"]["kernel"], np.float64))
    for key, width in (("net", 0.10), ("net@0.2", 0.20)):
        edges = (np.arange(6) / 5) ** (gamma_of(width) + 1)
        expected = np.tensordot(np.diff(edges), kernels, 1)
        np.testing.assert_allclose(state.ema[key]["Dense_0"]["kernel"], expected, rtol=1e-5)
    assert set(state.ema) == {"net", "net@0.2", "other"}
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


EVERY = 4  # steps between two of the further loss


def lazy(learner, weight=3.0):
    """A step as StyleGAN2's: the loss, and lazily the mean length of what a network writes, which `extra` follows."""

    def step(state, batch):
        def loss(params, extra, key, batch):
            prediction, _ = learner.apply(params, {}, batch["x"])
            losses = (prediction - batch["y"]) ** 2
            return losses, ({"mean": extra["mean"] + 1}, {"loss": jnp.mean(losses)})

        def length(params, extra, key, batch):
            prediction, _ = learner.apply(params, {}, batch["x"])
            losses = weight * (prediction - extra["mean"]) ** 2
            return losses, ({"mean": extra["mean"] / 2}, {"length": jnp.mean(losses)})

        found = learner.gradient(jax.random.key(2), state, loss, batch)
        found = learner.lazily(EVERY, found, jax.random.key(3), state, length, batch)
        state, norm = learner.move(state, found)
        return state.replace(step=state.step + 1), {**found.metrics, **norm}

    return jax.jit(step)


def with_mean(state):
    return state.replace(extra={"net": {"mean": jnp.float32(1.0)}})


@pytest.mark.parametrize("accumulate", [1, 2])
def test_a_lazy_loss_moves_the_network_with_the_other_in_one_update(accumulate):
    learner, state, _, batch = setup(tx=optax.adam(0.1), accumulate=accumulate)
    state, step = with_mean(state), lazy(learner)
    x, y = np.asarray(batch["x"], np.float64), np.asarray(batch["y"], np.float64)
    mean, average = 1.0, np.asarray(state.params["net"]["Dense_0"]["kernel"], np.float64)
    for number in range(2 * EVERY + 1):
        kernel, bias = (np.asarray(state.params["net"]["Dense_0"][k], np.float64) for k in ("kernel", "bias"))
        predicted = x @ kernel[:, 0] + bias
        slope, due = 2 * (predicted - y), number % EVERY == 0
        mean += accumulate
        length = 0.0
        if due:
            means = [mean / 2**part for part in range(accumulate)]
            apart = np.stack([predicted[part::accumulate] - m for part, m in enumerate(means)], 1).reshape(-1)
            slope, length, mean = slope + EVERY * 3 * 2 * apart, EVERY * 3 * np.mean(apart**2), mean / 2**accumulate
        grads = [x.T @ slope / len(x), slope.mean()]
        state, metrics = step(state, batch)
        norm = np.sqrt(sum(np.sum(g**2) for g in grads))
        assert metrics.keys() == {"loss", "length", "net_gradient"}
        np.testing.assert_allclose(metrics["net_gradient"], norm, rtol=1e-4)
        np.testing.assert_allclose(metrics["length"], length, rtol=1e-4)
        np.testing.assert_allclose(state.extra["net"]["mean"], mean, rtol=1e-6)
        average = (average + np.asarray(state.params["net"]["Dense_0"]["kernel"], np.float64)) / 2
        np.testing.assert_allclose(state.ema["net"]["Dense_0"]["kernel"], average, rtol=1e-5)
        assert int(optax.tree.get(state.opt_state, "count")) == number + 1


def test_the_usual_norm_is_that_of_all_steps_where_a_loss_is_lazy():
    """What the guard compares a gradient with: no zero of a step without the lazy loss goes into it."""
    learner, state, _, batch = setup(tx=optax.sgd(0.0))
    state, step = with_mean(state), lazy(learner, weight=0.0)  # which changes no gradient
    watch, norms = None, []
    for number in range(2 * EVERY):
        state, metrics = step(state, batch)
        watch = watch or guard.start(metrics)
        _, watch = guard.admit(metrics, watch, jnp.int32(number + 1), 0.0)
        norms.append(metrics["net_gradient"])
    assert list(watch.usual) == ["net_gradient"]
    np.testing.assert_allclose(watch.usual["net_gradient"], norms[0], rtol=1e-6)
    np.testing.assert_allclose(norms, norms[0], rtol=1e-6)


def test_a_gradient_alone_moves_nothing_and_a_move_is_an_update():
    learner, state, loss, batch = setup()
    found = learner.gradient(jax.random.key(2), state, loss, batch)
    moved, norm = learner.move(state, found)
    updated, metrics = learner.update(jax.random.key(2), state, loss, batch)
    jax.tree.map(np.testing.assert_array_equal, moved, updated)
    assert {**found.metrics, **norm} == metrics
    np.testing.assert_allclose(norm["net_gradient"], optax.tree.norm(found.grads))


def test_a_lazy_loss_is_the_same_on_devices_that_each_see_their_rows():
    learner, state, _, batch = setup(tx=optax.sgd(0.1))
    state, step, mapped = with_mean(state), lazy(learner), jax.pmap(lazy(learner), axis_name=AXIS)
    copies = jax.tree.map(lambda x: jnp.stack([x] * 2), state)
    halves = jax.tree.map(lambda x: x.reshape(2, 4, *x.shape[1:]), batch)
    for _ in range(EVERY + 1):
        state, metrics = step(state, batch)
        copies, apart = mapped(copies, halves)
        for one, each in zip(jax.tree.leaves((state, metrics)), jax.tree.leaves((copies, apart)), strict=True):
            np.testing.assert_allclose(each, jnp.stack([one] * 2), rtol=1e-5, atol=1e-6)


def test_weights_that_stay_have_neither_gradient_nor_state_nor_part_in_the_norm():
    learner, state, loss, batch = setup(tx=optax.adam(0.1), trainable="bias")
    x = batch["x"]
    state = initial_state({"net": (learner, learner.init(jax.random.key(0), x))}, {})
    after, metrics = learner.update(jax.random.key(2), state, loss, batch)
    before, after_weights = (s.params["net"]["Dense_0"] for s in (state, after))
    np.testing.assert_array_equal(before["kernel"], after_weights["kernel"])
    slope = 2 * np.mean(x @ before["kernel"][:, 0] + before["bias"] - batch["y"])
    np.testing.assert_allclose(metrics["net_gradient"], abs(slope), rtol=1e-5)
    np.testing.assert_allclose(after_weights["bias"], before["bias"] - 0.1 * np.sign(slope), rtol=1e-4)
    assert [leaf.shape for leaf in jax.tree.leaves(after.opt_state)] == [(), (1,), (1,)]


def test_a_network_starts_from_what_it_is_given_and_its_average_too():
    learner, state, *_ = setup()
    given = jax.tree.map(lambda w: w + 1, state.params["net"])
    own = learner.init(jax.random.key(0), jnp.zeros((8, 3)))
    begun = initial_state({"net": (learner, own)}, {"networks.net.start": {"params": given}})
    for found in (begun.params["net"], begun.ema["net"]):
        jax.tree.map(np.testing.assert_array_equal, found, given)
    wrong = {"Dense_0": {"kernel": given["Dense_0"]["kernel"][:2]}, "Dense_1": given["Dense_0"]}
    with pytest.raises(ConfigError) as error:
        initial_state({"net": (learner, own)}, {"networks.net.start": {"params": wrong}})
    for said in (
        "Dense_0/bias is absent there and float32[1] in this configuration",
        "Dense_0/kernel is float32[2, 1] there and float32[3, 1] in this configuration",
        "Dense_1/bias is float32[1] there and absent in this configuration",
    ):
        assert said in str(error.value)


def doubled(base):
    """An adapter of one number, which all weights are multiplied with, and a count of its merges."""
    merges = []

    def merge(params, weights):
        merges.append(1)
        return jax.tree.map(lambda w: params["by"] * w, weights)

    return Adapter(base, lambda key: {"by": jnp.float32(1.0)}, merge), merges


def test_an_adapter_is_what_moves_and_its_base_is_read():
    learner, state, loss, batch = setup()
    base = state.params["net"]
    adapter, merges = doubled(base)
    learner = learner._replace(adapter=adapter, averages={})
    frozen = {"networks.net.start": {"params": base}}
    state = initial_state({"net": (learner, learner.init(jax.random.key(0), batch["x"]))}, frozen)
    after, _ = learner.update(jax.random.key(2), state, loss, batch)
    assert after.frozen is state.frozen
    output = batch["x"] @ base["Dense_0"]["kernel"][:, 0] + base["Dense_0"]["bias"]
    by = 1 - 0.1 * np.mean(2 * (output - batch["y"]) * output)
    np.testing.assert_allclose(after.params["net"]["by"], by, rtol=1e-5)
    merged, _ = learner.of(after)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, by * b, rtol=1e-5), merged, base)
    np.testing.assert_allclose(learner.predict(after, batch["x"]), by * output, rtol=1e-5)
    for once in (learner.settled, learner.merged):
        merges.clear()
        state = once(after)
        for _ in range(3):
            np.testing.assert_allclose(learner.predict(state, batch["x"]), by * output, rtol=1e-5)
        assert len(merges) == 1, "once for any number of calls"


def test_evaluating_and_sampling_merge_an_adapter_once():
    learner, state, _, batch = setup()
    adapter, merges = doubled(state.params["net"])
    learner = learner._replace(adapter=adapter, averages={})
    frozen = {"networks.net.start": {"params": state.params["net"]}}
    state = initial_state({"net": (learner, learner.init(jax.random.key(0), batch["x"]))}, frozen)

    def many(_, state, batch, *plan):
        return sum(learner.predict(state, batch["x"]) for _ in range(3))

    plain = Method(lambda *_: None, lambda *_: None, many, many)
    method = merging(plain, {"net": learner})
    for function, before in ((method.evaluate, plain.evaluate), (method.sample, plain.sample)):
        merges.clear()
        found = function(jax.random.key(0), state, batch, *[None] * (function is method.sample))
        assert len(merges) == 1
        np.testing.assert_array_equal(found, before(jax.random.key(0), state, batch))
    assert merging(plain, {"net": learner._replace(adapter=None)}) is plain
    assert merging(plain._replace(sample=None), {"net": learner}).sample is None
