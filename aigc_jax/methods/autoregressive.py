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
"""

from collections.abc import Mapping
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np

from aigc_jax.learner import Learner, initial_state
from aigc_jax.method import Array, Batch, Key, Measure, Method, PyTree, State
from aigc_jax.ops import batch as whole
from aigc_jax.ops.cross_entropy import cross_entropy
from aigc_jax.ops.decoding import choose
from aigc_jax.ops.platform import gpu_in_half
from aigc_jax.ranges import Amount, Count, Range, Size, at_least

NETWORKS = ("net",)
FIRST_ROOM = 64  # tokens that a cache holds at first; it doubles when full, since a step reads what is empty too


def next_tokens(batch: Batch) -> tuple[Array, Array, Array]:
    """(inputs, targets, mask), each [B, length], of a batch's tokens and mask [B, length + 1]."""
    tokens = batch["tokens"]
    return tokens[:, :-1], tokens[:, 1:], batch["mask"][:, 1:]


def doublings(first: int, last: int) -> list[int]:
    """FIRST_ROOM, doubled until it holds `first`, and on until `last`, which ends the list."""
    rooms, room = [], FIRST_ROOM
    while room < last:
        if room >= first:
            rooms.append(room)
        room *= 2
    return [*rooms, last]


def surprise(logits: Array, targets: Array, mask: Array) -> Array:
    """-log p of each text, in nats: the sum over its tokens that are not padding. float32 [B]."""
    return jnp.sum(mask * cross_entropy(logits, targets), axis=1)


def autoregressive(
    learners: Mapping[str, Learner],
    /,
    *,
    temperature: Amount,
    top_k: Count,
    top_p: Annotated[float, Range(0, 1, without_low=True)],
    length: Size,
    pad: Count,
    bos: Count,
    eos: Annotated[int, at_least(0, besides=-1)],
    unit: str,
) -> Method:
    """A causal model of texts, or of what else comes as tokens.

    temperature: divides the logits before a token is drawn; 1 = the model itself, 0 = the most probable token.
    top_k: a token is drawn from so many of the most probable ones; 0 = from all.
    top_p: a token is drawn from the fewest that together have this probability; 1 = from all.
    length: tokens that the network reads, and that it predicts. pad, bos, eos: token ids.
    unit: what a token is, "char" or "dim": the measure is bits_per_<unit>.
    """
    net, measure = learners["net"], f"bits_per_{unit}"

    def init(key: Key, batch: Batch, frozen: Mapping[str, PyTree]) -> State:
        variables = net.init(key, jnp.zeros((1, length), jnp.int32), causal=True, train=False)
        return initial_state({"net": (net, variables)}, frozen)

    def step(key: Key, state: State, batch: Batch) -> tuple[State, Mapping[str, Array]]:
        # Counted over the whole batch, not within `loss`, which may see a part of it.
        tokens_per_text = whole.mean(jnp.mean(jnp.sum(batch["mask"][:, 1:], axis=1)))

        def loss(params: PyTree, extra: PyTree, key: Key, batch: Batch) -> tuple[Array, tuple]:
            inputs, targets, mask = next_tokens(batch)
            logits, extra = net.apply(params, extra, inputs, causal=True, train=True, key=key)
            losses = surprise(logits, targets, mask) / tokens_per_text
            mean = jnp.mean(losses)
            return losses, (extra, {"loss": mean, measure: mean / np.log(2)})

        return net.update(key, state, loss, batch)

    def evaluate(key: Key, state: State, batch: Batch) -> Mapping[str, Measure]:
        inputs, targets, mask = next_tokens(batch)
        logits = net.predict(state, inputs, causal=True, train=False)
        bits = surprise(logits, targets, mask) / np.log(2)
        return {measure: Measure(bits, jnp.sum(mask, axis=1))}

    def sample(key: Key, state: State, n: int, condition: Any = None) -> Array:
        """n texts, int32 [n, length]: what follows BOS, with the prompt at its head, padding after EOS.

        condition: int32 [n, P], prompts that begin with BOS and have no padding, P <= length;
            None = BOS alone. The key of a token depends on its place only, so that a text goes on
            in the same way after a prompt that is its own beginning.
        """
        prompt = jnp.full((n, 1), bos, jnp.int32) if condition is None else jnp.asarray(condition, jnp.int32)
        start = prompt.shape[1]
        if prompt.shape[0] != n or not 1 <= start <= length:
            raise ValueError(f"prompts have the shape {prompt.shape}: expected {n} of 1 to {length} tokens")
        never = jnp.zeros(net.module.vocabulary).at[jnp.array([pad, bos])].set(-jnp.inf)

        def place(logits: Array, ended: Array, position: Array | int) -> tuple[Array, Array]:
            chosen = choose(jax.random.fold_in(key, position), logits + never, temperature, top_k, top_p)
            return jnp.where(ended, pad, chosen), ended | (chosen == eos)

        def extend(carry: tuple, position: Array) -> tuple[tuple, Array]:
            token, ended, cache = carry
            logits, cache = net.predict(state, token[:, None], cache, position - 1, method="decode")
            token, ended = place(logits[:, 0], ended, position)
            return (token, ended, cache), token

        state = net.settled(state)
        if n == 1 and gpu_in_half(net.module.dtype):
            prompt = jnp.repeat(prompt, 2, axis=0)  # the second is dropped
        rooms = doublings(start, length)
        cache = net.module.empty_cache(len(prompt), rooms[0])
        logits, cache = net.predict(state, prompt, cache, 0, method="decode")
        token, ended = place(logits[:, -1], jnp.any(prompt == eos, axis=1), start)
        texts, first = [prompt[:, 1:], token[:, None]], start + 1
        for room in rooms:
            cache = net.module.longer(cache, room)
            (token, ended, cache), drawn = jax.lax.scan(extend, (token, ended, cache), jnp.arange(first, room + 1))
            texts.append(drawn.T)
            first = room + 1
        return jnp.concatenate(texts, axis=1)[:n]

    return Method(init, step, evaluate, sample)
