"""Losses against their definitions in float64, and penalties where the critic's gradient is known."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from aigc_jax.ops.adversarial import GAMES, gradient_penalty, r1, r2, told_apart

KEY = jax.random.key(2)
LOGITS = np.linspace(-15, 15, 31)


def same(logits):
    """The critic of examples that are their own logits."""
    return logits


def discriminator(loss, real, fake):
    return GAMES[loss].discriminator(same, real, fake)


def generator(loss, fake):
    return GAMES[loss].generator(same, jnp.zeros_like(fake), fake)


def sigmoid(t):
    return 1 / (1 + np.exp(-np.asarray(t, np.float64)))


@pytest.mark.parametrize("loss", ["minimax", "non_saturating"])
def test_the_discriminator_minimises_the_value_function_with_its_sign_turned(loss):
    real, fake = np.meshgrid(LOGITS, LOGITS)
    value = np.log(sigmoid(real)) + np.log1p(-sigmoid(fake))
    got = discriminator(loss, jnp.float32(real), jnp.float32(fake))
    np.testing.assert_allclose(got, -value, rtol=2e-6)


def test_generators_minimise_their_halves_of_the_value_function():
    np.testing.assert_allclose(generator("minimax", jnp.float32(LOGITS)), np.log1p(-sigmoid(LOGITS)), rtol=2e-6)
    np.testing.assert_allclose(generator("non_saturating", jnp.float32(LOGITS)), -np.log(sigmoid(LOGITS)), rtol=2e-6)


def test_the_value_where_nothing_can_be_told_is_minus_two_log_two():
    zero = jnp.zeros(3)
    np.testing.assert_allclose(discriminator("non_saturating", zero, zero), 2 * np.log(2), rtol=1e-6)


def test_gradients_of_the_generator_saturate_and_do_not():
    slope = {name: jax.vmap(jax.grad(lambda t, name=name: generator(name, t)))(jnp.float32(LOGITS)) for name in GAMES}
    np.testing.assert_allclose(slope["minimax"], -sigmoid(LOGITS), rtol=2e-6)
    np.testing.assert_allclose(slope["non_saturating"], -sigmoid(-LOGITS), rtol=2e-6)
    assert abs(slope["minimax"][0]) < 1e-6 and slope["non_saturating"][0] < -0.999


@pytest.mark.parametrize("loss", GAMES)
def test_losses_and_their_gradients_stay_finite_at_logits_of_any_size(loss):
    far = jnp.array([-1e4, 1e4])
    gradients = jax.grad(lambda r, f: jnp.sum(discriminator(loss, r, f) + generator(loss, f)), (0, 1))(far, far)
    assert np.isfinite(gradients).all() and np.isfinite(discriminator(loss, far, -far)).all()


@pytest.mark.parametrize("loss", [name for name, game in GAMES.items() if game.border is not None])
def test_the_best_answer_to_a_known_ratio_of_densities(loss):
    """Where real examples are three of four, each loss has the minimum its paper derives."""
    share = 0.75
    answers = jnp.linspace(-3, 3, 6001)
    zero = jnp.zeros_like(answers)
    game = partial(discriminator, loss)
    expected = share * (game(answers, zero) - game(zero, zero)) + (1 - share) * (game(zero, answers) - game(zero, zero))
    best = answers[jnp.argmin(expected)]
    wanted = {"least_squares": share, "hinge": 1.0}.get(loss, np.log(share / (1 - share)))
    np.testing.assert_allclose(best, wanted, atol=2e-3)
    assert best > GAMES[loss].border


def test_the_relativistic_game_is_of_differences_alone():
    """-log sigmoid of how much more real the one is; the generator's is the same of the turned pair."""
    real, fake = np.meshgrid(LOGITS, LOGITS)
    game = GAMES["relativistic"]
    difference = jnp.float32(real), jnp.float32(fake)
    np.testing.assert_allclose(game.discriminator(same, *difference), np.logaddexp(0, fake - real), rtol=1e-5)
    np.testing.assert_allclose(game.generator(same, *difference), np.logaddexp(0, real - fake), rtol=1e-5)
    shifted = game.discriminator(lambda logits: logits + 7, *difference)
    np.testing.assert_allclose(shifted, game.discriminator(same, *difference), atol=1e-5)


def test_the_wasserstein_game_is_the_difference_of_means():
    real, fake = jnp.array([2.0, 0.5]), jnp.array([-3.0, 0.25])
    np.testing.assert_allclose(discriminator("wasserstein", real, fake), [-5.0, -0.25])
    np.testing.assert_allclose(generator("wasserstein", fake), [3.0, -0.25])


def test_what_is_told_rightly_is_counted_by_the_border_or_in_pairs():
    real, fake = jnp.array([0.7, 0.2, -2.0]), jnp.array([0.6, -1.0, -3.0])
    np.testing.assert_allclose(told_apart("hinge", real, fake), [0.5, 1.0, 0.5])
    np.testing.assert_allclose(told_apart("least_squares", real, fake), [0.5, 0.5, 0.5])
    np.testing.assert_allclose(told_apart("wasserstein", real, fake), [1.0, 1.0, 1.0])
    np.testing.assert_allclose(told_apart("relativistic", fake, real), [0.0, 0.0, 0.0])


def test_least_squares_and_hinge_are_the_papers_figures():
    real, fake = jnp.array([2.0, 0.5]), jnp.array([-3.0, 0.25])
    np.testing.assert_allclose(discriminator("least_squares", real, fake), [0.5 + 4.5, 0.125 + 0.03125])
    np.testing.assert_allclose(generator("least_squares", fake), [8.0, 0.28125])
    np.testing.assert_allclose(discriminator("hinge", real, fake), [0.0, 0.5 + 1.25])
    np.testing.assert_allclose(generator("hinge", fake), [3.0, -0.25])


IMAGES = jax.random.normal(jax.random.key(0), (2, 5, 4, 3, 2))  # real and fake, five of each
SLOPE = jax.random.normal(jax.random.key(1), (4, 3, 2))


def linear(images):
    return jnp.sum(images * SLOPE, axis=(1, 2, 3)) + 0.5


def quadratic(images):
    return 0.5 * jnp.sum(images**2, axis=(1, 2, 3))


def test_penalties_of_a_linear_critic_are_those_of_its_one_slope():
    length = np.linalg.norm(np.asarray(SLOPE, np.float64))
    got = gradient_penalty(linear, *IMAGES, KEY)
    np.testing.assert_allclose(got, np.full(5, (length - 1) ** 2), rtol=1e-5)
    np.testing.assert_allclose(r1(linear, *IMAGES, KEY), np.full(5, length**2 / 2), rtol=1e-5)


def test_r1_of_a_quadratic_critic_is_half_the_squared_length_of_each_real_image():
    squares = np.sum(np.asarray(IMAGES[0], np.float64) ** 2, axis=(1, 2, 3))
    np.testing.assert_allclose(r1(quadratic, *IMAGES, KEY), squares / 2, rtol=1e-5)
    np.testing.assert_allclose(r2(quadratic, *IMAGES[::-1], KEY), squares / 2, rtol=1e-5)


def test_the_gradient_penalty_is_taken_between_real_and_fake_anywhere_on_the_line():
    """The slope of the quadratic critic is the image itself: from its length follows where it was taken."""
    real, fake = jnp.full((4096, 1, 1, 1), 3.0), jnp.full((4096, 1, 1, 1), 1.0)
    shares = (jnp.sqrt(gradient_penalty(quadratic, real, fake, KEY)) + 1 - 1) / 2
    np.testing.assert_allclose(np.quantile(shares, [0, 0.25, 0.5, 0.75, 1]), [0, 0.25, 0.5, 0.75, 1], atol=0.03)


def test_a_critic_without_slope_has_a_finite_gradient():
    """The length of a vector has none at zero: rectifiers that are all off bring a critic there."""
    got, slope = jax.value_and_grad(lambda w: jnp.sum(gradient_penalty(lambda x: w * linear(x), *IMAGES, KEY)))(0.0)
    assert (got, np.isfinite(slope)) == (5.0, True)
