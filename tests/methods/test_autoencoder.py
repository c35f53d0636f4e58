"""The first stage of latent diffusion: its terms against NumPy, the adaptive weight by hand, who learns from whom."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from aigc_jax.errors import ConfigError
from aigc_jax.learner import Learner
from aigc_jax.method import Batch
from aigc_jax.methods.autoencoder import DELTA, MOST, autoencoder

KEY, SHAPE = jax.random.key(0), (4, 4, 1)
IMAGES = np.random.RandomState(0).uniform(-0.5, 0.5, (6, *SHAPE)).astype(np.float32)
VALUES, DEVIATION, SLOPE, KL, PERCEPTUAL, GAME = 16, 1e-5, 0.25, 0.01, 0.5, 2.0
RATE = 1e-2


class Times(nn.Module):
    """A number times the input."""

    @nn.compact
    def __call__(self, z):
        return self.param("kernel", nn.initializers.constant(0.5), ()) * z


class Scaled(nn.Module):
    """z = x + b but for a little noise, and x' = a z: a is the last layer's kernel, and b the encoder's weight."""

    latent: int = VALUES
    latent_shape: tuple[int, ...] = (2, 4, 2)

    def setup(self):
        self.last = Times()
        self.b = self.param("b", nn.initializers.zeros, ())

    @nn.nowrap
    def last_layer(self):
        return "last", Times(parent=None)

    def encode(self, images):
        mean = images.reshape(len(images), -1) + self.b
        return mean, jnp.full_like(mean, 2 * np.log(DEVIATION))

    def decode(self, z):
        if not self.is_initializing():
            self.sow("last", "input", z)
        return self.last(z).reshape(-1, *SHAPE, 1)

    def __call__(self, images):
        return self.decode(self.encode(images)[0])


class Linear(nn.Module):
    """A discriminator of pixels, c x, whose answers are within the hinge's margins."""

    @nn.compact
    def __call__(self, image, of):
        return self.param(of, nn.initializers.constant(SLOPE), ()) * image[..., 0]


class Squares(nn.Module):
    """A distance without weights."""

    def __call__(self, one, other):
        return jnp.sum((one - other) ** 2, (1, 2, 3))


def method(net=None, discriminator=None, **settings):
    learners = {
        "net": Learner("net", net or Scaled(), optax.sgd(RATE), {}, 1),
        "discriminator": Learner("discriminator", discriminator or Linear(), optax.sgd(RATE), {}, 1),
    }
    common = dict(likelihood="laplace", scale=1.0, kl=KL, perceptual=PERCEPTUAL, adversarial=GAME, shape=SHAPE)
    common = {**common, "frozen": {"perceptual": Squares()}, **settings}
    return autoencoder(learners, **common)


def stepped(made, step=0):
    batch = Batch(jnp.asarray(IMAGES), {})
    state = made.init(KEY, batch, {"perceptual": {}}).replace(step=jnp.int32(step))
    return state, *made.step(KEY, state, batch)


def at_last(state):
    return state.params["net"]["last"]["kernel"]


def slopes(a=0.5, c=SLOPE):
    """d/da of L_rec = mean |x - a x| + log 2 + w Σ (x - a x)² and of L_G = -mean c a x, for z = x."""
    learnt = -np.mean(np.abs(IMAGES)) - PERCEPTUAL * 2 * (1 - a) * np.mean(np.sum(IMAGES**2, (1, 2, 3)))
    return learnt, -c * np.mean(IMAGES)


def moved_judge():
    """The slope of the discriminator after its turn: d/dc of mean(1 - c x) + mean(1 + c a x)."""
    return SLOPE - RATE * (-np.mean(IMAGES) + 0.5 * np.mean(IMAGES))


def test_the_terms_of_the_loss():
    _, _, metrics = stepped(method())
    gap = 0.5 * IMAGES
    assert metrics["reconstruction"] == pytest.approx(np.mean(np.abs(gap)) + np.log(2), rel=1e-3)
    assert metrics["perceptual"] == pytest.approx(np.mean(np.sum(gap**2, (1, 2, 3))), rel=5e-3)
    variance = DEVIATION**2
    divergence = 0.5 * np.sum(variance + IMAGES**2 - 1 - np.log(variance), (1, 2, 3))
    assert metrics["kl"] == pytest.approx(np.mean(divergence), rel=1e-5)
    hinge = np.mean(1 - SLOPE * IMAGES) + np.mean(1 + SLOPE * 0.5 * IMAGES)
    assert metrics["discriminator_loss"] == pytest.approx(hinge, rel=1e-4)
    assert metrics["fooled"] == pytest.approx(-moved_judge() * 0.5 * np.mean(IMAGES), rel=5e-3)


def test_the_adaptive_weight_is_the_ratio_of_the_slopes_at_the_last_kernel():
    """And the update follows the reconstruction's slope and as much again of the game's, times the game's weight."""
    before, after, metrics = stepped(method())
    learnt, played = slopes(c=moved_judge())
    balance = abs(learnt) / (abs(played) + DELTA)
    assert 10 < balance < MOST and metrics["balance"] == pytest.approx(balance, rel=0.01)
    moved = at_last(before) - at_last(after)
    assert moved == pytest.approx(RATE * (learnt + GAME * balance * played), rel=0.01)


def test_the_encoder_learns_from_the_divergence_too():
    """The gradient of b with and without the divergence differs by its slope, w mean(Σ (x + b)) / D."""
    shifted = [stepped(method(kl=kl, adversarial=0.0))[1].params["net"]["b"] for kl in (KL, 0.0)]
    assert shifted[0] - shifted[1] == pytest.approx(-RATE * KL * np.mean(IMAGES), rel=0.02)


@pytest.mark.parametrize("settings", [dict(adversarial=0.0), dict(adversarial_from=3)])
def test_without_the_game_only_the_reconstruction_counts(settings):
    before, after, metrics = stepped(method(**settings), step=2)
    moved = at_last(before) - at_last(after)
    assert moved == pytest.approx(RATE * slopes()[0], rel=0.01)
    np.testing.assert_array_equal(after.params["discriminator"]["image"], SLOPE)
    assert metrics.get("balance", 0) == 0 == metrics.get("discriminator_loss", 0)


def test_the_game_begins_at_its_step():
    _, after, metrics = stepped(method(adversarial_from=3), step=3)
    assert metrics["balance"] > 0 and after.params["discriminator"]["image"] != SLOPE


def test_without_weight_nothing_of_the_game_is_computed():
    made = method(adversarial=0.0)
    batch = Batch(jnp.asarray(IMAGES), {})
    state = made.init(KEY, batch, {"perceptual": {}})
    traced = jax.make_jaxpr(made.step)(KEY, state, batch).jaxpr
    given = dict(zip([p for p, _ in jax.tree.leaves_with_path((KEY, state, batch))], traced.invars, strict=True))
    (judge,) = [var for path, var in given.items() if "'discriminator'" in jax.tree_util.keystr(path)]
    assert judge in traced.outvars and not any(judge in eqn.invars for eqn in traced.eqns)


def test_neither_player_moves_the_other():
    """Each one's gradient is zero of what the other one alone could learn."""
    before, after, _ = stepped(method())
    assert moved_judge() == pytest.approx(float(after.params["discriminator"]["image"]), rel=1e-5)

    class Blind(nn.Module):
        """Its weight is no part of what it says of reconstructions: the generator's loss would move it all the same."""

        @nn.compact
        def __call__(self, image, of):
            c = self.param(of, nn.initializers.constant(SLOPE), ())
            return jax.lax.stop_gradient(c) * image[..., 0] + 0 * c

    blind = stepped(method(discriminator=Blind()))[1]
    assert blind.params["discriminator"]["image"] == SLOPE
    # The autoencoder's turn comes with a discriminator that has not moved, and differs from the other by that alone.
    learnt, played = slopes()
    balance = abs(learnt) / (abs(played) + DELTA)
    moved = at_last(before) - at_last(blind)
    assert moved == pytest.approx(RATE * (learnt + GAME * balance * played), rel=0.01)


def test_what_is_measured():
    made, batch = method(), Batch(jnp.asarray(IMAGES), {})
    state = made.init(KEY, batch, {"perceptual": {}})
    found = {name: measure.total for name, measure in made.evaluate(KEY, state, batch).items()}
    gap = 0.5 * IMAGES
    np.testing.assert_allclose(found["l1"], np.mean(np.abs(gap), (1, 2, 3)), rtol=0.01)
    np.testing.assert_allclose(found["psnr"], 10 * np.log10(4 / np.mean(gap**2, (1, 2, 3))), rtol=0.01)
    np.testing.assert_allclose(found["perceptual"], np.sum(gap**2, (1, 2, 3)), rtol=0.02)
    np.testing.assert_allclose(found["latent_square"], np.mean(IMAGES**2, (1, 2, 3)), rtol=0.02)
    for i in range(2):
        channel = IMAGES.reshape(6, 8, 2)[..., i].mean(1)
        np.testing.assert_allclose(found[f"latent_mean_{i}"], channel, atol=1e-4)
    told = 0.5 * (np.mean(IMAGES > 0, (1, 2, 3)) + np.mean(gap <= 0, (1, 2, 3)))
    np.testing.assert_allclose(found["accuracy"], told, atol=0.05)
    assert made.sample is None


class Unnamed(nn.Module):
    """A network that does not say which layer is its last."""

    latent: int = VALUES


class Wide(Squares):
    smallest = 31


@pytest.mark.parametrize(
    "settings, said",
    [
        (dict(net=Unnamed()), "Unnamed does not say which layer is its last: set it to 0"),
        (
            dict(frozen={}),
            "no network gives that distance: set it to 0, or --config.frozen.perceptual.weights=lpips:alex",
        ),
        (dict(perceptual=0.0), "nothing reads frozen.perceptual: leave it out"),
        (dict(frozen={"perceptual": Wide()}), "images are 4 × 4, where the distance takes 31 × 31 or more"),
        (dict(scale=0.0), "set networks.net.parameters=2"),
    ],
)
def test_what_does_not_go_together_is_refused(settings, said):
    with pytest.raises(ConfigError) as error:
        method(**settings).init(KEY, Batch(jnp.asarray(IMAGES), {}), {"perceptual": {}})
    assert said in str(error.value)
