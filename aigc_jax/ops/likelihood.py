"""Likelihoods of images, the divergence of Gaussians, and bounds on log p(x).

A decoder gives the parameters of a distribution for each value of an image, on a last axis:
parameters [..., P], images [...] in [-1, 1] -> log-probabilities [...], in nats.
"""

import math
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.special import log_ndtr

from aigc_jax.errors import ConfigError
from aigc_jax.ops.batch import draw

Array = jax.Array
Key = jax.Array

Name = Literal["bernoulli", "gaussian", "laplace", "discretized_logistic"]

LEVELS = 256  # of a value of an image, from -1 to 1
STEP = 2 / (LEVELS - 1)  # between neighbours
LOG_SCALE_MIN = -7.0  # of narrower distributions the gradient explodes


class Likelihood(NamedTuple):
    """p(x | parameters)."""

    parameters: int  # P, how many a value has
    log_prob: Callable[[Array, Array], Array]  # (parameters [..., P], images [...]) -> nats [...]
    mean: Callable[[Array], Array]  # parameters [..., P] -> images [...] in [-1, 1]
    observe: Callable[[Key, Array], Array]  # (key, images [B, ...]) -> the images that the model is fitted to
    of_levels: bool  # whether these are probabilities of the 256 grey levels, so that bits/dim compare across models


def named(name: Name, scale: float) -> Likelihood:
    """The likelihood of that name. Raises ConfigError for a scale of one that has none."""
    if name != "bernoulli":
        kinds = {"gaussian": gaussian, "laplace": laplace, "discretized_logistic": discretized_logistic}
        return kinds[name](scale)
    if scale:
        raise ConfigError('"method.scale" is of likelihoods that have one, and bernoulli has none: set it to 0.')
    return bernoulli()


def check_decoder(
    name: Name, given_z: Likelihood, decode: Callable[[Array], Array], latent: int, images: Array
) -> None:
    """Raises ConfigError where a decoder does not give the parameters of the likelihood of that name.

    given_z: that likelihood. decode: z [B, latent] -> parameters [B, H, W, C, P], of which the shape alone is computed.
    """
    decoded = jax.eval_shape(decode, jnp.zeros((images.shape[0], latent))).shape
    if decoded != (*images.shape, given_z.parameters):
        raise ConfigError(
            f"The decoder gives {decoded}, and the likelihood {name} needs {given_z.parameters} "
            f"parameter(s) for each value of {images.shape}: set networks.net.parameters={given_z.parameters}."
        )


def bernoulli() -> Likelihood:
    """Binary images, -1 or 1; the parameter is the logit of 1.

    The intensities (x + 1) / 2 of a grey image are the probabilities of 1. Whenever an image is used, a binary one is
    sampled from it (Salakhutdinov & Murray 2008; Burda et al. 2016, section 5). The nats are of that binary image. They
    compare with other results on images binarised in this way, but not with likelihoods of grey levels or with a
    cross-entropy against intensities.
    """

    def log_prob(parameters: Array, images: Array) -> Array:
        return -jax.nn.softplus(-images * parameters[..., 0])

    def observe(key: Key, images: Array) -> Array:
        uniform = draw(jax.random.uniform, key, images.shape)
        return jnp.where(uniform < (images + 1) / 2, 1.0, -1.0)

    return Likelihood(1, log_prob, lambda parameters: jnp.tanh(parameters[..., 0] / 2), observe, of_levels=False)


def gaussian(scale: float) -> Likelihood:
    """N(x; location, scale^2), a density: the nats may be of either sign and compare only with densities.

    scale: the standard deviation; 0 = the second parameter of each value is its logarithm.
    """

    def log_prob(parameters: Array, images: Array) -> Array:
        location, log_scale = _location_scale(parameters, scale)
        return -0.5 * ((images - location) * jnp.exp(-log_scale)) ** 2 - log_scale - 0.5 * math.log(2 * math.pi)

    return Likelihood(1 if scale else 2, log_prob, _clipped_location, _as_is, of_levels=False)


def laplace(scale: float) -> Likelihood:
    """exp(-|x - location| / scale) / (2 scale), a density: with scale 1 its nats are the L1 distance and log 2.

    scale: the mean distance; 0 = the second parameter of each value is its logarithm.
    """

    def log_prob(parameters: Array, images: Array) -> Array:
        location, log_scale = _location_scale(parameters, scale)
        return -jnp.abs(images - location) * jnp.exp(-log_scale) - log_scale - math.log(2)

    return Likelihood(1 if scale else 2, log_prob, _clipped_location, _as_is, of_levels=False)


def discretized_logistic(scale: float) -> Likelihood:
    """The mass that a logistic distribution has around each of the 256 levels of a value.

    Kingma et al. 2016, arXiv:1606.04934; Salimans et al. 2017, arXiv:1701.05517,
    eq. 2: the lowest level has all the mass below, the highest all that lies above. For the
    edges a > b of a level, with s the sigmoid,

        log(s(a) - s(b)) = log s(a) + log s(-b) + log(1 - exp(b - a)),

    which does not cancel for small masses.

    scale: of the logistic; 0 = the second parameter of each value is its logarithm.
    """

    def log_prob(parameters: Array, images: Array) -> Array:
        location, log_scale = _location_scale(parameters, scale)
        inverse = jnp.exp(-log_scale)
        below = jax.nn.log_sigmoid((images + STEP / 2 - location) * inverse)
        above = jax.nn.log_sigmoid((location - images + STEP / 2) * inverse)
        within = below + above + jnp.log(-jnp.expm1(-STEP * inverse))
        lowest, highest = images < -1 + STEP / 2, images > 1 - STEP / 2
        return jnp.where(lowest, below, jnp.where(highest, above, within))

    return Likelihood(1 if scale else 2, log_prob, _clipped_location, _as_is, of_levels=True)


def discretized_log_likelihood(x: Array, mean: Array, scale: Array) -> Array:
    """log of the mass that N(mean, scale²) has in x's bin (Ho et al. 2020, eq. 13), in nats, shaped like x.

    x: one of 256 levels in [-1, 1]; the first and the last bin reach to infinity.
    """
    half = STEP / 2
    low, high = (x - half - mean) / scale, (x + half - mean) / scale
    # The same mass in the lower tail, where its logarithm keeps all digits.
    above = x > mean
    near, far = jnp.where(above, -low, high), jnp.where(above, -high, low)
    near = log_ndtr(near)
    inside = near + jnp.log(-jnp.expm1(log_ndtr(far) - near))
    return jnp.where(x < -1 + half, log_ndtr(high), jnp.where(x > 1 - half, log_ndtr(-low), inside))


def _location_scale(parameters: Array, scale: float) -> tuple[Array, Array]:
    log_scale = jnp.float32(math.log(scale)) if scale else jnp.maximum(parameters[..., 1], LOG_SCALE_MIN)
    return parameters[..., 0], log_scale


def _clipped_location(parameters: Array) -> Array:
    return jnp.clip(parameters[..., 0], -1, 1)


def _as_is(key: Key, images: Array) -> Array:
    return images


def bits_per_dim(nats: Array, dimensions: int) -> Array:
    """A negative log-probability of a whole image in nats -> bits for each of its values."""
    return nats / (dimensions * math.log(2))


def gaussian_kl(mean: Array, log_variance: Array) -> Array:
    """KL(N(mean, variance) || N(0, I)) in nats, [B, D] -> [B] (Kingma & Welling 2014, appendix B)."""
    return jnp.sum(gaussian_kls(mean, log_variance), axis=-1)


def gaussian_kls(mean: Array, log_variance: Array) -> Array:
    """The part that each dimension has in `gaussian_kl`, [B, D] -> [B, D]."""
    return 0.5 * (jnp.exp(log_variance) + mean**2 - 1 - log_variance)


def standard_normal_log_prob(z: Array) -> Array:
    """log N(z; 0, I), [..., D] -> [...]."""
    return -0.5 * jnp.sum(z**2 + math.log(2 * math.pi), axis=-1)


def importance_bounds(log_weight: Callable[[Key], Array], key: Key, counts: Sequence[int]) -> list[Array]:
    """Estimates of E[log 1/k sum_i w_i], a bound on log p(x) that tightens with k, for each k of `counts`.

    Burda et al. 2016, arXiv:1509.00519, eq. 8. log_weight: key -> log p(x, z) - log q(z | x) [B]
    for one z from q. It is called max(counts) times, one after the other, which needs the memory of one call. The
    estimate for k is the mean over all whole groups of k draws. Returns one [B] array for each k.
    """
    most = max(counts)
    log_weights = jax.lax.map(log_weight, jax.random.split(key, most))

    def bound(k: int) -> Array:
        groups = log_weights[: most // k * k].reshape(most // k, k, -1)
        return jnp.mean(jax.nn.logsumexp(groups, axis=1) - math.log(k), axis=0)

    return [bound(k) for k in counts]
