"""The latents of a trained VAE (Rombach et al. 2022, arXiv:2112.10752, section 3.1): what is generated is smaller.

An example is encoded as a draw of q(z | x) less `shift`, times `scale`, which should bring its mean to about 0 and its
variance to about 1 (the paper's latents need no shift; those of short trainings do); a sample is
decoded to the mean of p(x | z). What q is of each training example need not be computed in every step: `once`.
"""

from collections.abc import Mapping
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen

from aigc_jax.errors import ConfigError
from aigc_jax.method import Array, Codec, Frozen, Key
from aigc_jax.ops import likelihood as likelihoods
from aigc_jax.ops.batch import draw
from aigc_jax.ranges import above

FROZEN = ("codec",)
Posterior = tuple[Array, Array]  # mean and log-variance of q(z | x), float32 [B, latent] each


def latents(
    facts: Mapping[str, Any],
    /,
    *,
    frozen: Mapping[str, linen.Module],
    likelihood: likelihoods.Name,
    scale: Annotated[float, above(0)],
    shift: tuple[float, ...] = (),
    once: bool = True,
) -> Codec:
    """Images <-> float32 [B, 1, 1, latent], or [B, *latent_shape] where the network has that.

    facts: of the target. frozen: "codec" has the methods `encode` and `decode` of a VAE's network, and its field
    `latent`; `latent_shape`, (h, w, c), says that its latents are the values of a map. likelihood: that it was trained
    with. scale: of a latent; it should bring the variance to about 1. shift: what is subtracted from each channel
    before that, the means; () = nothing. once: compute the means and variances of all training examples before the
    first step, where no augmentation changes these, and only draw in each.
    """
    vae: Any = frozen["codec"]
    shape = getattr(vae, "latent_shape", (1, 1, vae.latent))
    if len(shift) not in (0, shape[-1]):
        raise ConfigError(
            f'"codec.shift" has {len(shift)} numbers, and the latents {shape[-1]} channels: give one for each, or ().'
        )
    offset = np.asarray(shift or (0.0,), np.float32)
    mean = likelihoods.named(likelihood, 0.0).mean

    def look(frozen: Frozen, target: Array) -> Posterior:
        return vae.apply(frozen["codec"], target, method="encode")

    def drawn(key: Key, found: Posterior) -> Array:
        center, log_variance = found
        noise = draw(jax.random.normal, key, center.shape)
        return scale * ((center + jnp.exp(log_variance / 2) * noise).reshape(-1, *shape) - offset)

    def encode(key: Key, frozen: Frozen, target: Array) -> Array:
        return drawn(key, look(frozen, target))

    def decode(frozen: Frozen, encoded: Array) -> Array:
        z = (encoded / scale + offset).reshape(-1, vae.latent)
        return mean(vae.apply(frozen["codec"], z, method="decode"))

    facts = dict(shape=shape, levels=0)
    return Codec(facts, encode, decode, look, drawn) if once else Codec(facts, encode, decode)
