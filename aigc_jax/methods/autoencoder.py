"""Autoencoders whose latents others generate: the first stage of latent diffusion (Rombach et al. 2022,
arXiv:2112.10752, section 3.1 and appendix G).

    L = E[-log p(x | z) / D + w_p d(x, x') + w_kl KL(q(z | x) || N(0, I)) / D + λ w_g L_G(x')]
    L_D = E[max(0, 1 - C(x)) + max(0, 1 + C(x'))],    L_G = -C(x')       for the hinge, means over patches
    λ = |∇_l L_rec| / (|∇_l L_G| + δ),    L_rec = E[-log p(x | z) / D + w_p d(x, x')]
                                                                  (Esser et al. 2021, arXiv:2012.09841, eq. 5 to 7)

x' is the mean of p(x | z) for one z of q(z | x), and D the number of values of an image. l is the kernel of the
decoder's last layer. d is LPIPS (`nn.lpips`) and C a discriminator of patches (`nn.pix2pix`). With a Laplace likelihood
of scale 1 -log p is the L1 distance and a constant. The paper writes sums over values. Here all terms are divided by D,
so w_kl is its weight, 1e-6; λ is the same for sums and for means.

A step updates the discriminator and then the autoencoder, with the same reconstructions in both, for the price of one
more forward pass. Before the step `adversarial_from` the game moves neither. With the weight 0 nothing of it is
computed.

A codec reads the network as it reads a VAE's: `codecs.latents`. The KL divergence has so little weight that a draw of
the prior decodes to nothing: this family generates no samples.
"""

import functools
import math
from collections.abc import Callable, Mapping
from typing import Any, Literal

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn

from aigc_jax.errors import ConfigError
from aigc_jax.learner import Learner, initial_state
from aigc_jax.method import Array, Batch, Frozen, Key, Method, PerExample, PyTree, State
from aigc_jax.ops import adversarial as games
from aigc_jax.ops import batch as whole
from aigc_jax.ops import likelihood as likelihoods
from aigc_jax.ops.batch import draw, per_example
from aigc_jax.ranges import Amount, Count, Size

NETWORKS = ("net", "discriminator")
OPTIONAL = ("perceptual",)
LAST = "last"  # the collection in which a network keeps what its last layer reads, where it is asked for
OF = "image"  # the field that the discriminator judges
DELTA = 1e-6  # Esser et al. 2021, eq. 7
FAINT = 1e-10  # the smallest mean square in 0 ... 1: 100 dB
MOST = 1e4  # of λ: a discriminator that has just begun has next to no gradient


def autoencoder(
    learners: Mapping[str, Learner],
    /,
    *,
    frozen: Mapping[str, nn.Module],
    likelihood: likelihoods.Name,
    scale: Amount,
    kl: Amount,
    perceptual: Amount,
    adversarial: Amount,
    adversarial_from: Count = 0,
    loss: Literal["hinge", "non_saturating", "least_squares"] = "hinge",
    shape: tuple[Size, Size, Size],
) -> Method:
    """An autoencoder from a network as `methods.vae` has it, and a discriminator (image, of) -> outputs [B, h, w].

    The network's `last_layer()` gives the path and the module of the layer at whose kernel gradients are weighed; its
    input is in the collection LAST after a call that has this collection.

    frozen: "perceptual", (images, images) -> distances [B], where its weight is above 0. likelihood: p(x | z).
    scale: of the likelihood, where it has one; 0 = the decoder gives it for each value. kl: weight of the divergence in
    nats; the paper's is 1e-6. perceptual: weight of the perceptual distance; 0 = there is none. adversarial: weight of
    the game, besides the one that follows the gradients; 0 = there is none. adversarial_from: the step from which on it
    is played. loss: the game (see `ops.adversarial`). shape: of an image.
    """
    net, discriminator = (learners[name] for name in NETWORKS)
    given_z, game, latent = likelihoods.named(likelihood, scale), games.GAMES[loss], net.module.latent
    values = math.prod(shape)
    _check(net.module, frozen, perceptual, adversarial, shape)

    def decoded(params: PyTree, extra: PyTree, key: Key, z: Array) -> tuple[Array, PyTree]:
        """(the likelihood's parameters [B, H, W, C, P], the network's other collections)."""
        return net.apply(params, extra, z, method="decode", key=key)

    def drawn(params: PyTree, extra: PyTree, key: Key, images: Array, noise: Array) -> tuple[Array, Array, PyTree]:
        """(z [B, latent], the divergence in nats [B], the network's other collections)."""
        (mean, log_variance), extra = net.apply(params, extra, images, method="encode", key=key)
        z = mean + jnp.exp(log_variance / 2) * noise
        return z, likelihoods.gaussian_kl(mean, log_variance), extra

    def close(state: State, images: Array, parameters: Array) -> dict[str, Array]:
        """How far the reconstructions are from the images, and the parts of it, [B] each."""
        parts = {"reconstruction": -per_example(jnp.mean, given_z.log_prob(parameters, images))}
        total = parts["reconstruction"]
        if perceptual:
            parts["perceptual"] = perceived(state, images, given_z.mean(parameters))
            total = total + perceptual * parts["perceptual"]
        return {"close": total, **parts}

    def perceived(state: State, one: Array, other: Array) -> Array:
        found: Any = frozen["perceptual"].apply(state.frozen["perceptual"], one, other)
        return found

    def fooled(state: State, images: Array, parameters: Array) -> Array:
        """The generator's loss at the reconstructions, [B]."""

        def critic(images: Array) -> Array:
            return discriminator.apply(*discriminator.of(state), images, of=OF)[0]

        return per_example(jnp.mean, game.generator(critic, images, given_z.mean(parameters)))

    def weighed(state: State, params: PyTree, read: Array, images: Array) -> Array:
        """λ. read: what the last layer reads. Its slopes need no pass through the layers before it."""
        path, layer = net.module.last_layer()
        params, read = jax.lax.stop_gradient((params, read))
        own = functools.reduce(lambda tree, name: tree[name], path.split("/"), params)

        def slope(of: Callable[[Array], Array]) -> Array:
            def at(kernel: Array) -> Array:
                parameters: Any = layer.apply({"params": {**own, "kernel": kernel}}, read)
                return jnp.mean(of(parameters.astype(jnp.float32).reshape(*images.shape, -1)))

            return optax.tree.norm(whole.mean(jax.grad(at)(own["kernel"])))

        learnt = slope(lambda parameters: close(state, images, parameters)["close"])
        played = slope(lambda parameters: fooled(state, images, parameters))
        return jax.lax.stop_gradient(jnp.minimum(learnt / (played + DELTA), MOST))

    def begun(state: State) -> Array:
        """1 from the step on in which the game is played, else 0."""
        return (state.step >= adversarial_from).astype(jnp.float32)

    def init(key: Key, batch: Batch, frozen: Frozen) -> State:
        net_key, discriminator_key = jax.random.split(key)
        images = batch.target
        params, extra = net.init(net_key, images)
        decode = lambda z: net.apply(params, extra, z, method="decode")[0]  # noqa: E731
        likelihoods.check_decoder(likelihood, given_z, decode, latent, images)
        judge = discriminator.init(discriminator_key, images, of=OF)
        return initial_state({"net": (net, (params, extra)), "discriminator": (discriminator, judge)}, frozen)

    def step(key: Key, state: State, batch: Batch) -> tuple[State, Mapping[str, Array]]:
        observe_key, noise_key, update_key, game_key = jax.random.split(key, 4)
        images = given_z.observe(observe_key, batch.target)
        noise = draw(jax.random.normal, noise_key, (images.shape[0], latent))
        judged: Mapping[str, Array] = {}
        if adversarial:
            params, extra = net.of(state)
            z, _, extra = drawn(params, extra, update_key, images, noise)
            made = given_z.mean(decoded(params, extra, update_key, z)[0])
            state, judged = discriminator.update(game_key, state, told(begun(state)), (images, made))
        state, metrics = net.update(update_key, state, losses(state), (images, noise))
        return state, {**judged, **metrics}

    def told(on: Array) -> Callable:
        """The discriminator's loss of images and reconstructions, which no gradient leaves."""

        def loss(params: PyTree, extra: PyTree, key: Key, part: tuple[Array, Array]) -> tuple:
            def critic(images: Array) -> Array:
                return discriminator.apply(params, extra, images, of=OF)[0]

            each = on * per_example(jnp.mean, game.discriminator(critic, *part))
            return each, (extra, {"discriminator_loss": jnp.mean(each)})

        return loss

    def losses(state: State) -> Callable:
        """The autoencoder's loss beside this state's discriminator."""

        def loss(params: PyTree, extra: PyTree, key: Key, part: tuple[Array, Array]) -> tuple:
            images, noise = part
            z, divergence, extra = drawn(params, extra, key, images, noise)
            parameters, extra = decoded(params, {**extra, LAST: {}} if adversarial else extra, key, z)
            terms = close(state, images, parameters)
            each = terms.pop("close") + kl / values * divergence
            terms["kl"] = divergence
            if adversarial:
                terms["fooled"] = fooled(state, images, parameters)
                (read,) = jax.tree.leaves(extra.pop(LAST))
                balance = begun(state) * weighed(state, params, read, images)
                each += adversarial * balance * terms["fooled"]
            metrics = {name: jnp.mean(term) for name, term in terms.items()}
            return each, (extra, {**metrics, "balance": balance} if adversarial else metrics)

        return loss

    def evaluate(key: Key, state: State, batch: Batch) -> Mapping[str, PerExample]:
        """Of reconstructions from one z each, in -1 ... 1; PSNR in decibels, the divergence in nats of an image.

        latent_mean_0 …: the mean of each channel, a codec's shift. latent_square: the mean square of a latent. One over
        the root of what this is more than the mean of the means' squares is a codec's scale.
        """
        images = batch.target
        mean, log_variance = net.predict(state, images, method="encode")
        z = mean + jnp.exp(log_variance / 2) * draw(jax.random.normal, key, mean.shape)
        made = given_z.mean(net.predict(state, z, method="decode"))
        squares = per_example(jnp.mean, jnp.square(images - made))
        measures = {
            "l1": per_example(jnp.mean, jnp.abs(images - made)),
            "mse": squares,
            "psnr": -10 * jnp.log10(jnp.maximum(squares / 4, FAINT)),
            "kl": likelihoods.gaussian_kl(mean, log_variance),
            "latent_square": per_example(jnp.mean, jnp.square(z)),
        }
        if hasattr(net.module, "latent_shape"):
            channels = jnp.mean(z.reshape(len(z), -1, net.module.latent_shape[-1]), 1)
            measures |= {f"latent_mean_{i}": channel for i, channel in enumerate(channels.T)}
        if perceptual:
            measures["perceptual"] = perceived(state, images, made)
        if adversarial:
            on_real, on_made = (discriminator.predict(state, each, of=OF) for each in (images, made))
            measures["accuracy"] = per_example(jnp.mean, games.told_apart(loss, on_real, on_made))
        return {name: PerExample.of(value) for name, value in measures.items()}

    return Method(init, step, evaluate)


def _check(net: Any, frozen: Mapping[str, Any], perceptual: float, adversarial: float, shape: tuple[int, ...]) -> None:
    """Raises ConfigError for settings that do not go together."""
    if adversarial and not hasattr(net, "last_layer"):
        raise ConfigError(
            f'"method.adversarial" is {adversarial:g}, and {type(net).__name__} does not say which layer is its last: '
            'set it to 0, or networks.net.name to "autoencoder_kl.AutoencoderKL".'
        )
    where = "frozen.perceptual"
    if perceptual and not frozen:
        raise ConfigError(
            f'"method.perceptual" is {perceptual:g}, and no network gives that distance: set it to 0, or '
            f"--config.{where}.weights=lpips:alex."
        )
    if frozen and not perceptual:
        raise ConfigError(f'"method.perceptual" is 0, and nothing reads {where}: leave it out, or set that above 0.')
    least = getattr(frozen.get("perceptual"), "smallest", 1)
    if min(shape[:2]) < least:
        raise ConfigError(
            f'"method.perceptual" is {perceptual:g}, and images are {shape[0]} × {shape[1]}, where the distance takes '
            f"{least} × {least} or more: set it to 0 and leave frozen.perceptual out."
        )
