"""Denoising of texts: an encoder reads a text with parts missing, a decoder gives it back.

    L = -log p(y | x~),    x~ = noise(x), drawn anew in every step on the device (`ops.token_noise`)

| `noise` | the encoder reads x~ | the decoder gives y | source |
|---|---|---|---|
| `spans` | a sentinel a hidden span | sentinels, each with its span | T5 (Raffel et al. 2020, arXiv:1910.10683) |
| `infill` | a mask a hidden span | the text | BART (Lewis et al. 2020, arXiv:1910.13461) |
| `mask` | a mask a hidden token | the text | the same |
| `delete` | the text without the hidden tokens | the text | the same |

The network is one of `methods.autoregressive` that reads "source", and the loss is its loss: nats a token of y.

It is there to pretrain a network for `autoregressive` with a source. What it generates is a text with gaps, filled in.
A text that is not known at all is one gap, of which a network has seen few as long.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Annotated, Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from aigc_jax.errors import ConfigError
from aigc_jax.learner import Learner, initial_state
from aigc_jax.method import KNOWN, Array, Batch, Frozen, Given, Key, Method, PerExample, PyTree, State
from aigc_jax.ops import batch as whole
from aigc_jax.ops import token_noise
from aigc_jax.ops.bits import Unit, per_unit
from aigc_jax.ops.next_token import Plan, generate, plan, surprise
from aigc_jax.ranges import Count, Range, Size, Token, at_least

NETWORKS = ("net",)
MAKES = ("source",)  # given to the network, and made here of the target, whose facts it has
SOURCE = "source"

Noise = Literal["spans", "infill", "mask", "delete"]
Pair = tuple[Array, Array]  # (what is read, int [B, length]; what is to be given back, int [B, goal + 1])


def denoising(
    learners: Mapping[str, Learner],
    /,
    *,
    noise: Noise,
    density: Annotated[float, Range(0, 1, without_low=True, without_high=True)],
    mean_span: Annotated[float, at_least(1)] = 3.0,
    length: Size,
    pad: Token,
    bos: Count,
    eos: Count,
    mask: Token,
    sentinels: tuple[Count, ...],
    packed: bool,
    units: Sequence[Unit],
) -> Method:
    """A model that gives a text back from what noise leaves of it.

    noise: see above. density: the share of a text's tokens that is hidden; 0.15 of T5, 0.3 of BART. mean_span: tokens
    of a hidden span, on average. length: tokens of a text, without the first of a row. pad, bos, eos, mask, sentinels:
    token ids; -1 = there is none. packed: rows hold several texts. units: of what is written; the measures are
    bits_per_restored_<unit>, over all tokens of y.
    """
    net = learners["net"]
    hidden = max(1, round(density * length))
    spans = max(1, round(hidden / mean_span))  # of a text, at most
    goal = hidden + spans + 2 if noise == "spans" else length  # tokens of y
    _check(noise, getattr(net.module, "reads", ()), mask, len(sentinels), packed, spans, goal, length)
    table = np.array(sentinels[: spans + 1])
    special = np.array(sorted({pad, bos, eos, mask, *sentinels} - {-1}))
    restored = [unit._replace(name=f"restored_{unit.name}") for unit in units]
    in_spans = partial(token_noise.sentinelled, sentinels=table, pad=pad, eos=eos, sizes=(length, goal))
    with_masks = partial(token_noise.infilled, mask=mask, pad=pad, size=length)

    def pair(key: Array, row: Array) -> tuple[Array, Array]:
        """Of one row, int [length + 1]."""
        tokens = row[1:]
        may = (tokens != pad) & ~jnp.isin(tokens, special)
        if noise == "spans":
            found = token_noise.few_long(key, may, density=density, mean=mean_span, most=spans)
            read, given_back = in_spans(tokens, found)
            return read, jnp.append(row[:1], given_back)
        if noise == "infill":
            return with_masks(tokens, token_noise.poisson(key, may, density=density, mean=mean_span)), row
        if noise == "mask":
            return token_noise.masked(key, tokens, may, mask=mask, density=density), row
        return token_noise.deleted(key, tokens, may, pad=pad, density=density), row

    def pairs(key: Key, target: Array) -> Pair:
        return jax.vmap(pair)(token_noise.keys(key, len(target)), target)

    def gapped(row: Array) -> Array:
        """What the encoder reads of a row of which parts are known, int [length + 1] -> [length]."""
        tokens = row[1:]
        tokens = tokens.at[-1].set(jnp.where(jnp.any(tokens == eos), tokens[-1], eos))
        ended = jnp.cumsum(tokens == eos) > 0
        gaps = token_noise.gaps(jnp.where(ended & (tokens == pad), eos, tokens), pad)
        if noise == "spans":
            return in_spans(tokens, gaps)[0]
        if noise == "infill":
            return with_masks(tokens, gaps)
        if noise == "mask":
            return jnp.where(gaps.hidden, mask, tokens)
        return with_masks(tokens, gaps._replace(begins=jnp.zeros_like(gaps.begins)))

    def split(given_back: Array) -> tuple[Array, Array, Array]:
        """(inputs, targets, which of them count), each [B, goal]."""
        return given_back[:, :-1], given_back[:, 1:], (given_back[:, 1:] != pad).astype(jnp.float32)

    def init(key: Key, batch: Batch, frozen: Frozen) -> State:
        tokens, source = jnp.zeros((1, goal), jnp.int32), jnp.zeros((1, length), jnp.int32)
        variables = net.init(key, tokens, causal=True, train=False, given={SOURCE: source})
        return initial_state({"net": (net, variables)}, frozen)

    def step(key: Key, state: State, batch: Batch) -> tuple[State, Mapping[str, Array]]:
        # Hidden and counted over the whole batch, not within `loss`, which may see a part of it.
        noise_key, key = jax.random.split(key)
        both = pairs(noise_key, batch.target)
        tokens_per_text = whole.mean(jnp.mean(jnp.sum(split(both[1])[2], axis=1)))

        def loss(params: PyTree, extra: PyTree, key: Key, part: Pair) -> tuple[Array, tuple]:
            source, (inputs, targets, counts) = part[0], split(part[1])
            logits, extra = net.apply(params, extra, inputs, causal=True, train=True, key=key, given={SOURCE: source})
            losses = surprise(logits, targets, counts) / tokens_per_text
            return losses, (extra, {"loss": jnp.mean(losses)})

        return net.update(key, state, loss, both)

    def evaluate(key: Key, state: State, batch: Batch) -> Mapping[str, PerExample]:
        """Bits of y by what of it is written, y given the noise of this key."""
        source, given_back = pairs(key, batch.target)
        inputs, targets, counts = split(given_back)
        logits = net.predict(state, inputs, causal=True, train=False, given={SOURCE: source})
        found = per_unit(surprise(logits, targets, counts) / np.log(2), targets, counts, restored)
        return {name: PerExample(*each) for name, each in found.items()}

    def restore(keys: Array, state: State, source: Array, begun: Array, plan: Plan) -> Array:
        """Texts, int32 [n, length + 1], from what the encoder reads, [n, length]. begun: [n, P], the first of y."""
        state = net.settled(state)
        read = [net.predict(state, {SOURCE: source}, method="read")]

        def look(tokens: Array, cache: Any, index: Any, *read: Any) -> tuple[Array, Any]:
            return net.predict(state, tokens, cache, index, *read, method="decode")

        drawn = table if noise == "spans" else ()  # of the special tokens
        never = np.zeros(net.module.vocabulary, np.float32)
        never[[*{pad, bos, mask, *sentinels} - {eos, -1} - {int(each) for each in drawn}]] = -np.inf
        draw = partial(generate, look, net.module, keys, read=read, length=goal, pad=pad, eos=eos, never=never)
        if noise != "spans":
            return draw(begun, plan)
        back = partial(token_noise.put_back, sentinels=table, pad=pad, eos=eos, size=length)
        given_back = draw(begun[:, :1], plan)
        return jnp.concatenate([given_back[:, :1], jax.vmap(back)(source, given_back[:, 1:])], axis=1)

    def sample(keys: Array, state: State, given: Given, plan: Plan) -> Array:
        """Texts as targets are, int32 [n, length + 1].

        given: KNOWN, int32 [n, P <= length + 1], is a part of them: what pads there, and what is not there, is a gap.
        What is known up to the first gap stays, and so does all of it with `spans`.
        """
        rows = keys.shape[0]
        known = jnp.asarray(given[KNOWN], jnp.int32) if KNOWN in given else jnp.full((rows, 1), bos, jnp.int32)
        row = jnp.full((rows, length + 1), pad, jnp.int32).at[:, : known.shape[1]].set(known)
        begun = jnp.where(jnp.cumsum(known == pad, axis=1) > 0, pad, known)
        return restore(keys, state, jax.vmap(gapped)(row), begun, plan)

    parts: dict[str, Callable] = {"pairs": pairs, "restore": restore}
    return Method(init, step, evaluate, sample, plan, (KNOWN,), parts)


def _check(
    noise: Noise, reads: Sequence[str], mask: int, sentinels: int, packed: bool, spans: int, goal: int, length: int
) -> None:
    """Raises ConfigError where network, tokens or rows do not fit."""
    if tuple(reads) != MAKES:
        raise ConfigError(
            f'"method.name" is "denoising", and the network reads {", ".join(reads) or "nothing"} and not a source: '
            "set --config.networks.net.name to an encoder and decoder."
        )
    if packed:
        raise ConfigError('"method.name" is "denoising", which takes a row for one text: set --config.data.pack=False.')
    if noise in ("infill", "mask") and mask < 0:
        raise ConfigError(
            f'"method.noise" is "{noise}", and no token is a mask: add one with --config.data.extra_tokens=1.'
        )
    if noise == "spans" and sentinels <= spans:
        raise ConfigError(
            f'"method.noise" is "spans", of which a text has up to {spans}, and {sentinels} tokens are sentinels: add '
            f"them with --config.data.extra_tokens={spans + 2}."
        )
    if goal > length:
        raise ConfigError(
            f'"method.density" hides so much that what is to be given back has {goal} tokens, of {length}: lower it.'
        )
