"""Generative adversarial networks (Goodfellow et al. 2014, arXiv:1406.2661; with the networks of
`nn.dcgan`, Radford et al. 2016, arXiv:1511.06434).

    min_G max_D V(D, G) = E_x[log D(x)] + E_z[log(1 - D(G(z)))],   z ~ N(0, I)        (eq. 1)

Algorithm 1: a step is k updates of the discriminator (`discriminator_steps`), each on its own
slice of the batch, and then one of the generator against the discriminator so reached. The
losses are those of `ops.adversarial`.

Batch statistics follow DCGAN practice: the discriminator sees real and fake images in batches
of their own, and a network's running statistics move in its own updates only. The running
statistics serve evaluation and sampling; the discriminator's blend those of real and fake
images, so that its logits there differ somewhat from those it trains with.
"""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from aigc_jax.learner import Learner, initial_state
from aigc_jax.method import Array, Batch, Frozen, Given, Key, Method, PerExample, PyTree, State
from aigc_jax.ops import adversarial
from aigc_jax.ops import latent as latents
from aigc_jax.ops.batch import draw, microbatches, spread
from aigc_jax.ranges import Size, above

NETWORKS = ("generator", "discriminator")
FAR = 10.0  # standard deviations, which no draw in single precision reaches


def plan(*, truncation: Annotated[float, above(0)] = FAR) -> Mapping[str, Any]:
    """Settings of sampling as arrays.

    truncation: noise beyond it is drawn again (Brock et al. 2019, arXiv:1809.11096, section 3.1).
    """
    return {"truncation": np.float32(truncation)}


def gan(
    learners: Mapping[str, Learner],
    /,
    *,
    loss: Literal["non_saturating", "minimax", "least_squares", "hinge"],
    latent: Size,
    discriminator_steps: Size,
) -> Method:
    """A GAN from a generator (noise [B, latent], train) -> images and a discriminator (images, train) -> [B].

    loss: the game (see `ops.adversarial`). latent: dimensions of the noise.
    discriminator_steps: updates of the discriminator a step. The generator's update takes as
    many examples as each of them, a batch's size divided by this number.
    """
    generator, discriminator = (learners[name] for name in NETWORKS)
    game = adversarial.GAMES[loss]

    def noise(key: Key, rows: int) -> Array:
        return draw(jax.random.normal, key, (rows, latent))

    def init(key: Key, batch: Batch, frozen: Frozen) -> State:
        generator_key, discriminator_key = jax.random.split(key)
        images = batch.target
        networks = {
            "generator": (generator, generator.init(generator_key, jnp.zeros((images.shape[0], latent)))),
            "discriminator": (discriminator, discriminator.init(discriminator_key, images)),
        }
        return initial_state(networks, frozen)

    def judged(player: adversarial.Player) -> Callable:
        """(bound discriminator, real, fake) -> (what the player minimises [B], the logits of each call [B]).

        Flax carries batch statistics and dropout's key from one call to the next.
        """

        def play(module: nn.Module, real: Array, fake: Array) -> tuple[Array, list[Array]]:
            logits: list[Array] = []

            def critic(images: Array) -> Array:
                logits.append(module(images, train=True))
                return logits[-1]

            return player(critic, real, fake), logits

        return play

    def update_discriminator(key: Key, state: State, part: tuple[Array, Array]) -> tuple[State, Mapping[str, Array]]:
        def losses(params: PyTree, extra: PyTree, key: Key, part: tuple[Array, Array]) -> tuple:
            real, z = part
            fake_key, critic_key = jax.random.split(key)
            # The statistics that the generator's pass moves are dropped: they are the generator's to move.
            fake, _ = generator.apply(*generator.of(state), z, train=True, key=fake_key)
            fake = jax.lax.stop_gradient(fake)
            play = judged(game.discriminator)
            (each, (on_real, on_fake)), extra = discriminator.apply(
                params, extra, real, fake, key=critic_key, method=play
            )
            metrics = {
                "discriminator_loss": jnp.mean(each),
                "real_logit": jnp.mean(on_real),
                "fake_logit": jnp.mean(on_fake),
            }
            return each, (extra, metrics)

        return discriminator.update(key, state, losses, part)

    def update_generator(key: Key, state: State, part: tuple[Array, Array]) -> tuple[State, Mapping[str, Array]]:
        def losses(params: PyTree, extra: PyTree, key: Key, part: tuple[Array, Array]) -> tuple:
            real, z = part
            fake_key, critic_key = jax.random.split(key)
            fake, extra = generator.apply(params, extra, z, train=True, key=fake_key)
            play = judged(game.generator)
            (each, _), _ = discriminator.apply(*discriminator.of(state), real, fake, key=critic_key, method=play)
            return each, (extra, {"generator_loss": jnp.mean(each)})

        return generator.update(key, state, losses, part)

    def step(key: Key, state: State, batch: Batch) -> tuple[State, Mapping[str, Array]]:
        noise_key, discriminator_key, generator_key, new_noise_key = jax.random.split(key, 4)
        images = batch.target
        turns = microbatches((images, noise(noise_key, images.shape[0])), discriminator_steps)
        if discriminator_steps == 1:
            state, metrics = update_discriminator(discriminator_key, state, jax.tree.map(lambda x: x[0], turns))
        else:

            def one(state: State, turn: tuple) -> tuple[State, Mapping[str, Array]]:
                return update_discriminator(turn[0], state, turn[1])

            keys = jax.random.split(discriminator_key, discriminator_steps)
            state, metrics = jax.lax.scan(one, state, (keys, turns))
            metrics = jax.tree.map(jnp.mean, metrics)
        real = turns[0][-1]
        state, generator_metrics = update_generator(generator_key, state, (real, noise(new_noise_key, real.shape[0])))
        return state, {**metrics, **generator_metrics}

    def evaluate(key: Key, state: State, batch: Batch) -> Mapping[str, PerExample]:
        """How well the discriminator tells this batch from as many samples.

        accuracy: the share told rightly, real and fake counted alike; 1/2 where it can only guess.
        """
        real = batch.target
        fake = generator.predict(state, noise(key, real.shape[0]))
        on_real, on_fake = discriminator.predict(state, real), discriminator.predict(state, fake)
        border = adversarial.threshold(loss)
        right = jnp.stack([on_real > border, on_fake <= border]).astype(jnp.float32)
        return {
            "real_logit": PerExample.of(on_real),
            "fake_logit": PerExample.of(on_fake),
            "accuracy": PerExample.of(jnp.mean(right, 0)),
        }

    def generate(state: State, z: Array) -> Array:
        """Images, float32 [n, H, W, C] in (-1, 1). z: [n, latent]."""
        return generator.predict(state, z)

    def sample(keys: Array, state: State, given: Given, plan: Mapping[str, Any]) -> Array:
        bound = plan["truncation"]
        z = jax.vmap(lambda key: jax.random.truncated_normal(key, -bound, bound, (latent,)))(keys)
        return generate(state, spread(z))

    def walk(key: Key, state: State, n: int, given: Given) -> Array:
        return generate(state, latents.walk(key, n, (latent,)))

    return Method(init, step, evaluate, sample, plan, parts={"generate": generate, "walk": walk})
