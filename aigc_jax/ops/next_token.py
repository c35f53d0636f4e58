"""Texts token by token: how likely each is given those before it, and drawing the next one with a cache.

A network offers, as in `methods.autoregressive`,

    net.empty_cache(batch, room)     -> a cache with room for so many tokens
    net.longer(cache, room)          -> the same with more room

and what looks at tokens [B, P] from a place on, with a cache filled up to it, gives logits [B, P, V] and the cache.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Annotated, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from aigc_jax.ops import batch
from aigc_jax.ops.cross_entropy import cross_entropy
from aigc_jax.ops.decoding import choose
from aigc_jax.ranges import Amount, Count, Range

Look = Callable[[jax.Array, Any, Any], tuple[jax.Array, Any]]  # (tokens, cache, index) -> (logits, cache)

FIRST_ROOM = 64  # tokens that a cache holds at first; it doubles when full, since a step reads what is empty too


class Plan(NamedTuple):
    """How tokens are chosen."""

    temperature: Any  # float32
    top_k: Any  # int32
    top_p: Any  # float32


def plan(
    *, temperature: Amount = 1.0, top_k: Count = 0, top_p: Annotated[float, Range(0, 1, without_low=True)] = 1.0
) -> Plan:
    """Settings of sampling as arrays.

    temperature: divides the logits before a token is drawn; 1 = the model itself, 0 = the most probable token.
    top_k: a token is drawn from so many of the most probable ones; 0 = from all.
    top_p: a token is drawn from the fewest that together have this probability; 1 = from all.
    """
    return Plan(np.float32(temperature), np.int32(top_k), np.float32(top_p))


def doublings(first: int, last: int) -> list[int]:
    """FIRST_ROOM, doubled until it holds `first`, and on until `last`, which ends the list."""
    rooms, room = [], FIRST_ROOM
    while room < last:
        if room >= first:
            rooms.append(room)
        room *= 2
    return [*rooms, last]


def surprise(logits: jax.Array, targets: jax.Array, mask: jax.Array) -> jax.Array:
    """-log p of each text, in nats: the sum over its tokens that are not padding. float32 [B]."""
    return jnp.sum(mask * cross_entropy(logits, targets), axis=1)


def generate(
    look: Look,
    module: Any,
    keys: jax.Array,
    known: jax.Array,
    plan: Plan,
    *,
    length: int,
    pad: int,
    eos: int,
    never: Sequence[int],
) -> jax.Array:
    """Texts, int32 [n, length + 1]: the known tokens, what follows, and padding after EOS.

    module: what has `empty_cache` and `longer`. known: int32 [n, P <= length + 1], of which the first is there: a token
    that pads is drawn. The key of a token depends on its place only. never: tokens that are not drawn.
    """
    rows, told = known.shape
    without = jnp.zeros(module.vocabulary).at[jnp.array(never, int)].set(-jnp.inf)
    texts = jnp.full((rows, length + 1), pad, jnp.int32).at[:, :told].set(known)
    # Nothing is left to choose in the columns that every row knows: they are read at once.
    first = 1 + jnp.argmin(jnp.append(jnp.all(known[:, 1:] != pad, axis=0), False))

    def extend(carry: tuple) -> tuple:
        position, texts, ended, cache = carry
        token = jax.lax.dynamic_slice_in_dim(texts, position - 1, 1, axis=1)
        found, cache = look(token, cache, position - 1)
        chosen = choose(batch.fold_in(keys, position), found[:, 0] + without, *plan)
        there = jax.lax.dynamic_slice_in_dim(texts, position, 1, axis=1)[:, 0]
        token = jnp.where(there != pad, there, jnp.where(ended, pad, chosen))
        texts = jax.lax.dynamic_update_slice_in_dim(texts, token[:, None], position, axis=1)
        return position + 1, texts, ended | (token == eos), cache

    def within(room: int, carry: tuple) -> jax.Array:
        return carry[0] <= room

    rooms = doublings(told, length)
    cache = module.empty_cache(rows, rooms[0])
    if told > 1:
        _, cache = look(known[:, :length], cache, 0)
    places = jnp.arange(told)
    ended = jnp.any((known == eos) & (places > 0) & (places < first), axis=1)  # GPT-2 begins with its end
    carry = (first, texts, ended, cache)
    for room in rooms:
        *rest, cache = carry
        carry = jax.lax.while_loop(partial(within, room), extend, (*rest, module.longer(cache, room)))
    return carry[1]
