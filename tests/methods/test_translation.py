"""The losses of translation against closed forms, what its terms are for, and both of its directions."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from aigc_jax.errors import ConfigError
from aigc_jax.learner import Learner
from aigc_jax.method import Batch
from aigc_jax.methods.translation import translation

KEY = jax.random.key(0)
FIELDS = ("x", "y")
SHAPE = (6, 4, 4, 1)
X, Y = np.random.RandomState(0).uniform(size=(2, *SHAPE)).astype(np.float32)


class Scaled(nn.Module):
    """The image, times a number of the field that is made."""

    @nn.compact
    def __call__(self, image, to, noisy=False):
        return self.param(f"to_{to}", nn.initializers.constant(2.0 if to == "y" else 3.0), ()) * image


class Constant(nn.Module):
    """The same value everywhere, whatever is given."""

    @nn.compact
    def __call__(self, image, to, noisy=False):
        return self.param("value", nn.initializers.zeros, ()) * jnp.ones_like(image)


class Indifferent(nn.Module):
    """A discriminator that gives 0 for each row of an image."""

    @nn.compact
    def __call__(self, image, of, beside=None):
        return self.param(of, nn.initializers.zeros, ()) * jnp.ones(image.shape[:3])


class OfProducts(nn.Module):
    """A discriminator that reads the product of the two images, or of the second alone."""

    pairs: bool

    @nn.compact
    def __call__(self, image, of, beside):
        slope = self.param("slope", nn.initializers.zeros, ())
        return slope * (beside * image if self.pairs else image)[..., 0]


def method(generator, discriminator, rate=1e-3, **settings):
    sgd = optax.sgd(rate)
    learners = {
        "generator": Learner("generator", generator, sgd, {}, 1),
        "discriminator": Learner("discriminator", discriminator, sgd, {}, 1),
    }
    return translation(learners, fields=FIELDS, **settings)


def paired(generator, discriminator, rate=1e-3, **settings):
    return method(generator, discriminator, rate, task="paired", loss="non_saturating", **settings)


def unpaired(**settings):
    return method(Scaled(), Indifferent(), 0.0, task="unpaired", **settings)


def stepped(made, batch):
    return made.step(KEY, made.init(KEY, batch, {}), batch)


def test_the_losses_of_an_indifferent_discriminator_of_pairs():
    """Each of its answers costs log 2, for both players, and the discriminator's two are halved."""
    _, metrics = stepped(paired(Constant(), Indifferent(), l1=100.0), Batch(Y, {"x": X}))
    assert metrics["discriminator_loss"] == pytest.approx(np.log(2))
    assert metrics["generator_loss"] == pytest.approx(np.log(2), abs=1e-4)
    assert metrics["l1"] == pytest.approx(np.mean(Y))


def test_the_losses_of_two_indifferent_discriminators_by_squares():
    """(0 - 1)² for the generator of each field; (0 - 1)² + 0² for its discriminator, halved (CycleGAN, section 7.1)."""
    _, metrics = stepped(unpaired(loss="least_squares"), Batch(Y, {"x": X}))
    assert metrics["generator_loss"] == pytest.approx(2)
    assert metrics["discriminator_loss"] == pytest.approx(1)


@pytest.mark.parametrize("distance, of", [("l1", np.abs), ("mse", np.square)])
def test_there_and_back_and_of_one_s_own_field(distance, of):
    """To y is times 2, to x times 3: there and back is times 6, from either side."""
    made = unpaired(loss="least_squares", cycle=10.0, cycle_distance=distance, identity=5.0)
    _, metrics = stepped(made, Batch(Y, {"x": X}))
    assert metrics["cycle"] == pytest.approx(np.mean(of(5 * X)) + np.mean(of(5 * Y)), rel=1e-5)
    assert metrics["identity"] == pytest.approx(np.mean(Y) + 2 * np.mean(X), rel=1e-5)
    measured = made.evaluate(KEY, made.init(KEY, Batch(Y, {"x": X}), {}), Batch(Y, {"x": X}))
    np.testing.assert_allclose(measured["cycle_y"].total, np.mean(5 * Y, (1, 2, 3)), rtol=1e-5)
    np.testing.assert_allclose(measured["cycle_x"].total, np.mean(5 * X, (1, 2, 3)), rtol=1e-5)


def test_variety_is_of_each_field_that_is_made():
    """To y is times 2 and to x times 3, so that what is made is as far apart as what it is made of, times these."""
    made = unpaired(loss="least_squares")
    batch = Batch(Y, {"x": X})
    measured = made.evaluate(KEY, made.init(KEY, batch, {}), batch)
    apart = {name: np.sqrt(np.sum((each - np.roll(each, 1, 0)) ** 2, (1, 2, 3))) for name, each in (("x", X), ("y", Y))}
    np.testing.assert_allclose(measured["variety_y"].total, 2 * apart["x"], rtol=1e-5)
    np.testing.assert_allclose(measured["variety_x"].total, 3 * apart["y"], rtol=1e-5)
    np.testing.assert_allclose(measured["variety_y"].weight, apart["y"], rtol=1e-5)
    assert made.diagnose({"variety_x": 0.9, "variety_y": 0.1}) and not made.diagnose({"variety_x": 0.9})


def test_one_update_follows_the_gradient_of_the_weighted_sum():
    """Of a generator times a to y and b to x, d/da of 10 (|abx - x| + |aby - y|) + 5 |ay - y| at 2, 3."""
    made = method(Scaled(), Indifferent(), 1.0, task="unpaired", loss="least_squares", cycle=10.0, identity=5.0)
    state, _ = stepped(made, Batch(Y, {"x": X}))
    slope = 10 * 3 * (np.mean(X) + np.mean(Y)) + 5 * np.mean(Y)
    # The discriminators read no image: the game has no gradient.
    assert 2 - state.params["generator"]["to_y"] == pytest.approx(slope, rel=1e-5)


def test_the_l1_term_leads_to_the_median():
    """Of three targets for the same image; the least squares would lead to their mean, 1/3."""
    targets = jnp.array([-0.5, 0.75, 0.75]).reshape(3, 1, 1, 1)
    batch = Batch(targets, {"x": jnp.ones((3, 1, 1, 1))})
    made = paired(Constant(), Indifferent(), 0.05, l1=1.0)
    state, step = made.init(KEY, batch, {}), jax.jit(made.step)
    for _ in range(100):
        state, _ = step(KEY, state, batch)
    np.testing.assert_allclose(state.params["generator"]["value"], 0.75, atol=0.05)


def test_only_a_discriminator_of_pairs_sees_that_an_image_is_another_one_s():
    """Real pairs are of equal images. The fakes are of the same two images as the real ones, in the wrong pairs."""

    class Wrong(nn.Module):
        @nn.compact
        def __call__(self, image, to, noisy=False):
            return -image + 0 * self.param("none", nn.initializers.zeros, ())

    images = jnp.array([-1.0, 1.0]).reshape(2, 1, 1, 1)
    losses = {}
    for pairs in (True, False):
        made = paired(Wrong(), OfProducts(pairs), 2.0)
        batch = Batch(images, {"x": images})
        state, step = made.init(KEY, batch, {}), jax.jit(made.step)
        for _ in range(60):
            state, metrics = step(KEY, state, batch)
        losses[pairs] = float(metrics["discriminator_loss"])
    assert losses[True] < 0.05
    assert losses[False] == pytest.approx(np.log(2))


def test_the_pool_holds_what_was_made_before():
    """Four images fill a pool of 4, so the first step shows its own; the next step's take the place of some."""
    made = unpaired(loss="least_squares", pool=4)
    first, second = (Batch(Y[:4] + i, {"x": X[:4] + i}) for i in range(2))
    state, _ = stepped(made, first)
    np.testing.assert_allclose(state.extra["pool"]["y"].held[0], 2 * X[:4], rtol=1e-6)
    np.testing.assert_allclose(state.extra["pool"]["x"].held[0], 3 * Y[:4], rtol=1e-6)
    state, _ = made.step(KEY, state, second)
    held = np.asarray(state.extra["pool"]["y"].held[0])
    old = [any(np.allclose(image, 2 * x) for x in X[:4]) for image in held]
    new = [any(np.allclose(image, 2 * x + 2) for x in X[:4]) for image in held]
    assert all(a != b for a, b in zip(old, new, strict=True))
    assert sum(new) > 0


def test_a_discriminator_of_pairs_is_shown_old_pairs_whole():
    made = paired(Scaled(), OfProducts(True), pool=3)
    state, _ = stepped(made, Batch(Y[:3], {"x": X[:3]}))
    image, beside = state.extra["pool"]["y"].held
    np.testing.assert_allclose(image, 2 * beside, rtol=1e-6)


def test_either_field_is_made_by_the_weights_of_one_state():
    made = unpaired(loss="least_squares", cycle=1.0)
    state = made.init(KEY, Batch(Y, {"x": X}), {})
    keys = jax.random.split(KEY, len(X))
    np.testing.assert_allclose(made.sample(keys, state, {"x": X}, {}), 2 * X, rtol=1e-6)
    np.testing.assert_allclose(made.sample(keys, state, {"y": Y}, {}), 3 * Y, rtol=1e-6)
    assert (made.targets, paired(Scaled(), OfProducts(True)).targets) == (FIELDS, ())


def test_training_towards_one_field_trains_the_other_as_well():
    """The tasks x -> y and y -> x are one: the same losses and gradients of both."""
    made = method(Scaled(), Indifferent(), 0.01, task="unpaired", loss="least_squares", cycle=1.0, pool=2)
    there, _ = stepped(made, Batch(Y, {"x": X}))
    back, _ = stepped(made, Batch(X, {"y": Y}))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6), there.params, back.params)
    jax.tree.map(np.testing.assert_array_equal, there.extra["pool"], back.extra["pool"])


@pytest.mark.parametrize(
    "settings, batch, said",
    [
        (dict(task="paired", cycle=1.0), Batch(Y, {"x": X}), '"method.cycle" is 1, and no part of the task "paired"'),
        (dict(task="unpaired", l1=1.0), Batch(Y, {"x": X}), '"method.l1" is 1, and no part of the task "unpaired"'),
        (dict(task="paired"), Batch(Y, {"z": X}), '"method.fields" is x, y, and what is given is z'),
        (dict(task="paired"), Batch(Y[:, :2], {"x": X}), "images of one size"),
        (dict(task="unpaired"), Batch(np.tile(Y, 3), {"x": X}), "of as many channels"),
    ],
)
def test_what_does_not_go_together_is_refused(settings, batch, said):
    with pytest.raises(ConfigError, match=said):
        made = method(Scaled(), Indifferent(), loss="non_saturating", **settings)
        made.init(KEY, batch, {})


def test_two_different_fields_are_needed():
    with pytest.raises(ConfigError, match='names "x" twice'):
        translation({"generator": None, "discriminator": None}, fields=("x", "x"), task="paired", loss="non_saturating")
