"""Who moves when, and against what, in a step of a GAN."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from aigc_jax.errors import ConfigError
from aigc_jax.learner import Learner, ema
from aigc_jax.method import Batch
from aigc_jax.methods.gan import NETWORKS, gan
from aigc_jax.nn import dcgan, mlp, stylegan2
from aigc_jax.ops import adversarial

SHAPE = (4, 4, 1)
LATENT = 3
BATCH = Batch(jnp.tanh(jax.random.normal(jax.random.key(9), (8, *SHAPE))), {})
KEY = jax.random.key(4)
FROZEN = optax.set_to_zero()


def networks(kind, generator_tx=None, discriminator_tx=None, decay=0.5):
    if kind == "dcgan":
        modules = dcgan.Generator(SHAPE, (4, 4), 0), dcgan.Discriminator((4, 4), 0)
    else:
        modules = mlp.Generator(SHAPE, (4,), 0), mlp.Discriminator((4,), 0)
    players = zip(NETWORKS, modules, (generator_tx, discriminator_tx), strict=True)
    return {
        name: Learner(name, module, tx or optax.adam(1e-2), {name: ema(decay, False)}, 1)
        for name, module, tx in players
    }


def build(learners, discriminator_steps=1, loss="non_saturating", batch=BATCH, **settings):
    method = gan(learners, loss=loss, latent=LATENT, discriminator_steps=discriminator_steps, **settings)
    return method, method.init(jax.random.key(0), batch, {})


def same(one, other):
    equal = [np.array_equal(a, b) for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True)]
    assert equal, "nothing to compare"
    return all(equal)


def parts(state, name):
    return {"params": state.params[name], "opt_state": state.opt_state[name], "ema": state.ema[name]}


class Watched(nn.Module):
    """A network that counts, in a collection of its own, the calls whose changes were kept."""

    inner: nn.Module

    @nn.compact
    def __call__(self, x, given=None, train=False):
        calls = self.variable("calls", "count", lambda: jnp.int32(0))
        if train and not self.is_initializing():
            calls.value += 1
        return self.inner(x, given, train)


def with_one_player(player, kind="dcgan"):
    """The state before and after a step whose other player gets updates of nothing."""
    learners = networks(kind, **{f"{'discriminator' if player == 'generator' else 'generator'}_tx": FROZEN})
    method, state = build(learners)
    return state, jax.jit(method.step)(KEY, state, BATCH)[0]


@pytest.mark.parametrize(("player", "other"), [("generator", "discriminator"), ("discriminator", "generator")])
def test_a_players_update_does_not_depend_on_what_moves_the_other(player, other):
    before, after = with_one_player(player)
    for name in ("params", "ema"):
        assert same(getattr(before, name)[other], getattr(after, name)[other])
        assert not same(getattr(before, name)[player], getattr(after, name)[player])


def test_an_update_leaves_the_other_network_bit_identical():
    """Each update alone, as `step` calls them: weights, optimizer, average and batch statistics."""
    learners = networks("dcgan")
    trace = []

    def recorded(learner):
        class Recorded(Learner):
            def move(self, state, found):
                after, metrics = Learner.move(self, state, found)
                trace.append((self.name, state, after))
                return after, metrics

        return Recorded(*learner)

    method, state = build({name: recorded(learner) for name, learner in learners.items()})
    _, state_trace = jax.jit(lambda s: (method.step(KEY, s, BATCH), [entry[1:] for entry in trace]))(state)
    assert [name for name, _, _ in trace] == ["discriminator", "generator"]
    for (player, _, _), (before, after) in zip(trace, state_trace, strict=True):
        other = {"generator": "discriminator", "discriminator": "generator"}[player]
        assert same(parts(before, other), parts(after, other))
        assert same(before.extra[other], after.extra[other])
        for kept in ("params", "opt_state", "ema", "extra"):
            assert not same(getattr(before, kept)[player], getattr(after, kept)[player])
    # The generator's update starts from the state that the discriminator's has reached.
    assert same(state_trace[0][1], state_trace[1][0])


def test_statistics_move_twice_for_the_discriminator_and_once_for_the_generator():
    learners = networks("mlp")
    watched = {name: learner._replace(module=Watched(learner.module)) for name, learner in learners.items()}
    for count in (1, 2):
        method, state = build(watched, discriminator_steps=count)
        state, _ = jax.jit(method.step)(KEY, state, BATCH)
        assert int(state.extra["discriminator"]["calls"]["count"]) == 2 * count  # real and fake apart
        assert int(state.extra["generator"]["calls"]["count"]) == 1


def manual_noise(key, rows):
    """The step's latents for the discriminator and for the generator."""
    noise_key, _, _, new_noise_key = jax.random.split(key, 4)
    return [jax.random.normal(k, (n, LATENT)) for k, n in ((noise_key, 8), (new_noise_key, rows))]


@pytest.mark.parametrize("discriminator_steps", [1, 2])
def test_a_step_is_algorithm_1_written_out(discriminator_steps):
    """Plain gradient descent by hand on slices of the batch, -log(sigmoid) as the paper writes it."""
    rate = 0.1
    learners = networks("mlp", optax.sgd(rate), optax.sgd(rate))
    method, state = build(learners, discriminator_steps)
    after, metrics = jax.jit(method.step)(KEY, state, BATCH)
    g, d = learners["generator"].module, learners["discriminator"].module
    z, fresh = manual_noise(KEY, 8 // discriminator_steps)

    def chance(params, images):
        return jax.nn.sigmoid(d.apply({"params": params}, images))

    def minus_value(params, real, fake):
        return -jnp.mean(jnp.log(chance(params, real)) + jnp.log(1 - chance(params, fake)))

    generator, discriminator = state.params["generator"], state.params["discriminator"]
    losses = []
    for turn in range(discriminator_steps):
        rows = slice(turn, None, discriminator_steps)
        fake = g.apply({"params": generator}, z[rows])
        loss, slope = jax.value_and_grad(minus_value)(discriminator, BATCH.target[rows], fake)
        losses.append(loss)
        discriminator = jax.tree.map(lambda p, s: p - rate * s, discriminator, slope)
    slope = jax.grad(lambda p: -jnp.mean(jnp.log(chance(discriminator, g.apply({"params": p}, fresh)))))(generator)
    generator = jax.tree.map(lambda p, s: p - rate * s, generator, slope)

    for name, wanted in (("generator", generator), ("discriminator", discriminator)):
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), after.params[name], wanted)
    np.testing.assert_allclose(metrics["discriminator_loss"], np.mean(losses), rtol=1e-5)


def test_accumulated_gradients_are_those_of_the_whole_batch():
    learners = networks("mlp", optax.sgd(0.1), optax.sgd(0.1))
    ends = []
    for count in (1, 4):
        method, state = build({name: learner._replace(accumulate=count) for name, learner in learners.items()})
        ends.append(jax.jit(method.step)(KEY, state, BATCH)[0].params)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), *ends)


def test_samples_come_from_averaged_weights_and_running_statistics():
    learners = networks("dcgan")
    method, state = build(learners)
    state, _ = jax.jit(method.step)(KEY, state, BATCH)
    keys, plan = jax.random.split(KEY, 6), method.plan()
    z = jax.vmap(lambda key: jax.random.truncated_normal(key, -10.0, 10.0, (LATENT,)))(keys)
    wanted = learners["generator"].module.apply({"params": state.ema["generator"], **state.extra["generator"]}, z)
    images = method.sample(keys, state, {}, plan)
    np.testing.assert_allclose(images, wanted, atol=1e-6)
    live = learners["generator"].module.apply({"params": state.params["generator"], **state.extra["generator"]}, z)
    assert not np.allclose(images, live)
    np.testing.assert_allclose(method.sample(keys[3:5], state, {}, plan), images[3:5], atol=1e-6)


def test_truncation_keeps_the_noise_within_its_bound():
    drawn = []

    class Noise(nn.Module):
        @nn.compact
        def __call__(self, z, given=None, train=False):
            drawn.append(z)
            return jnp.zeros((len(z), *SHAPE)) + self.param("unused", nn.initializers.zeros, ())

    learners = networks("mlp")
    method, state = build({**learners, "generator": learners["generator"]._replace(module=Noise())})
    for truncation in (0.5, 10.0):
        method.sample(jax.random.split(KEY, 1000), state, {}, method.plan(truncation=truncation))
    assert np.abs(drawn[-2]).max() <= 0.5
    assert np.std(drawn[-1]) == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize(("loss", "border"), [("non_saturating", 0.0), ("hinge", 0.0), ("least_squares", 0.5)])
def test_accuracy_counts_the_logits_on_the_right_side(loss, border):
    method, state = build(networks("dcgan"), loss=loss)
    measures = method.evaluate(KEY, state, BATCH)
    real, fake = (np.asarray(measures[name].total) for name in ("real_logit", "fake_logit"))
    wanted = (real > border) / 2 + (fake <= border) / 2
    np.testing.assert_array_equal(measures["accuracy"].total, wanted)
    alone = method.evaluate(KEY, state, Batch(BATCH.target[:1], {}))
    np.testing.assert_allclose(alone["real_logit"].total, real[:1], atol=1e-6)


def test_the_generator_learns_the_mean_of_a_point():
    """All examples one image: the fakes reach it, which the wrong sign of either loss prevents."""
    image = jnp.full((8, *SHAPE), 0.4)
    learners = networks("mlp", optax.adam(5e-3, b1=0.5), optax.adam(5e-3, b1=0.5), decay=0.98)
    method, state = build(learners)
    before = np.abs(method.sample(jax.random.split(KEY, 64), state, {}, method.plan()) - 0.4).mean()

    def turn(i, state):
        return method.step(jax.random.fold_in(KEY, i), state, Batch(image, {}))[0]

    state = jax.jit(lambda s: jax.lax.fori_loop(0, 1500, turn, s))(state)
    after = np.abs(method.sample(jax.random.split(KEY, 64), state, {}, method.plan()) - 0.4).mean()
    assert after < 0.15 < before


def test_a_relativistic_game_trains_both_players_on_pairs():
    """Its generator needs real images, too: those of the discriminator's last update."""
    rate = 0.1
    learners = networks("mlp", optax.sgd(rate), optax.sgd(rate))
    method, state = build(learners, 2, loss="relativistic")
    after, metrics = jax.jit(method.step)(KEY, state, BATCH)
    g, d = learners["generator"].module, learners["discriminator"].module
    z, fresh = manual_noise(KEY, 4)

    def loss(discriminator, better, worse):
        logits = [d.apply({"params": discriminator}, images) for images in (better, worse)]
        return -jnp.mean(jnp.log(jax.nn.sigmoid(logits[0] - logits[1])))

    generator, discriminator = state.params["generator"], state.params["discriminator"]
    for rows in (slice(0, None, 2), slice(1, None, 2)):
        real, fake = BATCH.target[rows], g.apply({"params": generator}, z[rows])
        slope = jax.grad(loss)(discriminator, real, fake)
        discriminator = jax.tree.map(lambda p, s: p - rate * s, discriminator, slope)
    slope = jax.grad(lambda p: loss(discriminator, g.apply({"params": p}, fresh), real))(generator)
    generator = jax.tree.map(lambda p, s: p - rate * s, generator, slope)
    for name, wanted in (("generator", generator), ("discriminator", discriminator)):
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), after.params[name], wanted)
    assert {"real_logit", "fake_logit"} <= metrics.keys()


def test_a_penalty_is_one_more_loss_of_the_discriminator():
    """R1 in every second step, twice as heavy: the gradient is that of both losses added up by hand."""
    learner = networks("dcgan")["discriminator"]
    _, state = build(networks("dcgan"))
    fake, gamma, key = BATCH.target[::-1], 10.0, jax.random.key(5)

    def play(module, real, fake):
        return adversarial.GAMES["hinge"].discriminator(lambda images: module(images, train=True), real, fake)

    def game(params, extra, key, real):
        losses, extra = learner.apply(params, extra, real, fake, key=key, method=play)
        return losses, (extra, {"loss": jnp.mean(losses)})

    def penalty(params, extra, key, real):
        def critic(images):
            return learner.apply(params, extra, images, train=True, key=key)[0]

        losses = gamma * adversarial.r1(critic, real, fake, key)
        return losses, (extra, {"r1": jnp.mean(losses)})

    @jax.jit
    def gradient(state):
        found = learner.gradient(key, state, game, BATCH.target)
        return learner.lazily(2, found, key, state, penalty, BATCH.target)

    def both(params, extra, weight):
        def term(loss):
            return jnp.mean(loss(params, extra, key, BATCH.target)[0])

        return term(game) + weight * term(penalty)

    before, after = state.extra["discriminator"], gradient(state).extra
    assert not same(before, after)
    for step, weight in ((0, 2.0), (1, 0.0)):
        found = gradient(state.replace(step=jnp.int32(step)))
        wanted = jax.grad(both)(state.params["discriminator"], before, weight)
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5), found.grads, wanted)
        assert same(found.extra, after), "a penalty's passes move no statistics"
        assert (float(found.metrics["r1"]) > 0) == (step == 0)


LABELLED = Batch(BATCH.target, {"label": jnp.arange(8) % 3})


def conditional(kind):
    """Networks that read three classes, trained by plain gradient descent."""
    learners = networks(kind, optax.sgd(0.1), optax.sgd(0.1))
    return {name: each._replace(module=each.module.clone(label_classes=3)) for name, each in learners.items()}


@pytest.mark.parametrize("every", [1, 2])
def test_penalties_are_added_to_the_discriminators_loss_as_often_as_is_asked(every):
    """A step by hand, with the weight that a lazy penalty has in its turn; none where it is not its turn."""
    rate, r1, r2 = 0.1, 3.0, 2.0
    learners = networks("mlp", FROZEN, optax.sgd(rate))
    method, state = build(learners, loss="relativistic", r1=r1, r2=r2, penalty_every=every)
    d = learners["discriminator"].module
    fake = learners["generator"].module.apply({"params": state.params["generator"]}, manual_noise(KEY, 8)[0])

    def squared_slopes(params, images):
        slopes = jax.vmap(jax.grad(lambda image: d.apply({"params": params}, image[None])[0]))(images)
        return jnp.mean(jnp.sum(slopes**2, axis=(1, 2, 3)))

    def loss(params, weight):
        real_logit, fake_logit = (d.apply({"params": params}, images) for images in (BATCH.target, fake))
        penalty = r1 / 2 * squared_slopes(params, BATCH.target) + r2 / 2 * squared_slopes(params, fake)
        return jnp.mean(jax.nn.softplus(fake_logit - real_logit)) + weight * penalty

    before, step = state.params["discriminator"], jax.jit(method.step)
    for number, weight in ((0, every), (1, 1 if every == 1 else 0)):
        after, metrics = step(KEY, state.replace(step=jnp.int32(number)), BATCH)
        slope = jax.grad(loss)(before, weight)
        wanted = jax.tree.map(lambda p, s: p - rate * s, before, slope)
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), after.params["discriminator"], wanted)
        assert (metrics["penalty"] > 0) == (weight > 0)


def test_clipping_keeps_the_discriminators_weights_within_their_bound():
    """Arjovsky et al. 2017, algorithm 1; the generator's are free."""
    method, state = build(networks("mlp"), loss="wasserstein", clip=0.02)
    state, _ = jax.jit(method.step)(KEY, state, BATCH)
    largest = {name: max(np.abs(w).max() for w in jax.tree.leaves(tree)) for name, tree in state.params.items()}
    assert largest["discriminator"] == pytest.approx(0.02)
    assert largest["generator"] > 0.1


@pytest.mark.parametrize("kind", ["mlp", "dcgan"])
def test_both_players_read_labels(kind):
    method, state = build(conditional(kind), batch=LABELLED)
    assert method.reads == ("label",)
    after, _ = jax.jit(method.step)(KEY, state, LABELLED)
    assert not same(state.params, after.params)
    keys, plan = jax.random.split(KEY, 6), method.plan()
    ones, twos = (method.sample(keys, after, {"label": jnp.full(6, label)}, plan) for label in (1, 2))
    assert np.abs(ones - twos).max() > 1e-4
    told = [
        method.evaluate(KEY, after, LABELLED.replace(given={"label": jnp.full(8, label)}))["real_logit"].total
        for label in (1, 2)
    ]
    assert np.abs(told[0] - told[1]).max() > 1e-3 * np.abs(told[0]).max()


def test_variety_is_the_distance_of_samples_over_that_of_images():
    """A generator of one image has none."""

    class One(nn.Module):
        @nn.compact
        def __call__(self, z, given=None, train=False):
            return jnp.zeros((len(z), *SHAPE)) + self.param("value", nn.initializers.ones, ())

    learners = networks("mlp")
    for module, wanted in ((One(), 0.0), (learners["generator"].module, None)):
        method, state = build({**learners, "generator": learners["generator"]._replace(module=module)})
        measure = method.evaluate(KEY, state, BATCH)["variety"]
        fake = method.parts["render"](state, jax.random.normal(KEY, (8, 1, LATENT)), {})
        by_hand = [np.linalg.norm(np.ravel(a - b)) for a, b in zip(fake, jnp.roll(fake, 1, axis=0), strict=True)]
        np.testing.assert_allclose(measure.total, by_hand, atol=1e-5)
        assert wanted is None or np.sum(measure.total) == wanted
        assert np.sum(measure.weight) > 0


@pytest.fixture(scope="module")
def styled():
    """(a GAN with styles, its step, its states before and after the first, that step's metrics)."""
    generator = stylegan2.Generator(SHAPE, 4, 4, 1, 6, 2, 0.5, 0)
    learners = networks("mlp")
    learners = {**learners, "generator": learners["generator"]._replace(module=generator)}
    kinds = {"augmentation": ("diff_translation",), "augmentation_target": 0.6, "augmentation_images": 80}
    method, state = build(learners, path_length=2.0, path_length_every=2, **kinds)
    step = jax.jit(method.step)
    return method, step, state, *step(KEY, state, BATCH)


def test_the_mean_path_length_moves_in_its_turns_alone(styled):
    _, step, _, first, metrics = styled
    length = float(metrics["path_length"]) / 2
    assert length > 0
    np.testing.assert_allclose(first.extra["path_length"], 0.01 * length, rtol=1e-5)
    second, metrics = step(KEY, first.replace(step=jnp.int32(1)), BATCH)
    assert metrics["path_length"] == 0
    assert second.extra["path_length"] == first.extra["path_length"]


def test_the_probability_of_augmentation_follows_the_discriminators_signs(styled):
    """Eight images of eighty a step: up where the mean sign is above its target, down where it is below."""
    _, step, before, *_ = styled
    for p, logit, wanted in ((0.5, 50.0, 0.6), (0.5, -50.0, 0.4), (0.95, 50.0, 1.0), (0.05, -50.0, 0.0)):
        weights = dict(before.params["discriminator"])
        weights["Dense_1"] = {**weights["Dense_1"], "bias": jnp.full(1, logit)}
        params = {**before.params, "discriminator": weights}
        state = before.replace(params=params, extra={**before.extra, "augmentation": jnp.float32(p)})
        after, metrics = step(KEY, state, BATCH)
        assert float(after.extra["augmentation"]) == pytest.approx(wanted) == float(metrics["augmentation"])


def test_psi_leads_to_the_image_of_the_mean_style(styled):
    method, _, _, state, _ = styled
    keys, sample = jax.random.split(KEY, 4), jax.jit(method.sample)
    images = {psi: sample(keys, state, {}, method.plan(psi=psi)) for psi in (0.0, 0.5, 1.0)}
    mean = state.extra["generator"]["styles"]["mean"]
    w = jnp.broadcast_to(mean, (4, 4, 6))
    np.testing.assert_allclose(images[0.0], method.parts["render"](state, w, {}), atol=1e-5)
    spread = [np.std(images[psi], axis=0).mean() for psi in (0.0, 0.5, 1.0)]
    assert spread[0] < 1e-6 < spread[1] < spread[2]


def test_what_needs_styles_is_refused_without_them():
    with pytest.raises(ConfigError, match='"method.path_length" is 2.0, and the generator has no styles'):
        build(networks("mlp"), path_length=2.0)
    method, _ = build(networks("mlp"))
    with pytest.raises(ConfigError, match='"sample.psi" is 0.5, and the generator has no styles'):
        method.plan(psi=0.5)
    with pytest.raises(ConfigError, match='"method.augmentation" names nothing'):
        build(networks("mlp"), augmentation_target=0.6)


def test_directions_are_of_the_noise_and_not_of_the_label():
    for learners, batch in ((conditional("mlp"), LABELLED), (networks("dcgan"), BATCH)):
        method, state = build(learners, batch=batch)
        kernel = np.asarray(state.ema["generator"]["Dense_0"]["kernel"])[:LATENT]
        values, directions = method.parts["directions"](state)
        np.testing.assert_allclose(np.sqrt(values), np.linalg.svd(kernel)[1], rtol=1e-4)
        assert directions.shape == (LATENT, LATENT)
