"""Texts token by token: how likely each is given those before it, and drawing the next one with a cache.

A network offers, as in `methods.autoregressive`,

    net.empty_cache(batch, room)     -> a cache with room for so many tokens
    net.longer(cache, room)          -> the same with more room

and what looks at tokens [B, P] from a place on, with a cache filled up to it, gives logits [B, P, V] and the cache.
"""

from collections.abc import Callable, Sequence
from typing import Annotated, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from aigc_jax.ops.cross_entropy import cross_entropy
from aigc_jax.ops.generation import Reader, doublings, drawn, most_probable
from aigc_jax.ranges import Amount, Count, Range, Size, at_least

Look = Callable[..., tuple[jax.Array, Any]]  # (tokens, cache, index, *read) -> (logits, cache)


class Plan(NamedTuple):
    """How tokens are chosen."""

    temperature: Any  # float32
    top_k: Any  # int32
    top_p: Any  # float32
    repetition: Any  # float32
    beams: Any  # float32 [beams]: its shape says how many, and what it holds nothing
    length_penalty: Any  # float32


def plan(
    *,
    temperature: Amount = 1.0,
    top_k: Count = 0,
    top_p: Annotated[float, Range(0, 1, without_low=True)] = 1.0,
    repetition: Annotated[float, at_least(1)] = 1.0,
    beams: Size = 1,
    length_penalty: float = 1.0,
) -> Plan:
    """Settings of sampling as arrays.

    temperature: divides the logits before a token is drawn; 1 = the model itself, 0 = the most probable token.
    top_k: a token is drawn from so many of the most probable ones; 0 = from all.
    top_p: a token is drawn from the fewest that together have this probability; 1 = from all.
    repetition: above 1, tokens that were there are less probable; 1 = the model itself.
    beams: above 1, the most probable text is searched for with so many hypotheses, and nothing is drawn.
    length_penalty: of that search: the power of the length by which log p is divided; 0 = by nothing.
    """
    drawing = np.float32(temperature), np.int32(top_k), np.float32(top_p)
    return Plan(*drawing, np.float32(repetition), np.zeros(beams, np.float32), np.float32(length_penalty))


def surprise(logits: jax.Array, targets: jax.Array, mask: jax.Array) -> jax.Array:
    """-log p of each text, in nats: the sum over its tokens that are not padding. float32 [B]."""
    return jnp.sum(mask * cross_entropy(logits, targets), axis=1)


def begun(
    look: Look, module: Any, known: jax.Array, room: int, *, read: Sequence[Any], length: int, pad: int
) -> tuple[jax.Array, Any]:
    """(texts int32 [n, length + 1] that hold what is known, and a cache of it with so much room). As of `generate`."""
    rows, told = known.shape
    texts = jnp.full((rows, length + 1), pad, jnp.int32).at[:, :told].set(known)
    cache = module.empty_cache(rows, room)
    if told > 1:
        _, cache = look(known[:, :length], cache, 0, *read)
    return texts, cache


def reader_of(look: Look, module: Any, *, read: Sequence[Any], pad: int, eos: int, never: np.ndarray) -> Reader:
    """What reads one token a row. As of `generate`."""

    def next_logits(tokens: jax.Array, cache: Any, index: jax.Array) -> tuple[jax.Array, Any]:
        found, cache = look(tokens, cache, index, *read)
        return found[:, 0], cache

    return Reader(next_logits, module.longer, never, pad, eos)


def generate(
    look: Look,
    module: Any,
    keys: jax.Array,
    known: jax.Array,
    plan: Plan,
    *,
    read: Sequence[Any] = (),
    length: int,
    pad: int,
    eos: int,
    never: np.ndarray,
) -> jax.Array:
    """Texts, int32 [n, length + 1]: the known tokens, what follows, and padding after EOS.

    module: what has `empty_cache` and `longer`. known: int32 [n, P <= length + 1], of which the first is there: a token
    that pads is chosen. The key of a token depends on its place only. read: what `look` takes besides, trees of arrays
    [n, ...]. never: float32 [vocabulary], -inf for tokens that are not chosen.
    """
    told = known.shape[1]
    # Nothing is left to choose in the columns that every row knows: they are read at once.
    first = 1 + jnp.argmin(jnp.append(jnp.all(known[:, 1:] != pad, axis=0), False))
    rooms = doublings(told, length)
    texts, cache = begun(look, module, known, rooms[0], read=read, length=length, pad=pad)
    beams = plan.beams.shape[0]
    repeated = jax.tree.map(lambda x: jnp.repeat(x, beams, axis=0), read) if beams > 1 else read
    reader = reader_of(look, module, read=repeated, pad=pad, eos=eos, never=never)
    if beams > 1:
        return most_probable(reader, texts, first, cache, rooms, beams, plan.length_penalty, plan.repetition)
    places = jnp.arange(told)
    ended = jnp.any((known == eos) & (places > 0) & (places < first), axis=1)  # GPT-2 begins with its end
    return drawn(reader, keys, texts, first, ended, cache, rooms, plan[:3], plan.repetition)
