"""Generative adversarial networks (Goodfellow et al. 2014, arXiv:1406.2661), of parts that combine.

    min_G max_D V(D, G) = E_x[log D(x)] + E_z[log(1 - D(G(z)))],   z ~ N(0, I)        (eq. 1)

Algorithm 1: a step is k updates of the discriminator (`discriminator_steps`), each on its own
slice of the batch, and then one of the generator against the discriminator so reached.

* What the players minimise and what is added to it, `ops.adversarial`: the games of the paper, of least squares, of
  the hinge, of Wasserstein GANs and of R3GAN; penalties on the discriminator's gradient, in every step or lazily.
* Path length regularisation of the generator (Karras et al. 2020, arXiv:1912.04958, section 3.2), `ops.path_length`.
* Augmentation of all that the discriminator sees, always (Zhao et al. 2020, arXiv:2006.10738) or with a probability
  that follows how far it overfits (Karras et al. 2020, arXiv:2006.06676), `ops.augmentations`.
* The networks, conditional where they read what is given: `nn.mlp`, `nn.dcgan`, `nn.sngan`, `nn.r3gan`, `nn.stylegan2`.

Batch statistics follow DCGAN practice: the discriminator sees real and fake images in batches
of their own, and a network's running statistics move in its own updates only. The running
statistics serve evaluation and sampling; the discriminator's blend those of real and fake
images, so that its logits there differ somewhat from those it trains with.
"""

import functools
import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from flax import traverse_util

from aigc_jax.errors import ConfigError
from aigc_jax.learner import Learner, initial_state
from aigc_jax.method import Array, Batch, Frozen, Given, Key, Method, PerExample, PyTree, State
from aigc_jax.ops import adversarial
from aigc_jax.ops import latent as latents
from aigc_jax.ops import path_length as lengths
from aigc_jax.ops.adversarial_diagnosis import VARIETY, apart, diagnose
from aigc_jax.ops.augmentations import AUGMENTATIONS, ada_probability
from aigc_jax.ops.batch import count, draw, microbatches, spread
from aigc_jax.ops.directions import closed_form_directions
from aigc_jax.ranges import Amount, Part, Size, above, at_least

NETWORKS = ("generator", "discriminator")
FAR = 10.0  # standard deviations, which no draw in single precision reaches

Augmentation = Literal["diff_color", "diff_translation", "diff_cutout", "ada_blit", "ada_geometry", "ada_color"]


def plan(
    styled: bool, /, *, truncation: Annotated[float, above(0)] = FAR, psi: Annotated[float, at_least(0)] = 1.0
) -> Mapping[str, Any]:
    """Settings of sampling as arrays.

    truncation: noise beyond it is drawn again (Brock et al. 2019, arXiv:1809.11096, section 3.1). psi: the share of
    its distance from the mean style that a style keeps (Karras et al. 2019, arXiv:1812.04948, appendix B).
    """
    if psi != 1 and not styled:
        raise ConfigError(
            f'"sample.psi" is {psi}, and the generator has no styles: set it to 1, or set sample.truncation.'
        )
    return {"truncation": np.float32(truncation), "psi": np.float32(psi)}


class Turn(NamedTuple):
    """What one update of a player is made from, all with a leading axis of examples."""

    real: Array
    z: Array
    given: Given


def gan(
    learners: Mapping[str, Learner],
    /,
    *,
    loss: Literal["non_saturating", "minimax", "least_squares", "hinge", "wasserstein", "relativistic"],
    latent: Size,
    discriminator_steps: Size,
    gradient_penalty: Amount = 0.0,
    r1: Amount = 0.0,
    r2: Amount = 0.0,
    penalty_every: Size = 1,
    clip: Amount = 0.0,
    path_length: Amount = 0.0,
    path_length_every: Size = 1,
    augmentation: tuple[Augmentation, ...] = (),
    augmentation_target: Part = 0.0,
    augmentation_images: Size = 500_000,
) -> Method:
    """A GAN from a generator and a discriminator, both conditional where they read what is given.

    The generator is called (noise [B, latent], given, train) and gives images, the discriminator (images, given, train)
    and gives [B]. A generator with styles has `style`, (noise, given, psi) -> w [B, L, d], and `render`, (w, given) ->
    images.

    loss: the game (see `ops.adversarial`). latent: dimensions of the noise.
    discriminator_steps: updates of the discriminator a step. The generator's update takes as
    many examples as each of them, a batch's size divided by this number.
    gradient_penalty: λ of WGAN-GP. r1: γ, at real images. r2: γ, at fakes. penalty_every: steps from one penalty to
    the next, which counts as often. clip: the bound that the discriminator's weights are clipped to; 0 = none.
    path_length: weight of the generator's regulariser. path_length_every: steps from one to the next.
    augmentation: what is done to all images that the discriminator sees. augmentation_target: the mean sign of the
    discriminator on real images that its probability is led by; 0 = every image is augmented. augmentation_images:
    in how many the probability may go from 0 to 1.
    """
    generator, discriminator = (learners[name] for name in NETWORKS)
    game = adversarial.GAMES[loss]
    penalties = {
        getattr(adversarial, name): weight
        for name, weight in {"gradient_penalty": gradient_penalty, "r1": r1, "r2": r2}.items()
        if weight
    }
    styled = hasattr(generator.module, "style")
    if path_length and not styled:
        raise ConfigError(f'"method.path_length" is {path_length}, and the generator has no styles: set it to 0.')
    if augmentation_target and not augmentation:
        raise ConfigError(
            f'"method.augmentation_target" is {augmentation_target}, and "method.augmentation" names nothing to do: '
            'set it to 0, or method.augmentation to ("ada_blit", "ada_geometry", "ada_color").'
        )

    def reads(learner: Learner, given: Given) -> Given:
        return {name: given[name] for name in getattr(learner.module, "reads", ())}

    def init(key: Key, batch: Batch, frozen: Frozen) -> State:
        generator_key, discriminator_key = jax.random.split(key)
        images, given = batch.target, batch.given
        z = jnp.zeros((images.shape[0], latent))
        networks = {
            "generator": (generator, generator.init(generator_key, z, reads(generator, given))),
            "discriminator": (
                discriminator,
                discriminator.init(discriminator_key, images, reads(discriminator, given)),
            ),
        }
        means = {"augmentation": augmentation_target, "path_length": path_length}
        return initial_state(networks, frozen, **{name: jnp.float32(0) for name, used in means.items() if used})

    def augmented(key: Key, state: State, images: Array) -> Array:
        """Images as the discriminator sees them in training."""
        p = state.extra["augmentation"] if augmentation_target else jnp.float32(1)
        for i, name in enumerate(augmentation):
            images = AUGMENTATIONS[name](jax.random.fold_in(key, i), images, p)
        return images

    def judged(player: adversarial.Player, key: Key, state: State, given: Given) -> Callable:
        """(bound discriminator, real, fake) -> (what the player minimises [B], the logits of each call [B]).

        Flax carries batch statistics and dropout's key from one call to the next.
        """

        def play(module: nn.Module, real: Array, fake: Array) -> tuple[Array, list[Array]]:
            logits: list[Array] = []

            def critic(images: Array) -> Array:
                images = augmented(jax.random.fold_in(key, len(logits)), state, images)
                logits.append(module(images, given, train=True))
                return logits[-1]

            return player(critic, real, fake), logits

        return play

    def update_discriminator(key: Key, state: State, turn: Turn) -> tuple[State, Mapping[str, Array]]:
        fake_key, game_key, penalty_key = jax.random.split(key, 3)
        # The statistics that the generator's pass moves are dropped: they are the generator's to move.
        fake, _ = generator.apply(*generator.of(state), turn.z, reads(generator, turn.given), train=True, key=fake_key)
        rows = turn.real, fake, reads(discriminator, turn.given)

        def played(params: PyTree, extra: PyTree, key: Key, rows: tuple) -> tuple:
            real, fake, given = rows
            play = judged(game.discriminator, jax.random.fold_in(key, 0), state, given)
            (each, (on_real, on_fake)), extra = discriminator.apply(params, extra, real, fake, key=key, method=play)
            metrics = {
                "discriminator_loss": jnp.mean(each),
                "real_logit": jnp.mean(on_real),
                "fake_logit": jnp.mean(on_fake),
            }
            if augmentation_target:
                metrics["real_sign"] = jnp.mean(jnp.sign(on_real))
            return each, (extra, metrics)

        def penalised(params: PyTree, extra: PyTree, key: Key, rows: tuple) -> tuple:
            real, fake, given = rows
            line_key, critic_key = jax.random.split(key)

            def critic(images: Array) -> Array:
                seen = augmented(jax.random.fold_in(critic_key, 0), state, images)
                return discriminator.apply(params, extra, seen, given, train=True, key=critic_key)[0]

            each = sum(weight * penalty(critic, real, fake, line_key) for penalty, weight in penalties.items())
            return each, (extra, {"penalty": jnp.mean(each)})

        found = discriminator.gradient(game_key, state, played, rows)
        if penalties:
            found = discriminator.lazily(penalty_every, found, penalty_key, state, penalised, rows)
        state, norm = discriminator.move(state, found)
        if clip:
            clipped = jax.tree.map(lambda w: jnp.clip(w, -clip, clip), state.params["discriminator"])
            state = state.replace(params={**state.params, "discriminator": clipped})
        return state, {**found.metrics, **norm}

    def update_generator(key: Key, state: State, turn: Turn) -> tuple[State, Mapping[str, Array]]:
        game_key, length_key = jax.random.split(key)

        def played(params: PyTree, extra: PyTree, key: Key, turn: Turn) -> tuple:
            fake_key, critic_key = jax.random.split(key)
            fake, extra = generator.apply(params, extra, turn.z, reads(generator, turn.given), train=True, key=fake_key)
            given = reads(discriminator, turn.given)
            play = judged(game.generator, jax.random.fold_in(critic_key, 0), state, given)
            (each, _), _ = discriminator.apply(*discriminator.of(state), turn.real, fake, key=critic_key, method=play)
            return each, (extra, {"generator_loss": jnp.mean(each)})

        def stretched(params: PyTree, extra: PyTree, key: Key, turn: Turn) -> tuple:
            given = reads(generator, turn.given)
            w, _ = generator.apply(params, extra, turn.z, given, method="style")

            def render(w: Array) -> Array:
                return generator.apply(params, extra, w, given, method="render")[0]

            each, length = lengths.path_length(render, w, key, state.extra["path_length"])
            return path_length * each, (extra, {"path_length": length})

        found = generator.gradient(game_key, state, played, turn)
        if path_length:
            found = generator.lazily(path_length_every, found, length_key, state, stretched, turn)
            mean, length = state.extra["path_length"], found.metrics["path_length"] / path_length_every
            moved = lengths.DECAY * mean + (1 - lengths.DECAY) * length
            mean = jnp.where(state.step % path_length_every == 0, moved, mean)
            state = state.replace(extra={**state.extra, "path_length": mean})
        state, norm = generator.move(state, found)
        return state, {**found.metrics, **norm}

    def step(key: Key, state: State, batch: Batch) -> tuple[State, Mapping[str, Array]]:
        noise_key, discriminator_key, generator_key, new_noise_key = jax.random.split(key, 4)
        rows = batch.target.shape[0]
        everything = Turn(batch.target, draw(jax.random.normal, noise_key, (rows, latent)), dict(batch.given))
        turns = microbatches(everything, discriminator_steps)
        if discriminator_steps == 1:
            state, metrics = update_discriminator(discriminator_key, state, jax.tree.map(lambda x: x[0], turns))
        else:

            def one(state: State, turn: tuple) -> tuple[State, Mapping[str, Array]]:
                return update_discriminator(turn[0], state, turn[1])

            keys = jax.random.split(discriminator_key, discriminator_steps)
            state, metrics = jax.lax.scan(one, state, (keys, turns))
            metrics = jax.tree.map(jnp.mean, metrics)
        if augmentation_target:
            p = ada_probability(
                state.extra["augmentation"],
                metrics["real_sign"],
                augmentation_target,
                count(rows),
                augmentation_images,
            )
            state, metrics = state.replace(extra={**state.extra, "augmentation": p}), {**metrics, "augmentation": p}
        last = jax.tree.map(lambda x: x[-1], turns)
        fresh = last._replace(z=draw(jax.random.normal, new_noise_key, (last.real.shape[0], latent)))
        state, generator_metrics = update_generator(generator_key, state, fresh)
        return state, {**metrics, **generator_metrics}

    def evaluate(key: Key, state: State, batch: Batch) -> Mapping[str, PerExample]:
        """How well the discriminator tells this batch from as many samples, and how varied these are.

        accuracy: the share told rightly, real and fake counted alike; 1/2 where it can only guess.
        variety: the mean distance of two samples, as a share of that of two images of the batch.
        """
        real, given = batch.target, reads(discriminator, batch.given)
        z = draw(jax.random.normal, key, (real.shape[0], latent))
        fake = generator.predict(state, z, reads(generator, batch.given))
        on_real, on_fake = (discriminator.predict(state, images, given) for images in (real, fake))
        return {
            "real_logit": PerExample.of(on_real),
            "fake_logit": PerExample.of(on_fake),
            "accuracy": PerExample.of(adversarial.told_apart(loss, on_real, on_fake)),
            VARIETY: PerExample(apart(fake), apart(real)),
        }

    def drawn(keys: Array, truncation: Array | float = FAR) -> Array:
        """Noise, float32 [n, latent], each row of its own key."""
        return jax.vmap(lambda key: jax.random.truncated_normal(key, -truncation, truncation, (latent,)))(keys)

    def style(state: State, z: Array, given: Given, psi: Array | float = 1.0) -> Array:
        """Styles of the noise, float32 [n, L, d], L layers; where a generator has none, the noise itself, L = 1."""
        if not styled:
            return z[:, None]
        return generator.predict(state, z, reads(generator, given), psi, method="style")

    def render(state: State, w: Array, given: Given) -> Array:
        """Images of styles, float32 [n, H, W, C] in (-1, 1). w: [n, L, d]."""
        if not styled:
            return generator.predict(state, w[:, 0], reads(generator, given))
        return generator.predict(state, w, reads(generator, given), method="render")

    def sample(keys: Array, state: State, given: Given, plan: Mapping[str, Any]) -> Array:
        z = spread(drawn(keys, plan["truncation"]))
        return render(state, style(state, z, given, plan["psi"]), given)

    def walk(key: Key, state: State, n: int, given: Given) -> Array:
        return render(state, style(state, latents.walk(key, n, (latent,)), given), given)

    def directions(state: State) -> tuple[Array, Array]:
        """(eigenvalues [d], unit vectors [d, d], one a row): along the first a generator changes most."""
        weights = traverse_util.flatten_dict(generator.merged(state).weights("generator"), sep="/")
        pattern = generator.module.latent_kernels
        kernels = [kernel for path, kernel in weights.items() if re.search(pattern, path)]
        width = latent if not styled else kernels[0].shape[0]
        return closed_form_directions([kernel[:width] for kernel in kernels])  # labels stand after the noise

    parts: dict[str, Callable] = {"draw": drawn, "style": style, "render": render, "walk": walk}
    if hasattr(generator.module, "latent_kernels"):
        parts["directions"] = directions
    read = getattr(generator.module, "reads", ())
    found = functools.partial(diagnose, loss)
    return Method(init, step, evaluate, sample, functools.partial(plan, styled), read, parts, diagnose=found)
