"""Masked language modelling: a network sees a text with some tokens hidden, and tells these from all the others.

Devlin et al. 2019, BERT, arXiv:1810.04805, section 3.1, task 1. Of a text's tokens 15 % are chosen; a chosen token is
read as the mask in 8 of 10 cases, as another token in 1, as itself in 1 (`ops.token_noise.bert`):

    L = mean over the chosen tokens of -log p(x_l | what is read)

in nats a chosen token of the batch, as `autoregressive` counts by tokens. The tokens are not told as they hide each
other, and so this is no likelihood of a text; `masked_diffusion` has one. It generates nothing but what is behind a few
masks: `parts["fill"]`.

What the network reads is a row without its last token: BOS, which stands for the whole as BERT's [CLS] does, and a
text. Where a long text is cut into windows, the next one begins with that token. Padding is not read.

Logits are computed of the chosen tokens alone, which are few:

    net(tokens [B, T], causal=False, train=..., mask=bool [B, T], at=int [B, K]) -> logits [B, K, V]
"""

import math
from collections.abc import Mapping
from functools import partial
from typing import Annotated

import jax
import jax.numpy as jnp
import numpy as np

from aigc_jax.errors import ConfigError
from aigc_jax.learner import Learner, initial_state
from aigc_jax.method import Array, Batch, Frozen, Key, Method, PerExample, PyTree, State
from aigc_jax.ops import batch as whole
from aigc_jax.ops import padding, token_noise
from aigc_jax.ops.cross_entropy import cross_entropy
from aigc_jax.ranges import Count, Range, Size, Token

NETWORKS = ("net",)


def masked(
    learners: Mapping[str, Learner],
    /,
    *,
    density: Annotated[float, Range(0, 1, without_low=True)] = 0.15,
    length: Size,
    pad: Token,
    bos: Count,
    eos: Token,
    unk: Token,
    mask: Token,
    sentinels: tuple[Count, ...],
) -> Method:
    """A model of tokens that are hidden in a text.

    density: the share of a text's tokens that are chosen, one at least. length: tokens that the network reads. pad,
    bos, eos, unk, mask, sentinels: token ids; -1 = there is none.
    """
    if mask < 0:
        raise ConfigError(
            '"method.name" is "masked", and no token is a mask: add one with --config.data.extra_tokens=1.'
        )
    net = learners["net"]
    special = np.array(sorted({pad, bos, eos, mask, *sentinels} - {-1}))
    ordinary = np.setdiff1d(np.arange(net.module.vocabulary), [*special, unk])  # that a token may be replaced by
    hide = jax.vmap(partial(token_noise.bert, mask=mask, others=ordinary, density=density))
    most = min(length, math.ceil(density * length) + 1)  # tokens that are chosen of a row

    def read(target: Array) -> tuple[Array, Array]:
        """(the tokens of rows that a network reads, which of them are no padding), [B, length] both."""
        return padding.split(target[:, :-1], pad)

    def hidden(keys: Array, tokens: Array, there: Array) -> tuple[Array, Array]:
        """(what is read in their place, which of them are chosen), [B, length] both."""
        return hide(keys, tokens, there & ~jnp.isin(tokens, special))

    def where(tokens: Array, chosen: Array) -> tuple[Array, Array, Array]:
        """(their places in a row, what stands there, which of these are chosen), [B, most] all: chosen ones first."""
        at = jnp.argsort(~chosen, axis=1)[:, :most]
        return at, jnp.take_along_axis(tokens, at, axis=1), jnp.take_along_axis(chosen, at, axis=1)

    def right(logits: Array, tokens: Array, chosen: Array) -> Array:
        """How many of the chosen tokens are the most probable ones. float32 [B]."""
        return jnp.sum(chosen & (jnp.argmax(logits, axis=-1) == tokens), axis=1).astype(jnp.float32)

    def surprise(logits: Array, tokens: Array, chosen: Array) -> Array:
        """The sum of -log p over the chosen tokens. float32 [B]."""
        return jnp.sum(chosen * cross_entropy(logits, tokens), axis=1)

    def init(key: Key, batch: Batch, frozen: Frozen) -> State:
        one = jnp.zeros((1, length), jnp.int32)
        return initial_state({"net": (net, net.init(key, one, causal=False, train=False, mask=one == 0))}, frozen)

    def step(key: Key, state: State, batch: Batch) -> tuple[State, Mapping[str, Array]]:
        # Hidden and counted over the whole batch, not within `loss`, which may see a part of it.
        hide_key, key = jax.random.split(key)
        tokens, there = read(batch.target)
        seen, chosen = hidden(token_noise.keys(hide_key, len(tokens)), tokens, there)
        per_text = whole.mean(jnp.mean(jnp.sum(chosen, axis=1)))
        at, told, chosen = where(tokens, chosen)

        def loss(params: PyTree, extra: PyTree, key: Key, part: tuple[Array, ...]) -> tuple[Array, tuple]:
            seen, there, at, told, chosen = part
            logits, extra = net.apply(params, extra, seen, causal=False, train=True, mask=there, at=at, key=key)
            losses = surprise(logits, told, chosen) / per_text
            accuracy = jnp.mean(right(logits, told, chosen)) / per_text
            return losses, (extra, {"loss": jnp.mean(losses), "accuracy": accuracy})

        return net.update(key, state, loss, (seen, there, at, told, chosen))

    def evaluate(key: Key, state: State, batch: Batch) -> Mapping[str, PerExample]:
        """Bits a chosen token, and the share that is told rightly. What is chosen and read depends on the row alone."""
        tokens, there = read(batch.target)
        seen, chosen = hidden(token_noise.own_keys(tokens), tokens, there)
        at, told, chosen = where(tokens, chosen)
        logits = net.predict(state, seen, causal=False, train=False, mask=there, at=at)
        count = jnp.sum(chosen, axis=1).astype(jnp.float32)
        bits = surprise(logits, told, chosen) / np.log(2)
        return {
            "bits_per_masked": PerExample(bits, count),
            "accuracy": PerExample(right(logits, told, chosen), count),
        }

    def logits(state: State, tokens: Array) -> Array:
        """Of each token, float32 [n, T, vocabulary]. tokens: int32 [n, T], T <= length, with masks."""
        tokens, there = padding.split(tokens, pad)
        return net.predict(state, tokens, causal=False, train=False, mask=there)

    def fill(state: State, tokens: Array) -> Array:
        """The tokens with the most probable ordinary one for each mask, each as if the others stayed masked."""
        found = jnp.asarray(ordinary)[jnp.argmax(logits(state, tokens)[..., ordinary], axis=-1)]
        return jnp.where(tokens == mask, found, tokens)

    return Method(init, step, evaluate, parts={"logits": logits, "fill": fill})
