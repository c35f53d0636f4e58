"""Consistency distillation against normal data, whose probability flow is known."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from aigc_jax.learner import Learner
from aigc_jax.method import Batch
from aigc_jax.methods.consistency import consistency
from aigc_jax.ops.diffusion.process import CLOCK, EARLIEST, EDM_CLOCK, EDM_LEAST, process

MEAN, STD = 0.1, 0.4  # of the data
SHAPE = (4, 4, 1)
ENDS = {"flow": EARLIEST, "edm": EDM_LEAST}


class Known(nn.Module):
    """What the teacher or the perfect student predicts of normal data, times a weight that starts at 1."""

    schedule: str
    perfect: bool

    @nn.compact
    def __call__(self, x, t, train):
        chosen = process(self.schedule)
        t = jnp.exp(t / EDM_CLOCK) if self.schedule == "edm" else t / CLOCK
        alpha, sigma = chosen.at(t, x)
        variance = (alpha * STD) ** 2 + sigma**2
        found = MEAN + alpha * STD**2 / variance * (x - alpha * MEAN)
        if self.perfect:
            alpha_end, sigma_end = chosen.at(jnp.full_like(t, ENDS[self.schedule]), x)
            end = alpha_end * MEAN + jnp.sqrt(((alpha_end * STD) ** 2 + sigma_end**2) / variance) * (x - alpha * MEAN)
            c, c_end = alpha + sigma, alpha_end + sigma_end
            kept = sigma_end / c_end / (sigma / c)
            found = jnp.where(kept > 0.999, found, (end / c_end - kept * x / c) / jnp.maximum(1 - kept, 1e-3))
        return self.param("weight", nn.initializers.ones, ()) * found


def made(schedule, perfect, places=40):
    learners = {"net": Learner("net", Known(schedule, perfect), optax.sgd(1e-2), {}, 1)}
    method = consistency(
        learners, frozen={"teacher": Known(schedule, False)}, schedule=schedule, prediction="data", places=places,
        shape=SHAPE, levels=0,
    )  # fmt: skip
    teacher = {"params": {"weight": jnp.float32(1)}}
    return method, method.init(jax.random.key(0), images(4), {"teacher": teacher})


def images(count, key=0):
    return Batch(MEAN + STD * jax.random.normal(jax.random.key(key), (count, *SHAPE)), {})


def distance(schedule, perfect, places=40):
    method, state = made(schedule, perfect, places)
    return float(jax.jit(method.evaluate)(jax.random.key(1), state, images(500))["distance"].total.mean())


@pytest.mark.parametrize("schedule", ENDS)
def test_only_the_perfect_student_is_consistent_but_for_the_teacher_s_steps(schedule):
    perfect, finer, teacher = distance(schedule, True), distance(schedule, True, 160), distance(schedule, False)
    assert finer < perfect / 8 < teacher / 40


@pytest.mark.parametrize("steps", [1, 3])
@pytest.mark.parametrize("schedule", ENDS)
def test_the_perfect_student_draws_the_data_in_any_number_of_steps(schedule, steps):
    method, state = made(schedule, True)
    keys = jax.random.split(jax.random.key(1), 3000)
    x = jax.jit(method.sample)(keys, state, {}, method.plan(steps=steps, spacing="karras"))
    assert float(x.mean()) == pytest.approx(MEAN, abs=6 * STD / np.sqrt(x.size))
    assert float(x.std()) == pytest.approx(STD, rel=0.02)


@pytest.mark.parametrize("schedule", ENDS)
def test_a_step_brings_a_wrong_student_nearer(schedule):
    method, state = made(schedule, True)
    wrong = state.replace(params={"net": {"weight": jnp.float32(0.8)}})
    after, metrics = jax.jit(method.step)(jax.random.key(2), wrong, images(256))
    assert np.isfinite(metrics["distance"]) and set(metrics) == {"distance", "net_gradient"}
    teacher = state.frozen["teacher"]["params"]["weight"]
    assert float(teacher) == 1 and float(after.params["net"]["weight"]) > 0.8
