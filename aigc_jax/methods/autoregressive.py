"""Autoregressive language models: the next token given those before it.

Bengio et al. 2003, A neural probabilistic language model; Radford et al. 2019, Language models
are unsupervised multitask learners. With x_0 = BOS,

    log p(x) = sum_t log p(x_t | x_0 .. x_{t-1})

and the loss is the mean of -log p(x_t | ...) over the tokens of a batch that are not padding, in
nats a token. `Learner` averages one loss an example, so an example's loss is its sum over the
mean number of tokens of the batch's examples: the mean of these losses is the sum over all
tokens divided by the number of all tokens, for any number of devices or parts of a batch.

The network offers

    net(tokens [B, T], causal=True, train=...)       -> logits [B, T, V]
    net.decode(tokens [B, P], cache, index)          -> logits [B, P, V], cache
    net.empty_cache(batch, room)                     -> cache, with room for so many tokens
    net.longer(cache, room)                          -> the same with more room

Where its field `reads` names what is given, the first takes given=…, a mapping of these, and decoding takes, after the
index, what was read of them once:

    net.read(given)                                  -> arrays [B, ...]

A network with a field `latents` predicts as many neighbouring tokens at a time, and takes where they begin:

    net(..., first=int [B])                          -> logits [B, latents, V]

The loss is then of one window of each text, times the number of its windows (`ops.windows`): on average it is that of
the whole text. The measures are of all windows.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from aigc_jax.learner import Learner, initial_state
from aigc_jax.method import KNOWN, Array, Batch, Frozen, Given, Key, Method, PerExample, PyTree, State
from aigc_jax.ops import batch as whole
from aigc_jax.ops import windows
from aigc_jax.ops.bits import Unit, amount, per_unit
from aigc_jax.ops.generation import next_token
from aigc_jax.ops.next_token import Plan, begun, generate, plan, reader_of, surprise
from aigc_jax.ranges import Count, Size, Token

NETWORKS = ("net",)
WINDOW = 1  # the number of the key that draws one, beside dropout


class Session(NamedTuple):
    """A text that is being written. position: of the token that comes next; texts: int32 [1, length + 1].

    read: what decoding reads of what the text is given.
    """

    position: Any
    texts: Any
    cache: Any
    read: Any


def autoregressive(
    learners: Mapping[str, Learner],
    /,
    *,
    length: Size,
    pad: Token,
    bos: Count,
    eos: Token,
    packed: bool,
    units: Sequence[Unit],
) -> Method:
    """A causal model of texts, or of what else comes as tokens.

    length: tokens that the network reads, and that it predicts: a target has one more. pad, bos, eos: token ids; -1 =
    there is none. packed: rows hold several texts, each from a `bos` on, and no text reads another; the beginning of a
    text is not predicted. units: of what is written; the measures are bits_per_<unit>.
    """
    net = learners["net"]
    reads: tuple[str, ...] = getattr(net.module, "reads", ())
    latents: int = getattr(net.module, "latents", 0)
    never = np.zeros(net.module.vocabulary, np.float32)
    never[[*{pad, bos} - {eos, -1}]] = -np.inf  # a sampler does not choose these

    def conditions(given: Given) -> dict[str, Any]:
        """What the network takes besides tokens."""
        return {"given": {name: given[name] for name in reads}} if reads else {}

    def next_tokens(batch: Batch) -> tuple[Array, Array, Array]:
        """(inputs, targets, mask), each [B, length]; mask: float32, 0 where a target only pads."""
        tokens = batch.target
        targets = tokens[:, 1:]
        told = (targets != pad) & (targets != bos) if packed and bos != eos else targets != pad
        return tokens[:, :-1], targets, told.astype(jnp.float32)

    def texts_of(inputs: Array) -> dict[str, Array]:
        """Of packed rows, which text each token is of and its place there, for the network; else nothing."""
        if not packed:
            return {}
        begins = inputs == bos
        number, places = jnp.cumsum(begins, axis=1), jnp.arange(inputs.shape[1])
        first = jax.lax.cummax(jnp.where(begins, places, 0), axis=1)
        return {"mask": number[:, :, None] == number[:, None, :], "positions": places - first}

    def init(key: Key, batch: Batch, frozen: Frozen) -> State:
        one = jax.tree.map(lambda x: x[:1], conditions(batch.given)) if reads else {}
        variables = net.init(key, jnp.zeros((1, length), jnp.int32), causal=True, train=False, **one)
        return initial_state({"net": (net, variables)}, frozen)

    def step(key: Key, state: State, batch: Batch) -> tuple[State, Mapping[str, Array]]:
        # Counted over the whole batch, not within `loss`, which may see a part of it.
        _, targets, mask = next_tokens(batch)
        tokens_per_text = whole.mean(jnp.mean(jnp.sum(mask, axis=1)))
        per_token = whole.mean(jnp.mean(amount(targets, mask, units[0]))) / tokens_per_text

        def loss(params: PyTree, extra: PyTree, key: Key, batch: Batch) -> tuple[Array, tuple]:
            inputs, targets, mask = next_tokens(batch)
            known = {**conditions(batch.given), **texts_of(inputs)}
            times: Array | float = 1.0
            if latents:
                known["first"], times = windows.drawn(jax.random.fold_in(key, WINDOW), mask, latents)
                targets, mask = (windows.within(x, known["first"], latents) for x in (targets, mask))
            logits, extra = net.apply(params, extra, inputs, causal=True, train=True, key=key, **known)
            losses = times * surprise(logits, targets, mask) / tokens_per_text
            mean = jnp.mean(losses)
            return losses, (extra, {"loss": mean, f"bits_per_{units[0].name}": mean / np.log(2) / per_token})

        return net.update(key, state, loss, batch)

    def evaluate(key: Key, state: State, batch: Batch) -> Mapping[str, PerExample]:
        inputs, targets, mask = next_tokens(batch)
        known = {**conditions(batch.given), **texts_of(inputs)}

        def nats(first: Array) -> Array:
            known["first"] = jnp.full(len(inputs), first)
            logits = net.predict(state, inputs, causal=True, train=False, **known)
            return surprise(logits, *(windows.within(x, known["first"], latents) for x in (targets, mask)))

        if latents:  # one after the other, in the memory of one
            surprises = jnp.sum(jax.lax.map(nats, latents * jnp.arange(length // latents)), axis=0)
        else:
            surprises = surprise(net.predict(state, inputs, causal=True, train=False, **known), targets, mask)
        found = per_unit(surprises / np.log(2), targets, mask, units)
        return {name: PerExample(*each) for name, each in found.items()}

    def logits(state: State, tokens: Array, given: Given | None = None) -> Array:
        """Of each next token, float32 [n, T, vocabulary]. tokens: int32 [n, T], T <= length."""
        return net.predict(state, tokens, causal=True, train=False, **conditions(given or {}))

    def read_once(state: State, given: Given) -> list[PyTree]:
        """What decoding reads of what is given."""
        return [net.predict(state, each, method="read") for each in conditions(given).values()]

    def look(state: State) -> Callable[..., tuple[Array, Any]]:
        """(tokens, cache, index, *read) -> (logits, cache)."""
        return lambda tokens, *rest: net.predict(state, tokens, *rest, method="decode")

    def sample(keys: Array, state: State, given: Given, plan: Plan) -> Array:
        """Texts as targets are, int32 [n, length + 1]: BOS, the known tokens, what follows, and padding after EOS.

        given: KNOWN, int32 [n, P <= length + 1], is the beginning: a token that pads there is drawn. The key of a token
        depends on its place only, so that a text goes on in the same way after a prompt that is its own beginning.
        """
        rows = keys.shape[0]
        known = jnp.asarray(given[KNOWN], jnp.int32) if KNOWN in given else jnp.full((rows, 1), bos, jnp.int32)
        state = net.settled(state)
        read = read_once(state, given)
        found = partial(generate, look(state), net.module, keys, known, plan, read=read)
        return found(length=length, pad=pad, eos=eos, never=never)

    def begin(state: State, given: Given) -> Session:
        """What `following` needs to write one text, with room for all of it: `given` has one row."""
        known = jnp.asarray(given.get(KNOWN, jnp.full((1, 1), bos)), jnp.int32)
        read = read_once(state, given)
        texts, cache = begun(look(state), net.module, known, length, read=read, length=length, pad=pad)
        return Session(jnp.argmax(jnp.append(texts[0, 1:] == pad, True)) + 1, texts, cache, read)

    def following(key: Key, state: State, session: Session, plan: Plan) -> tuple[Array, Session]:
        """The next token, int32, as `sample` draws it for this key, and the session after it."""
        position, texts, cache, read = session
        reader = reader_of(look(state), net.module, read=read, pad=pad, eos=eos, never=never)
        chosen, cache = next_token(reader, key[None], texts, position, cache, plan[:3], plan.repetition)
        texts = jax.lax.dynamic_update_slice_in_dim(texts, chosen[:, None], position, axis=1)
        return chosen[0], Session(position + 1, texts, cache, read)

    parts: Mapping[str, Callable] = {"logits": logits, "begin": begin, "following": following}
    return Method(init, step, evaluate, sample, plan, (KNOWN, *reads), parts)
