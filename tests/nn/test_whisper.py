"""What a Whisper reads: cached decoding, all of a spectrogram, no later token; and that it learns from sounds alone."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from random_whisper import variables

from aigc_jax.errors import Unfit
from aigc_jax.learner import Learner
from aigc_jax.method import Batch
from aigc_jax.methods.autoregressive import autoregressive, plan
from aigc_jax.nn.whisper import Whisper
from aigc_jax.ops.bits import Unit
from aigc_jax.ops.mel import HOP, RATE, log_mel
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


def test_it_learns_to_write_down_what_is_played():
    """Six tones, five of them a clip: by `autoregressive` as it is, from the first step to samples."""
    net = Whisper(**{**SIZES, "source_length": 2 * (T - 1), "mels": 12, "width": 32})
    learner = Learner("net", net, optax.adam(5e-3), {}, 1)
    method = autoregressive(
        {"net": learner}, length=T, pad=0, bos=1, eos=2, packed=False, units=(Unit("char", (0, 0, *[1] * (V - 2))),)
    )
    heard = run_once(functools.partial(log_mel, filters=12))
    tone = np.sin(np.arange(4 * HOP) * 2 * np.pi * 300 * 1.4 ** np.arange(V)[:, None] / RATE)

    def batch(seed):
        words = np.random.default_rng(seed).integers(3, V, (64, T - 1))
        rows = np.concatenate([np.full((64, 1), 1), words, np.full((64, 1), 2)], 1)
        clips = tone[words].reshape(64, -1).astype(np.float32)
        return Batch(jnp.asarray(rows, jnp.int32), {"source": heard(clips)})

    assert method.reads[-1] == "source"
    first = batch(0)
    state = jax.jit(lambda key: method.init(key, first, {}))(jax.random.key(0))
    step = jax.jit(method.step)
    for index in range(320):
        state, told = step(jax.random.key(index), state, batch(index))
    assert told["bits_per_char"] < 0.1
    new = batch(1000)
    keys = jax.random.split(jax.random.key(0), 64)
    found = run_once(method.sample)(keys, state, new.given, plan(temperature=0.0))
    assert np.mean(np.asarray(found) == new.target) > 0.95


def test_what_does_not_fit_is_refused():
    def shape(source, **changes):
        net = Whisper(**{**SIZES, **changes})
        jax.eval_shape(lambda: net.init(jax.random.key(0), TOKENS, given={"source": source}, train=False))

    with pytest.raises(Unfit, match="source_length is 4, and the spectrograms make 5 vectors"):
        shape(jnp.zeros((B, F + 2, 5)))
    with pytest.raises(Unfit, match="width is 15, and sines and cosines need an even one"):
        shape(SOURCE, width=15, heads=3)
