"""Optimizers against their papers' formulas, computed apart."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from aigc_jax.ops.optimizer import FINAL_RATE, optimizer, rate, rate_at

PLAIN = dict(
    learning_rate=0.1,
    schedule="constant",
    warmup_steps=0,
    reference_steps=1,
    b1=0.9,
    b2=0.99,
    eps=1e-8,
    weight_decay=0.0,
    clip_norm=0.0,
    unit_norm="",
)


def walk(kind, gradients, start, **changes):
    tx = optimizer(kind, 100, **{**PLAIN, **changes})
    params = {"w": jnp.asarray(start)}
    state = tx.init(params)
    for gradient in gradients:
        updates, state = tx.update({"w": jnp.asarray(gradient)}, state, params)
        params = {"w": params["w"] + updates["w"]}
    return np.asarray(params["w"])


def test_adam_is_kingma_and_ba():
    gradients = [np.array([[1.0, -2.0]]), np.array([[0.5, 3.0]]), np.array([[-1.0, 0.1]])]
    w, m, v = np.array([[0.3, 0.4]]), 0.0, 0.0
    for t, g in enumerate(gradients, 1):
        m, v = 0.9 * m + 0.1 * g, 0.99 * v + 0.01 * g**2
        w = w - 0.1 * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.99**t)) + 1e-8)
    np.testing.assert_allclose(walk("adam", gradients, [[0.3, 0.4]]), w, rtol=1e-5)


def test_decay_is_decoupled_and_spares_vectors():
    gradient = np.zeros((2, 2))
    np.testing.assert_allclose(walk("adamw", [gradient], np.ones((2, 2)), weight_decay=0.5), np.full((2, 2), 0.95))
    np.testing.assert_allclose(walk("adamw", [np.zeros(2)], np.ones(2), weight_decay=0.5), np.ones(2))


def test_clipping_scales_to_the_norm():
    np.testing.assert_allclose(walk("sgd", [[3.0, 4.0]], [0.0, 0.0], clip_norm=1.0), [-0.06, -0.08], rtol=1e-6)


@pytest.mark.parametrize("schedule", ["constant", "cosine", "linear"])
def test_schedules_warm_up_and_end(schedule):
    schedule_of = rate(2.0, schedule, 10, 110)
    np.testing.assert_allclose(
        [schedule_of(0), schedule_of(4), schedule_of(9), schedule_of(10)], [0.2, 1.0, 2.0, 2.0], rtol=1e-6
    )
    middle = {"constant": 2.0, "cosine": 2 * (1 + FINAL_RATE) / 2, "linear": 2 * (1 + FINAL_RATE) / 2}[schedule]
    np.testing.assert_allclose(schedule_of(60), middle, rtol=1e-6)
    np.testing.assert_allclose(schedule_of(110), 2.0 if schedule == "constant" else 2 * FINAL_RATE, rtol=1e-6)


@pytest.mark.parametrize("schedule", ["constant", "cosine", "linear", "trapezoid", "inverse_sqrt"])
@pytest.mark.parametrize(("warmup", "steps"), [(0, 20), (1, 20), (5, 20), (30, 20), (20, 20)])
def test_the_rate_that_is_logged_is_the_one_that_is_used(schedule, warmup, steps):
    used = rate(2.0, schedule, warmup, steps, 3)
    said = [rate_at(2.0, schedule, warmup, steps, done, 3) for done in range(25)]
    np.testing.assert_allclose(said, [used(done) for done in range(25)], rtol=1e-5, atol=1e-6)


def test_a_trapezoid_is_constant_for_one_half_and_then_falls_to_0():
    """CycleGAN (Zhu et al. 2017, section 4): the same rate for 100 epochs, and linearly to zero over the next 100."""
    used = rate(2e-4, "trapezoid", 0, 200)
    found = [used(done) for done in (0, 99, 100, 150, 175, 200)]
    np.testing.assert_allclose(found, [2e-4, 2e-4, 2e-4, 1e-4, 5e-5, 0], rtol=1e-5)


def test_the_inverse_square_root_counts_from_the_first_update():
    """EDM2 (eq. 67): the reference rate over sqrt(max(t / t_ref, 1)), with a linear warm-up before it."""
    used = rate(0.01, "inverse_sqrt", 10, 1000, 70)
    found = [used(done) for done in (0, 9, 10, 70, 280, 7000)]
    np.testing.assert_allclose(found, [0.001, 0.01, 0.01, 0.01, 0.005, 0.001], rtol=1e-5)


def test_unit_norms_are_those_of_each_output_and_of_what_matches_alone():
    params = {"a": {"kernel": jnp.array([[3.0, 0.5], [4.0, 0.5]])}, "b": {"table": jnp.full((2, 2), 7.0)}}
    params["a"]["gain"] = jnp.float32(3.0)
    tx = optimizer("sgd", 10, **{**PLAIN, "unit_norm": "^a/"})
    grads = jax.tree.map(jnp.ones_like, params)
    updates, _ = tx.update(grads, tx.init(params), params)
    moved = jax.tree.map(jnp.add, params, updates)
    expected = np.array([[2.9, 0.4], [3.9, 0.4]])
    np.testing.assert_allclose(moved["a"]["kernel"], expected / np.sqrt(np.mean(expected**2, axis=0)), rtol=1e-5)
    np.testing.assert_allclose(moved["a"]["gain"], 2.9, rtol=1e-6)
    np.testing.assert_allclose(moved["b"]["table"], 6.9, rtol=1e-6)
    still = {"a": {"kernel": jnp.zeros((2, 2))}}
    updates, _ = tx.update(still, tx.init(still), still)
    assert not updates["a"]["kernel"].any(), "weights of 0 have no norm to bring to 1"


def test_rmsprop_is_tieleman_and_hintons():
    gradients = [np.array([[1.0, -2.0]]), np.array([[0.5, 3.0]]), np.array([[-1.0, 0.1]])]
    w, square = np.array([[0.3, 0.4]]), 0.0
    for g in gradients:
        square = 0.99 * square + 0.01 * g**2
        w = w - 0.1 * g / (np.sqrt(square) + 1e-8)
    np.testing.assert_allclose(walk("rmsprop", gradients, [[0.3, 0.4]]), w, rtol=1e-5)
