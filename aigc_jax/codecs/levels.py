"""Values as tokens, for families that read tokens: a token for each level of a grey value or colour channel.

Rows from the top, each from the left, of each pixel its channels (van den Oord et al. 2016, arXiv:1601.06759, section
2.1). The likelihood of the levels compares with that of families that read images.
"""

import math
from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp

from aigc_jax.errors import ConfigError
from aigc_jax.method import Array, Codec, Frozen, Key
from aigc_jax.ops.augment import HALF
from aigc_jax.ops.bits import Unit
from aigc_jax.ops.likelihood import LEVELS

BOS = LEVELS  # the token before an example; 0 … 255 are the levels
NONE = -1  # no token: an example has no end of its own


def levels(facts: Mapping[str, Any], /) -> Codec:
    """Float [B, ...] of 256 levels in [-1, 1] <-> int32 [B, length + 1], BOS and the levels.

    facts: of the target, which has to be of 256 levels.
    """
    if facts.get("levels") != LEVELS:
        raise ConfigError(f'"codec.name" is "levels", and the target is not of {LEVELS} levels: leave it out.')
    shape = facts["shape"]
    length = math.prod(shape)

    def encode(key: Key, frozen: Frozen, target: Array) -> Array:
        tokens = jnp.rint((target + 1) * HALF).astype(jnp.int32).reshape(-1, length)
        return jnp.concatenate([jnp.full_like(tokens[:, :1], BOS), tokens], axis=1)

    def decode(frozen: Frozen, encoded: Array) -> Array:
        return encoded[:, 1:].reshape(-1, *shape) / HALF - 1

    # BOS pads too, since a sampler never chooses what pads: its samples are levels, all of them.
    units = (Unit("dim", (1,) * (LEVELS + 1)),)
    found = dict(vocabulary=LEVELS + 1, length=length, pad=BOS, bos=BOS, eos=NONE, packed=False, units=units)
    return Codec(found, encode, decode)
