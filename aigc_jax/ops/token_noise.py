"""What is taken from a text for a network to give back: masked tokens, spans, deletions.

| function | what a network reads | source |
|---|---|---|
| `bert` | of 15 % of the tokens: the mask, another, the token itself | Devlin et al. 2019, arXiv:1810.04805, 3.1 |
| `masked` | the mask in the place of each hidden token | Lewis et al. 2020, arXiv:1910.13461, section 2.2 |
| `deleted` | the text without the hidden tokens | the same |
| `few_long`, `sentinelled` | a sentinel of its own for each span | Raffel et al. 2020, arXiv:1910.10683, 3.1.4 |
| `poisson`, `infilled` | one mask for each span, also where it is empty | Lewis et al. 2020, section 2.2 |

Every function is of one row, int [T], with a key of its own: `jax.vmap` makes it one of a batch, of which `keys` and
`own_keys` give the keys. `may`, bool [T], are the tokens that noise may touch, next to each other: all but those that
pad, begin and end a text. The number of tokens that are hidden is the rounded share, not a draw: it varies with the
length of the text alone.
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from aigc_jax.ops import batch

AS_MASK, AS_OTHER = 0.8, 0.1  # of BERT's chosen tokens: what becomes the mask, and another token; the rest stays
FACTOR = 16_777_619  # of a hash of tokens: odd
LONGEST = 40  # of a table of Poisson's law: of a mean up to 10 it leaves out 1e-12


class Spans(NamedTuple):
    """Runs of hidden tokens, at least one token that is seen between any two."""

    begins: jax.Array  # bool [T + 1]: a span begins before this token; the last: after all of them
    hidden: jax.Array  # bool [T]


def keys(key: jax.Array, rows: int) -> jax.Array:
    """A key for each row of the batch at hand, [rows]."""
    return batch.draw(_split, key, (rows,))


def own_keys(tokens: jax.Array) -> jax.Array:
    """A key for each row that only its tokens decide, [B]: every measurement hides the same. tokens: int [B, T]."""
    factors = np.array([pow(FACTOR, i + 1, 2**32) for i in range(tokens.shape[1])], np.uint32)
    return jax.vmap(jax.random.key)(jnp.sum((tokens.astype(jnp.uint32) + 1) * factors, axis=1))


def _split(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    return jax.random.split(key, shape[0])


def exactly(key: jax.Array, may: jax.Array, count: jax.Array | int) -> jax.Array:
    """So many of those that may, every choice as likely as any other. bool [T]."""
    order = jnp.argsort(jnp.where(may, jax.random.uniform(key, may.shape), 2.0))
    return may & (jnp.argsort(order) < count)


def share(may: jax.Array, density: float) -> jax.Array:
    """How many of those that may a density hides: one at least where there is one. int32 scalar."""
    there = jnp.sum(may)
    return jnp.minimum(jnp.maximum(jnp.round(density * there).astype(jnp.int32), 1), there)


def bert(
    key: jax.Array, tokens: jax.Array, may: jax.Array, *, mask: int, others: np.ndarray, density: float
) -> tuple[jax.Array, jax.Array]:
    """(what is read, int [T]; the tokens to predict, bool [T]). others: the ids that a token may be replaced by."""
    which_key, how_key, other_key = jax.random.split(key, 3)
    chosen = exactly(which_key, may, share(may, density))
    how = jax.random.uniform(how_key, tokens.shape)
    other = jnp.asarray(others, tokens.dtype)[jax.random.randint(other_key, tokens.shape, 0, len(others))]
    instead = jnp.where(how < AS_MASK, mask, jnp.where(how < AS_MASK + AS_OTHER, other, tokens))
    return jnp.where(chosen, instead, tokens), chosen


def masked(key: jax.Array, tokens: jax.Array, may: jax.Array, *, mask: int, density: float) -> jax.Array:
    """The text with a mask for each hidden token. int [T]."""
    return jnp.where(exactly(key, may, share(may, density)), mask, tokens)


def deleted(key: jax.Array, tokens: jax.Array, may: jax.Array, *, pad: int, density: float) -> jax.Array:
    """The text without the hidden tokens, padded. int [T]."""
    hidden = exactly(key, may, share(may, density))
    return _moved_up(tokens, ~hidden & (tokens != pad), len(tokens), pad)


def few_long(key: jax.Array, may: jax.Array, *, density: float, mean: float, most: int) -> Spans:
    """T5's spans: of a mean length, `most` of them at most, every way to place and to part them equally likely.

    At least one token is hidden and one is seen; a text of fewer than two has no spans. The authors' own code always
    hides the last token and never the first; here either may be hidden.
    """
    part_key, place_key = jax.random.split(key)
    size, there = len(may), jnp.sum(may)
    hidden = jnp.clip(share(may, density), 0, there - 1)
    spans = jnp.clip(jnp.round(hidden / mean).astype(jnp.int32), 1, jnp.minimum(jnp.minimum(hidden, most), size))
    spans = jnp.where(hidden > 0, jnp.minimum(spans, there - hidden + 1), 0)
    items = jnp.arange(size)
    cuts = exactly(part_key, (items > 0) & (items < hidden), spans - 1)
    sizes = jnp.zeros(most, jnp.int32).at[jnp.where(items < hidden, jnp.cumsum(cuts), most)].add(1, mode="drop")
    return _placed(place_key, may, sizes, spans)


def poisson(key: jax.Array, may: jax.Array, *, density: float, mean: float) -> Spans:
    """BART's spans: of lengths with Poisson's law, also of length 0, until they hide the density. The last one is cut.

    A text never has more spans than tokens to hide, so that it is no longer than it was with a mask for each.
    """
    length_key, place_key = jax.random.split(key)
    there, wanted = jnp.sum(may), share(may, density)
    law = np.cumsum([math.exp(k * math.log(mean) - mean - math.lgamma(k + 1)) for k in range(LONGEST)])
    most = max(1, math.ceil(density * len(may)))
    lengths = jnp.searchsorted(jnp.asarray(law, jnp.float32), jax.random.uniform(length_key, (most,)), side="right")
    before = jnp.cumsum(lengths) - lengths
    spans = jnp.minimum(jnp.sum(before < wanted), jnp.minimum(wanted, there - wanted + 1))
    sizes = jnp.where(jnp.arange(most) < spans, jnp.clip(wanted - before, 0, lengths), 0)
    return _placed(place_key, may, sizes, spans)


def infilled(tokens: jax.Array, spans: Spans, *, mask: int, pad: int, size: int) -> jax.Array:
    """The text with one mask for each span. int [size], padded or cut."""
    return _seen(tokens, spans, jnp.full(spans.begins.shape, mask), pad, size)


def sentinelled(
    tokens: jax.Array, spans: Spans, *, sentinels: np.ndarray, pad: int, eos: int, sizes: tuple[int, int]
) -> tuple[jax.Array, jax.Array]:
    """(what is read, what is to be given back), int [sizes], padded.

    Span i is read as the i-th of the sentinels. What is given back is each sentinel with its span, one sentinel more,
    and EOS.
    """
    number = jnp.cumsum(spans.begins)
    table = jnp.asarray(sentinels)
    its = table[jnp.clip(number - 1, 0, len(table) - 1)]
    slots = jnp.stack([its, jnp.append(tokens, pad)], axis=1)
    kept = jnp.stack([spans.begins, jnp.append(spans.hidden, False)], axis=1)
    values = jnp.concatenate([slots.reshape(-1), jnp.stack([table[number[-1]], jnp.asarray(eos)])])
    target = _moved_up(values, jnp.append(kept.reshape(-1), jnp.array([True, True])), sizes[1], pad)
    return _seen(tokens, spans, its, pad, sizes[0]), target


def put_back(read: jax.Array, given: jax.Array, *, sentinels: np.ndarray, pad: int, eos: int, size: int) -> jax.Array:
    """The text of which `sentinelled` made these two, int [size]: each sentinel's span in its place.

    given: may be a model's: what follows EOS or no sentinel of `read` is left out.
    """
    table = jnp.asarray(sentinels)
    closes = jnp.isin(given, table)
    last = jax.lax.cummax(jnp.where(closes, jnp.arange(len(given)), -1))
    found = (read == given[last][:, None]) & (last >= 0)[:, None]  # [given, read]: the sentinel before each
    running = jnp.cumsum(given == eos) == 0
    values = jnp.concatenate([read, given])
    kept = jnp.concatenate([~jnp.isin(read, table), found.any(1) & running & ~closes]) & (values != pad)
    order = jnp.argsort(jnp.concatenate([jnp.arange(len(read)), jnp.argmax(found, axis=1)]))  # stable
    return _moved_up(values[order], kept[order], size, pad)


def gaps(known: jax.Array, pad: int) -> Spans:
    """The runs of tokens that pad, as spans. known: int [T]."""
    hidden = known == pad
    return Spans(jnp.append(hidden & ~jnp.roll(hidden, 1).at[0].set(False), False), hidden)


def _placed(key: jax.Array, may: jax.Array, sizes: jax.Array, count: jax.Array) -> Spans:
    """The first `count` spans of these sizes, each in a gap of its own between tokens that are seen."""
    size, there = len(may), jnp.sum(may)
    gap = jnp.arange(size + 1)
    chosen = exactly(key, gap <= there - jnp.sum(sizes), count)
    length = jnp.where(chosen, sizes[jnp.clip(jnp.cumsum(chosen) - 1, 0, len(sizes) - 1)], 0)
    start = gap + jnp.cumsum(length) - length  # counted from the first of those that may
    at = jnp.where(chosen, start, size + 1)
    begins = jnp.zeros(size + 1, bool).at[at].set(True, mode="drop")
    change = jnp.zeros(size + 2, jnp.int32).at[at].add(1).at[at + length].add(-1)
    offset = jnp.argmax(may)
    hidden = jnp.cumsum(change)[:size] > 0
    return Spans(jnp.roll(begins, offset), jnp.roll(hidden, offset))


def _seen(tokens: jax.Array, spans: Spans, instead: jax.Array, pad: int, size: int) -> jax.Array:
    """The tokens that are no span's, and `instead` [T + 1] where a span begins."""
    values = jnp.stack([instead, jnp.append(tokens, pad)], axis=1)
    kept = jnp.stack([spans.begins, jnp.append(~spans.hidden & (tokens != pad), False)], axis=1)
    return _moved_up(values.reshape(-1), kept.reshape(-1), size, pad)


def _moved_up(values: jax.Array, kept: jax.Array, size: int, pad: int) -> jax.Array:
    """What is kept, in its order, and padding. values, kept: [K] -> [size]."""
    values = values[jnp.argsort(~kept)]  # stable
    values = jnp.append(values, jnp.full(max(size - len(values), 0), pad, values.dtype))[:size]
    return jnp.where(jnp.arange(size) < jnp.sum(kept), values, pad).astype(jnp.int32)
