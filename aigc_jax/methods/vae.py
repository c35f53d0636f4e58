"""Variational autoencoders (Kingma & Welling 2014, arXiv:1312.6114).

    log p(x) >= ELBO(x) = E_q[log p(x | z)] - KL(q(z | x) || p(z))                    (eq. 3)
    q(z | x) = N(mean(x), diag(variance(x))),   p(z) = N(0, I)
    z = mean + sqrt(variance) * noise,   noise ~ N(0, I)                       (section 2.4)

The loss is -E_q[log p(x | z)] + beta KL with one z an example; beta = 1 is the bound, others
are Higgins et al. 2017's beta-VAE. Evaluation adds the importance-weighted bound of Burda et
al. 2016, arXiv:1509.00519, eq. 8, which for k = 1 is the ELBO and tends to log p(x) with k.
All figures are nats of a whole image; what they are nats of is the likelihood's to say
(`ops.likelihood`).
"""

import math
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from aigc_jax.learner import Learner, initial_state
from aigc_jax.method import Array, Batch, Frozen, Given, Key, Method, PerExample, PyTree, State
from aigc_jax.ops import latent as latents
from aigc_jax.ops import likelihood as likelihoods
from aigc_jax.ops.batch import draw, normals, per_example
from aigc_jax.ranges import Amount, Sizes

NETWORKS = ("net",)


def plan(*, temperature: Amount = 1.0) -> Mapping[str, Any]:
    """Settings of sampling as arrays. temperature: times the prior's standard deviation; 1 = the prior."""
    return {"temperature": np.float32(temperature)}


def vae(
    learners: Mapping[str, Learner],
    /,
    *,
    likelihood: likelihoods.Name,
    scale: Amount,
    beta: Amount,
    importance_samples: Sizes,
) -> Method:
    """A VAE from a network with a field `latent`, the dimensions of z, and two methods: `encode`,
    images -> mean and log-variance of z [B, latent], and `decode`, z -> parameters of the
    likelihood [B, H, W, C, P].

    likelihood: p(x | z). beta: weight of the KL divergence in the loss; 1 = the ELBO.
    scale: of the likelihood, where it has one; 0 = the decoder gives it for each value.
    importance_samples: the numbers k of samples whose bounds are measured.
    """
    net = learners["net"]
    latent = net.module.latent
    given_z = likelihoods.named(likelihood, scale)

    def init(key: Key, batch: Batch, frozen: Frozen) -> State:
        images = batch.target
        params, extra = net.init(key, images)
        decode = lambda z: net.apply(params, extra, z, method="decode")[0]  # noqa: E731
        likelihoods.check_decoder(likelihood, given_z, decode, latent, images)
        return initial_state({"net": (net, (params, extra))}, frozen)

    def step(key: Key, state: State, batch: Batch) -> tuple[State, Mapping[str, Array]]:
        observe_key, noise_key, update_key = jax.random.split(key, 3)
        images = given_z.observe(observe_key, batch.target)
        noise = draw(jax.random.normal, noise_key, (images.shape[0], latent))
        return net.update(update_key, state, losses, (images, noise))

    def losses(params: PyTree, extra: PyTree, key: Key, part: tuple[Array, Array]) -> tuple:
        images, noise = part
        encode_key, decode_key = jax.random.split(key)
        (mean, log_variance), extra = net.apply(params, extra, images, method="encode", key=encode_key)
        z = mean + jnp.exp(log_variance / 2) * noise
        decoded, extra = net.apply(params, extra, z, method="decode", key=decode_key)
        reconstruction = -per_example(jnp.sum, given_z.log_prob(decoded, images))
        kl = likelihoods.gaussian_kl(mean, log_variance)
        terms = {"reconstruction": reconstruction, "kl": kl, **_bits(reconstruction + kl, images)}
        return reconstruction + beta * kl, (extra, jax.tree.map(jnp.mean, terms))

    def evaluate(key: Key, state: State, batch: Batch) -> Mapping[str, PerExample]:
        """The terms of the bound, and bounds from several samples: lower terms and higher bounds are better."""
        observe_key, noise_key, bound_key = jax.random.split(key, 3)
        images = given_z.observe(observe_key, batch.target)
        mean, log_variance = net.predict(state, images, method="encode")

        def explained(noise: Array) -> tuple[Array, Array]:
            z = mean + jnp.exp(log_variance / 2) * noise
            return z, per_example(jnp.sum, given_z.log_prob(net.predict(state, z, method="decode"), images))

        def log_weight(key: Key) -> Array:
            noise = draw(jax.random.normal, key, mean.shape)
            z, log_likelihood = explained(noise)
            log_posterior = likelihoods.standard_normal_log_prob(noise) - 0.5 * jnp.sum(log_variance, -1)
            return log_likelihood + likelihoods.standard_normal_log_prob(z) - log_posterior

        reconstruction = -explained(draw(jax.random.normal, noise_key, mean.shape))[1]
        kl = likelihoods.gaussian_kl(mean, log_variance)
        bounds = likelihoods.importance_bounds(log_weight, bound_key, importance_samples)
        values = {
            "reconstruction": reconstruction,
            "kl": kl,
            "elbo": -reconstruction - kl,
            **{f"bound_{k}": bound for k, bound in zip(importance_samples, bounds, strict=True)},
            **_bits(reconstruction + kl, images),
        }
        return {name: PerExample.of(value) for name, value in values.items()}

    def decode(state: State, z: Array) -> Array:
        """The means of p(x | z), float32 [n, H, W, C] in [-1, 1]. z: [n, latent]."""
        return given_z.mean(net.predict(state, z, method="decode"))

    def sample(keys: Array, state: State, given: Given, plan: Mapping[str, Any]) -> Array:
        return decode(state, plan["temperature"] * normals(keys, (latent,)))

    def walk(key: Key, state: State, n: int, given: Given) -> Array:
        return decode(state, latents.walk(key, n, (latent,)))

    def _bits(nats: Array, images: Array) -> Mapping[str, Array]:
        # Nats of densities and of binary images do not compare with those of grey levels.
        if not given_z.of_levels:
            return {}
        return {"bits_per_dim": likelihoods.bits_per_dim(nats, math.prod(images.shape[1:]))}

    return Method(init, step, evaluate, sample, plan, parts={"decode": decode, "walk": walk})
