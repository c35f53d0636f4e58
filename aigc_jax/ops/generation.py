"""Texts token by token from a network that reads with a cache: drawn, or the most probable by beam search.

A row of `texts`, int32 [n, L], begins with what is known and holds `pad` elsewhere. A cache is a tree of arrays whose
first axis is the rows. What steps are taken is the same for every row, so rows may know beginnings of other lengths: a
known token is written where another row chooses.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from aigc_jax.ops import batch as whole
from aigc_jax.ops.decoding import choose, largest, repetition_penalty

FIRST_ROOM = 64  # tokens that a cache holds at first; it doubles when full, since a step reads what is empty too


class Reader(NamedTuple):
    """A network and its tokens."""

    read: Callable[[jax.Array, Any, jax.Array], tuple[jax.Array, Any]]
    """(tokens int32 [rows, 1], cache, their position) -> (logits float32 [rows, V] of the next token, cache)."""
    longer: Callable[[Any, int], Any]  # (cache, room) -> the same with room for so many tokens
    never: Any  # float32 [V]: -inf for tokens that are not chosen, else 0
    pad: int
    eos: int  # -1 = a text has no end of its own


def doublings(first: int, last: int) -> list[int]:
    """FIRST_ROOM, doubled until it holds `first`, and on until `last`, which ends the list."""
    rooms, room = [], FIRST_ROOM
    while room < last:
        if room >= first:
            rooms.append(room)
        room *= 2
    return [*rooms, last]


def growing(step: Callable, carry: tuple, rooms: list[int], longer: Callable, more: Callable) -> Any:
    """Steps of a carry (position, …, cache) while `more(carry)` and its cache has room, then with more of it."""

    def within(room: int, carry: tuple) -> jax.Array:
        return (carry[0] <= room) & more(carry)

    for room in rooms:
        *rest, cache = carry
        carry = jax.lax.while_loop(partial(within, room), step, (*rest, longer(cache, room)))
    return carry


def next_token(
    reader: Reader,
    keys: jax.Array,
    texts: jax.Array,
    position: jax.Array,
    cache: Any,
    settings: tuple[Any, Any, Any],
    repetition: Any,
) -> tuple[jax.Array, Any]:
    """(what is drawn for a position, int32 [n]; the cache after the token before it). The rest as of `drawn`."""
    token = jax.lax.dynamic_slice_in_dim(texts, position - 1, 1, axis=1)
    logits, cache = reader.read(token, cache, position - 1)
    logits = repetition_penalty(logits, texts, reader.pad, repetition) + reader.never
    return choose(whole.fold_in(keys, position), logits, *settings), cache


def drawn(
    reader: Reader,
    keys: jax.Array,
    texts: jax.Array,
    first: jax.Array,
    ended: jax.Array,
    cache: Any,
    rooms: list[int],
    settings: tuple[Any, Any, Any],
    repetition: Any,
) -> jax.Array:
    """Texts, int32 [n, L]: what is known, what is drawn after it, and padding after the end.

    keys: [n]; the key of a token depends on its position. first: the first position to fill. ended: bool [n].
    settings: temperature, k and p of `choose`. repetition: see `repetition_penalty`.
    Where all texts have ended, nothing is left to write.
    """

    def extend(carry: tuple) -> tuple:
        position, texts, ended, cache = carry
        chosen, cache = next_token(reader, keys, texts, position, cache, settings, repetition)
        there = jax.lax.dynamic_slice_in_dim(texts, position, 1, axis=1)[:, 0]
        token = jnp.where(there != reader.pad, there, jnp.where(ended, reader.pad, chosen))
        texts = jax.lax.dynamic_update_slice_in_dim(texts, token[:, None], position, axis=1)
        return position + 1, texts, ended | (token == reader.eos), cache

    carry = (first, texts, ended, cache)
    return growing(extend, carry, rooms, reader.longer, lambda carry: ~jnp.all(carry[2]))[1]


def most_probable(
    reader: Reader,
    texts: jax.Array,
    first: jax.Array,
    cache: Any,
    rooms: list[int],
    beams: int,
    length_penalty: Any,
    repetition: Any,
) -> jax.Array:
    """Beam search: the text with the highest log p / length^length_penalty that was found, int32 [n, L].

    (Lowerre 1976; Wu et al. 2016, arXiv:1609.08144, section 7, with the length itself for their lp.) length: of what
    was chosen, its end included. Of the 2 `beams` best candidates of a step, those that end are hypotheses where they
    are among the best `beams`, and the best `beams` of the others go on. A row's search is over where none of these can
    come before the best that has ended. With as many beams as there are texts it is exact.
    """
    rows, length = texts.shape
    alone = jnp.where(jnp.arange(beams) > 0, -jnp.inf, 0.0)  # at first all hypotheses are one

    def per_beam(x: jax.Array) -> jax.Array:
        return jnp.repeat(x[:rows], beams, axis=0)

    def picked(x: jax.Array, parents: jax.Array) -> jax.Array:
        """x [rows, beams, ...] of the parents [rows, k]."""
        return jnp.take_along_axis(x, parents.reshape(*parents.shape, *[1] * (x.ndim - 2)), axis=1)

    def normed(scores: jax.Array, count: jax.Array) -> jax.Array:
        """scores, float32 [rows, k], of hypotheses of so many tokens, [rows]."""
        return scores / jnp.maximum(count, 1).astype(jnp.float32)[:, None] ** length_penalty

    def better(done: jax.Array, best: jax.Array, made: jax.Array, scores: jax.Array) -> tuple[jax.Array, jax.Array]:
        """(texts [rows, L], their scores [rows]): the best of those that are done and those that are made."""
        first = jnp.argmax(scores, axis=1)[:, None]
        score = jnp.take_along_axis(scores, first, axis=1)
        return jnp.where(score > best[:, None], picked(made, first)[:, 0], done), jnp.maximum(score[:, 0], best)

    def extend(carry: tuple) -> tuple:
        position, live, scores, done, best, count, cache = carry
        token = jax.lax.dynamic_slice_in_dim(live, position - 1, 1, axis=2).reshape(-1, 1)
        logits, cache = reader.read(token, cache, position - 1)
        log_p = jax.nn.log_softmax(logits + reader.never)
        log_p = repetition_penalty(log_p, live.reshape(-1, length), reader.pad, repetition).reshape(rows, beams, -1)
        size = log_p.shape[-1]
        there = jax.lax.dynamic_slice_in_dim(texts, position, 1, axis=1)  # [rows, 1]
        known = there != reader.pad
        told = jnp.where(jnp.arange(size) == there, 0.0, -jnp.inf)
        log_p = jnp.where(known[..., None], told[:, None], log_p)
        count = count + ~known[:, 0]
        total, place = largest((scores[..., None] + log_p).reshape(rows, -1), min(2 * beams, beams * size))
        parents, tokens = place // size, (place % size).astype(jnp.int32)
        made = jax.lax.dynamic_update_slice_in_dim(picked(live, parents), tokens[..., None], position, axis=2)
        ends = (tokens == reader.eos) & ~known
        foremost = jnp.arange(total.shape[1]) < beams
        done, best = better(done, best, made, normed(jnp.where(ends & foremost, total, -jnp.inf), count))
        scores, going = jax.lax.top_k(jnp.where(ends, -jnp.inf, total), beams)
        live, parents = picked(made, going), jnp.take_along_axis(parents, going, axis=1)
        sources = (jnp.arange(rows)[:, None] * beams + parents).reshape(-1)
        return position + 1, live, scores, done, best, count, jax.tree.map(lambda x: x[sources], cache)

    def more(carry: tuple) -> jax.Array:
        """Whether a live hypothesis could still come before the best that has ended.

        Its log p only falls. Divided by a power of the length it is at its best as a text of the longest length, or,
        where the power is negative, as one of the shortest.
        """
        position, _, scores, _, best, count, _ = carry
        bound = jnp.maximum(normed(scores, count), normed(scores, count + length - position))
        return jnp.any(bound[:, 0] > best)

    live = jnp.repeat(texts[:, None], beams, axis=1)
    carry = (first, live, jnp.tile(alone, (rows, 1)), texts, jnp.full(rows, -jnp.inf), jnp.zeros(rows, jnp.int32))
    ended = growing(extend, (*carry, jax.tree.map(per_beam, cache)), rooms, reader.longer, more)
    _, live, scores, done, best, count, _ = ended
    return better(done, best, live, normed(scores, count))[0]
