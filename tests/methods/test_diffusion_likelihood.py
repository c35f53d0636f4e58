"""The likelihood by the flow as part of the family: every process and prediction, and what an evaluation measures."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from scipy import stats

from aigc_jax.errors import ConfigError
from aigc_jax.learner import Learner
from aigc_jax.method import Batch
from aigc_jax.methods.diffusion import diffusion
from aigc_jax.ops.diffusion import parameterisation
from aigc_jax.ops.diffusion.process import CLOCK, EDM_CLOCK, process

MEAN, STD = 0.1, 0.3  # of the data
SHAPE = (2, 3, 1)
PAIRS = [
    *[(schedule, prediction) for schedule in ("flow", "vp") for prediction in ("noise", "data", "velocity", "flow")],
    *[("edm", "edm"), ("edm", "noise"), ("ve", "noise"), ("trigonometric", "velocity"), ("trigonometric", "noise")],
    *[("linear", "noise"), ("cosine", "velocity")],
]


class Wise(nn.Module):
    """What a network of any prediction says that knows normal data, of twice the mean where `label` is 1."""

    schedule: str
    prediction: str
    reads: tuple = ()

    @nn.compact
    def __call__(self, x, t, given=None, kept=None, *, train):
        chosen = process(self.schedule, 20)
        if not chosen.steps:
            t = jnp.exp(t / EDM_CLOCK) if self.schedule == "edm" else t / CLOCK
        scales = parameterisation.scales(self.prediction, chosen, t, x)
        x = x / scales.into
        alpha, sigma = chosen.at(t, x)
        mean = MEAN if given is None else jnp.where(given["label"] == 1, 2 * MEAN, MEAN)[:, None, None, None]
        best = mean + alpha * STD**2 / ((alpha * STD) ** 2 + sigma**2) * (x - alpha * mean)
        return self.param("weight", nn.initializers.ones, ()) * (best - scales.skip * x) / scales.out


def made(schedule, prediction, reads=(), **changes):
    settings = dict(
        schedule=schedule, prediction=prediction, timesteps=20 * (schedule in ("linear", "cosine")), bound_terms=4,
        clip=False, drop=0.0, shape=SHAPE, levels=256, frozen={},
    )  # fmt: skip
    learner = Learner("net", Wise(schedule, prediction, reads), optax.adam(1e-2), {}, 1)
    return diffusion({"net": learner}, **{**settings, **changes})


def images(rows, label=0):
    x = MEAN + STD * jax.random.normal(jax.random.key(0), (rows, *SHAPE))
    return Batch(x, {"label": jnp.full(rows, label)})


def started(method, rows=4):
    return method.init(jax.random.key(0), images(rows), {})


def density(schedule, x0, mean=MEAN):
    """The flow of normal data is linear, from its first time to the prior at the last, in float64."""
    chosen = process(schedule, 20)
    (alpha, sigma), (alpha_last, sigma_last) = chosen.on_host(chosen.first), chosen.on_host(chosen.last)
    slope = np.hypot(alpha_last * STD, sigma_last) / np.hypot(alpha * STD, sigma)
    end = alpha_last * mean + slope * (alpha * np.asarray(x0, np.float64) - alpha * mean)
    return (stats.norm(0, chosen.prior).logpdf(end) + np.log(slope * alpha)).sum((1, 2, 3))


@pytest.mark.parametrize(("schedule", "prediction"), PAIRS)
def test_every_process_and_prediction_has_the_flow_s_density(schedule, prediction):
    method, x0 = made(schedule, prediction), images(5).target
    part = jax.jit(lambda state, x0: method.parts["log_density"](jax.random.key(0), state, x0, {}, steps=30, draws=1))
    found = np.asarray(part(started(method), x0))
    np.testing.assert_allclose(found, density(schedule, x0), atol=6 * 1e-3)
    if schedule in ("flow", "vp", "edm", "trigonometric"):  # the others leave more noise, or begin with less
        np.testing.assert_allclose(found, stats.norm(MEAN, STD).logpdf(x0).sum((1, 2, 3)), atol=0.1)


def mean(measure):
    return float(measure.total.sum() / measure.weight.sum())


@pytest.mark.parametrize(("schedule", "prediction"), [("flow", "flow"), ("linear", "noise")])
def test_an_evaluation_measures_it_beside_the_bound(schedule, prediction):
    """Also of a grid, between whose steps λ is interpolated; all else that is measured stays as it was."""
    plain, asked = made(schedule, prediction), made(schedule, prediction, flow_likelihood=20)
    state, batch, key = started(plain), images(256), jax.random.key(1)
    before = jax.jit(plain.evaluate)(key, state, batch)
    after = dict(jax.jit(asked.evaluate)(key, state, batch))
    bits = after.pop("bits_per_dim_ode")
    assert bits.total.shape == (256,) and before.keys() == after.keys()
    for name, measure in before.items():
        np.testing.assert_allclose(measure.total, after[name].total, rtol=1e-5)
    level = 1 / 255  # dequantisation widens each value by at most this, whose effect is of second order
    expected = -(density(schedule, batch.target).mean() / 6 + np.log(2 * level)) / np.log(2)
    assert mean(bits) == pytest.approx(expected, abs=0.01)
    if schedule == "flow":
        assert mean(bits) < mean(after["bits_per_dim"])


def test_it_is_of_what_is_given():
    method = made("flow", "flow", reads=("label",), flow_likelihood=12)
    found = [jax.jit(method.evaluate)(jax.random.key(1), started(method), images(64, label)) for label in (0, 1)]
    expected = [
        -(density("flow", images(64).target, mean).mean() / 6 + np.log(2 / 255)) / np.log(2) for mean in (0.1, 0.2)
    ]
    assert [mean(each["bits_per_dim_ode"]) for each in found] == pytest.approx(expected, abs=0.01)
    assert expected[1] - expected[0] > 0.05


def test_data_without_levels_have_no_bits():
    with pytest.raises(ConfigError, match=r"method\.flow_likelihood"):
        made("flow", "flow", levels=0, flow_likelihood=10)
