"""Losses against their definitions in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from aigc_jax.ops.adversarial import GAMES, threshold

LOGITS = np.linspace(-15, 15, 31)


def sigmoid(t):
    return 1 / (1 + np.exp(-np.asarray(t, np.float64)))


@pytest.mark.parametrize("loss", ["minimax", "non_saturating"])
def test_the_discriminator_minimises_the_value_function_with_its_sign_turned(loss):
    real, fake = np.meshgrid(LOGITS, LOGITS)
    value = np.log(sigmoid(real)) + np.log1p(-sigmoid(fake))
    got = GAMES[loss].discriminator(jnp.float32(real), jnp.float32(fake))
    np.testing.assert_allclose(got, -value, rtol=2e-6)


def test_generators_minimise_their_halves_of_the_value_function():
    np.testing.assert_allclose(GAMES["minimax"].generator(jnp.float32(LOGITS)), np.log1p(-sigmoid(LOGITS)), rtol=2e-6)
    np.testing.assert_allclose(
        GAMES["non_saturating"].generator(jnp.float32(LOGITS)), -np.log(sigmoid(LOGITS)), rtol=2e-6
    )


def test_the_value_where_nothing_can_be_told_is_minus_two_log_two():
    zero = jnp.zeros(3)
    np.testing.assert_allclose(GAMES["non_saturating"].discriminator(zero, zero), 2 * np.log(2), rtol=1e-6)


def test_gradients_of_the_generator_saturate_and_do_not():
    slope = {name: jax.vmap(jax.grad(GAMES[name].generator))(jnp.float32(LOGITS)) for name in GAMES}
    np.testing.assert_allclose(slope["minimax"], -sigmoid(LOGITS), rtol=2e-6)
    np.testing.assert_allclose(slope["non_saturating"], -sigmoid(-LOGITS), rtol=2e-6)
    assert abs(slope["minimax"][0]) < 1e-6 and slope["non_saturating"][0] < -0.999


@pytest.mark.parametrize("loss", GAMES)
def test_losses_and_their_gradients_stay_finite_at_logits_of_any_size(loss):
    game = GAMES[loss]
    far = jnp.array([-1e4, 1e4])
    gradients = jax.grad(lambda r, f: jnp.sum(game.discriminator(r, f) + game.generator(f)), (0, 1))(far, far)
    assert np.isfinite(gradients).all() and np.isfinite(game.discriminator(far, -far)).all()


@pytest.mark.parametrize("loss", GAMES)
def test_the_best_answer_to_a_known_ratio_of_densities(loss):
    """Where real examples are three of four, each loss has the minimum its paper derives."""
    share = 0.75
    answers = jnp.linspace(-3, 3, 6001)
    zero = jnp.zeros_like(answers)
    game = GAMES[loss].discriminator
    expected = share * (game(answers, zero) - game(zero, zero)) + (1 - share) * (game(zero, answers) - game(zero, zero))
    best = answers[jnp.argmin(expected)]
    wanted = {"least_squares": share, "hinge": 1.0}.get(loss, np.log(share / (1 - share)))
    np.testing.assert_allclose(best, wanted, atol=2e-3)
    assert best > threshold(loss)


def test_least_squares_and_hinge_are_the_papers_figures():
    real, fake = jnp.array([2.0, 0.5]), jnp.array([-3.0, 0.25])
    np.testing.assert_allclose(GAMES["least_squares"].discriminator(real, fake), [0.5 + 4.5, 0.125 + 0.03125])
    np.testing.assert_allclose(GAMES["least_squares"].generator(fake), [8.0, 0.28125])
    np.testing.assert_allclose(GAMES["hinge"].discriminator(real, fake), [0.0, 0.5 + 1.25])
    np.testing.assert_allclose(GAMES["hinge"].generator(fake), [3.0, -0.25])
