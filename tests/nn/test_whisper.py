"""What a Whisper reads: cached decoding, all of a spectrogram, no later token; and that it learns from sounds alone."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from random_whisper import variables

from aigc_jax.errors import Unfit
from aigc_jax.nn.whisper import Whisper
from aigc_jax.ops.platform import run_once

V, T, F, B = 9, 6, 8, 2
SIZES = dict(vocabulary=V, length=T, source_length=F // 2, mels=5, layers=1, width=16, heads=4, dropout=0.0)
RANDOM = np.random.default_rng(0)
TOKENS = RANDOM.integers(0, V, (B, T)).astype(np.int32)
SOURCE = RANDOM.normal(size=(B, F, 5)).astype(np.float32)


@functools.cache
def network():
    """The network and weights of the size that trained ones have."""
    return Whisper(**SIZES), variables(SIZES)


@functools.cache
def program():
    """(tokens, source) -> logits."""
    net, weights = network()
    return run_once(lambda tokens, source: net.apply(weights, tokens, given={"source": source}, train=False))


def test_cached_logits_equal_the_whole_pass():
    net, weights = network()
    read = run_once(functools.partial(net.apply, weights, method="read"))({"source": SOURCE})
    decode = run_once(functools.partial(net.apply, weights, method="decode"))
    cache, index, found = net.empty_cache(B, T), 0, []
    for size in (4, 1, 1):
        logits, cache = decode(TOKENS[:, index : index + size], cache, index, read)
        found.append(logits)
        index += size
    np.testing.assert_allclose(np.concatenate(found, 1), program()(TOKENS, SOURCE), atol=2e-5)


def test_every_token_reads_the_whole_spectrogram_and_none_reads_later_ones():
    before = np.asarray(program()(TOKENS, SOURCE))
    for frame in range(F):
        changed = SOURCE.copy()
        changed[:, frame] += 1
        assert (np.asarray(program()(TOKENS, changed)) != before).any(-1).all()
    for column in range(T):
        changed = TOKENS.copy()
        changed[:, column] = (changed[:, column] + 1) % V
        differs = (np.asarray(program()(changed, SOURCE)) != before).any(axis=(0, 2))
        np.testing.assert_array_equal(differs, np.arange(T) >= column)


def test_a_bias_of_keys_changes_nothing():
    """Published files have none, and ours is 0 in their place."""
    net, weights = network()
    found = jax.tree.map(np.array, weights)
    for stack in ("encoder", "decoder"):
        found["params"][stack]["blocks_0"]["attention"]["qkv"]["bias"][1] += 3
    found["params"]["key_value_0"]["bias"][0] += 3
    logits = run_once(lambda v: net.apply(v, TOKENS, given={"source": SOURCE}, train=False))(found)
    np.testing.assert_allclose(logits, program()(TOKENS, SOURCE), atol=2e-5)


def test_it_learns_what_a_spectrogram_says():
    """Two spectrograms, two texts."""
    net, weights = network()

    def loss(variables):
        logits = net.apply(variables, TOKENS[:, :-1], given={"source": SOURCE}, train=False)
        return optax.softmax_cross_entropy_with_integer_labels(logits, TOKENS[:, 1:]).mean()

    tx = optax.adam(1e-2)

    def step(carry, _):
        variables, state = carry
        value, slope = jax.value_and_grad(loss)(variables)
        updates, state = tx.update(slope, state)
        return (optax.apply_updates(variables, updates), state), value

    losses = run_once(lambda v: jax.lax.scan(step, (v, tx.init(v)), length=60)[1])(weights)
    assert losses[0] > 1 and losses[-1] < 0.1


def test_what_does_not_fit_is_refused():
    def shape(source, **changes):
        net = Whisper(**{**SIZES, **changes})
        jax.eval_shape(lambda: net.init(jax.random.key(0), TOKENS, given={"source": source}, train=False))

    with pytest.raises(Unfit, match="source_length is 4, and the spectrograms make 5 vectors"):
        shape(jnp.zeros((B, F + 2, 5)))
    with pytest.raises(Unfit, match="width is 15, and sines and cosines need an even one"):
        shape(SOURCE, width=15, heads=3)
