"""Masked diffusion of texts: a network sees some tokens and tells all others, and samples go from masks to a text.

Sahoo et al. 2024, Simple and effective masked diffusion language models, arXiv:2406.07524 (MDLM); Shi et al. 2024,
arXiv:2406.04329 (MD4). A token is hidden by the mask with probability t, for t of (0, 1), and

    -log p(x) <= ∫_0^1 1/t E[Σ_masked -log p(x_l | z_t)] dt

It is computed as a mean over the number of masks (`ops.absorbing`), which a batch spreads evenly over 1 … T. The
network is not told t: the masks are there to be counted. It is never asked of a token that it sees, and gives no
probability to the mask or to what no text can have there ("SUBS", section 3.2.3, and one step on: what follows EOS
pads).

A text is all tokens of a row but the first, which is BOS: its own tokens, EOS and padding. Padding is generated as
well, so that p is one of texts of every length. It adds to the bits, and units count the text alone: what is measured
is a bound on the bits that `autoregressive` measures of the same texts. Where a long text is cut into windows, each is
a text of its own here, and does not know what was before.

Sampling begins with masks, and each step draws all tokens and keeps an equal number of them: random ones, which for
many steps is the reverse of the diffusion, or the most probable ones (Chang et al. 2022, arXiv:2202.04200, MaskGIT).
With as many steps as tokens each is drawn knowing all that are there; with fewer, those of a step do not know of each
other.

    net(tokens [B, T], causal=False, train=...) -> logits [B, T, V]
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Annotated, Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from aigc_jax.errors import ConfigError
from aigc_jax.learner import Learner, initial_state
from aigc_jax.method import KNOWN, Array, Batch, Frozen, Given, Key, Method, PerExample, PyTree, State
from aigc_jax.ops import absorbing, token_noise
from aigc_jax.ops import batch as whole
from aigc_jax.ops.bits import Unit, amount, per_unit
from aigc_jax.ops.cross_entropy import cross_entropy
from aigc_jax.ops.decoding import choose
from aigc_jax.ranges import Amount, Count, Range, Size, Token

NETWORKS = ("net",)
ORDER = 2**31 - 1  # the stream of a sample's keys that says which tokens are kept: no place in a text has this number


class Plan(NamedTuple):
    """How tokens are chosen and in which order."""

    steps: Any  # int32
    temperature: Any  # float32
    top_p: Any  # float32
    confident: Any  # bool


def plan(
    length: int,
    /,
    *,
    steps: Size,
    temperature: Amount = 1.0,
    top_p: Annotated[float, Range(0, 1, without_low=True)] = 1.0,
    order: Literal["random", "confident"] = "random",
) -> Plan:
    """Settings of sampling as arrays.

    steps: looks of the network; more than the tokens of a text are as many as these. temperature: divides the logits
    before a token is drawn; 1 = the model itself, 0 = the most probable token. top_p: a token is drawn from the fewest
    that together have this probability; 1 = from all. order: which of the drawn tokens a step keeps, random ones or
    those of which the network was the most confident.
    """
    return Plan(
        np.int32(min(steps, length)), np.float32(temperature), np.float32(top_p), np.bool_(order == "confident")
    )


def masked_diffusion(
    learners: Mapping[str, Learner],
    /,
    *,
    bound_terms: Size,
    length: Size,
    pad: Token,
    bos: Count,
    eos: Token,
    mask: Token,
    packed: bool,
    units: Sequence[Unit],
) -> Method:
    """A model of texts, or of what else comes as tokens, that fills in any of them from any others.

    bound_terms: how many numbers of masks the bound is evaluated at on each example, one in each of as many equal
    ranges. length: tokens of a text, without the first of a row. pad, bos, eos, mask: token ids; -1 = there is none.
    packed: rows hold several texts. units: of what is written; the measures are bits_per_<unit>.
    """
    net = learners["net"]
    check(mask, packed)
    filler = pad if pad >= 0 else eos  # what the network sees after a text
    possible = partial(
        absorbing.possible, mask=mask, pad=filler, eos=eos, never=(bos,) if bos not in (pad, eos) else ()
    )

    def read(target: Array) -> Array:
        """Rows -> texts as the network sees them. int32 [B, length]."""
        return jnp.where(target == pad, filler, target)[:, 1:]

    def written(batch: Batch) -> tuple[Array, Array]:
        """(tokens, which of them are the text and no padding)."""
        return batch.target[:, 1:], batch.target[:, 1:] != pad

    def surprise(logits: Array, text: Array, hidden: Array, seen: Array) -> Array:
        """The sum of -log p over the masked tokens. float32 [B]."""
        return jnp.sum(jnp.where(hidden, cross_entropy(possible(logits, seen), text), 0), axis=1)

    def init(key: Key, batch: Batch, frozen: Frozen) -> State:
        variables = net.init(key, jnp.zeros((1, length), jnp.int32), causal=False, train=False)
        return initial_state({"net": (net, variables)}, frozen)

    def step(key: Key, state: State, batch: Batch) -> tuple[State, Mapping[str, Array]]:
        targets, told = written(batch)  # counted over the whole batch, not within `loss`, which may see a part of it
        tokens_per_text = whole.mean(jnp.mean(jnp.sum(told, axis=1)))
        per_token = whole.mean(jnp.mean(amount(targets, told, units[0]))) / tokens_per_text

        def loss(params: PyTree, extra: PyTree, key: Key, batch: Batch) -> tuple[Array, tuple]:
            count_key, hide_key, dropout_key = jax.random.split(key, 3)
            text = read(batch.target)
            quantile = whole.draw(whole.evenly, count_key, text.shape[:1])
            hidden, weight = absorbing.hidden(token_noise.keys(hide_key, len(text)), quantile, length)
            seen = jnp.where(hidden, mask, text)
            logits, extra = net.apply(params, extra, seen, causal=False, train=True, key=dropout_key)
            losses = weight * surprise(logits, text, hidden, seen) / tokens_per_text
            mean = jnp.mean(losses)
            return losses, (extra, {"loss": mean, f"bits_per_{units[0].name}": mean / np.log(2) / per_token})

        return net.update(key, state, loss, batch)

    def evaluate(key: Key, state: State, batch: Batch) -> Mapping[str, PerExample]:
        """The bound, in bits per unit."""
        text = read(batch.target)
        rows = len(text)

        def add(total: Array, i: Array) -> tuple[Array, None]:
            count_key, hide_key = jax.random.split(jax.random.fold_in(key, i))
            quantile = (i + whole.draw(jax.random.uniform, count_key, (rows,))) / bound_terms
            hidden, weight = absorbing.hidden(token_noise.keys(hide_key, rows), quantile, length)
            seen = jnp.where(hidden, mask, text)
            logits = net.predict(state, seen, causal=False, train=False)
            return total + weight * surprise(logits, text, hidden, seen), None

        total, _ = jax.lax.scan(add, jnp.zeros(rows), jnp.arange(bound_terms))
        found = per_unit(total / bound_terms / np.log(2), *written(batch), units)
        return {name: PerExample(*each) for name, each in found.items()}

    def denoise(state: State, seen: Array) -> Array:
        """log p of the token at each place, float32 [n, length, V]; at those that are seen it is that token.

        seen: int32 [n, length], tokens and masks.
        """
        logits = possible(net.predict(state, seen, causal=False, train=False), seen)
        itself = jnp.arange(logits.shape[-1]) == seen[..., None]
        return jnp.where((seen == mask)[..., None], jax.nn.log_softmax(logits), jnp.where(itself, 0.0, -jnp.inf))

    def sample(keys: Array, state: State, given: Given, plan: Plan) -> Array:
        """Texts as targets are, int32 [n, length + 1]: BOS, a text, its end and padding.

        given: KNOWN, int32 [n, P <= length + 1], is a part of it: a token that pads there, or is a mask, is drawn.
        """
        rows = keys.shape[0]
        known = jnp.asarray(given[KNOWN], jnp.int32) if KNOWN in given else jnp.full((rows, 1), bos, jnp.int32)
        told = jnp.full((rows, length), mask).at[:, : known.shape[1] - 1].set(known[:, 1:])
        start = jnp.where(told == pad, mask, told).astype(jnp.int32)
        unknown = jnp.sum(start == mask, axis=1)
        state = net.settled(state)

        def reveal(i: Array, seen: Array) -> Array:
            logits = possible(net.predict(state, seen, causal=False, train=False), seen)
            own = whole.fold_in(keys, i)
            at_place = jax.vmap(lambda key: jax.vmap(partial(jax.random.fold_in, key))(jnp.arange(length)))(own)
            flat = logits.reshape(rows * length, -1)
            drawn = choose(at_place.reshape(-1), flat, plan.temperature, 0, plan.top_p).reshape(rows, length)
            confidence = -cross_entropy(logits, drawn)
            chance = jax.vmap(lambda key: jax.random.uniform(key, (length,)))(whole.fold_in(own, ORDER))
            hidden = seen == mask
            score = jnp.where(hidden, jnp.where(plan.confident, confidence, chance), -jnp.inf)
            rank = jnp.argsort(jnp.argsort(-score, axis=1), axis=1)
            left = unknown * (plan.steps - 1 - i) // plan.steps
            kept = hidden & (rank < (jnp.sum(hidden, axis=1) - left)[:, None])
            return jnp.where(kept, drawn, seen)

        text = jax.lax.fori_loop(0, plan.steps, reveal, start)
        text = absorbing.ended(text, pad=filler, eos=eos, filler=pad)
        return jnp.concatenate([known[:, :1], text], axis=1)

    return Method(init, step, evaluate, sample, partial(plan, length), (KNOWN,), {"denoise": denoise})


def check(mask: int, packed: bool) -> None:
    """Raises ConfigError where there is no mask, or a row has several texts."""
    if mask < 0:
        raise ConfigError(
            '"method.name" is "masked_diffusion", and no token is a mask: add one with --config.data.extra_tokens=1.'
        )
    if packed:
        raise ConfigError(
            '"method.name" is "masked_diffusion", which takes a row for one text: set --config.data.pack=False.'
        )
