"""Perceiver AR against plain numpy with equal weights, its laws, the loss of one window, and the memory of a step."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from aigc_jax.errors import Unfit
from aigc_jax.learner import Learner
from aigc_jax.method import Batch
from aigc_jax.methods.autoregressive import autoregressive, plan
from aigc_jax.nn.perceiver_ar import PerceiverAR
from aigc_jax.nn.transformer import Transformer
from aigc_jax.ops import windows
from aigc_jax.ops.bits import Unit

V, T, N, LAYERS, WIDTH, HEADS, B = 11, 12, 4, 1, 8, 2, 3
TOKENS = np.random.default_rng(0).integers(3, V, (B, T)).astype(np.int32)
KEY = jax.random.key(1)
NET = PerceiverAR(V, T, N, LAYERS, WIDTH, HEADS, 0.0, True)


@functools.cache
def variables(net=NET):
    """Far from the initial values, so that every part of a block matters."""
    init = functools.partial(net.init, causal=True, train=False)
    leaves, tree = jax.tree.flatten(jax.jit(init)(jax.random.key(0), TOKENS)["params"])
    keys = jax.random.split(KEY, len(leaves))
    moved = [x + 0.3 * jax.random.normal(k, x.shape) for x, k in zip(leaves, keys, strict=True)]
    return {"params": jax.tree.unflatten(tree, moved)}


@functools.cache
def compiled(net=NET, train=False):
    return functools.partial(jax.jit(functools.partial(net.apply, causal=True, train=train)), variables(net))


@functools.cache
def whole():
    return np.asarray(compiled()(TOKENS))


def norm(x, p):
    mean, variance = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
    return (x - mean) / np.sqrt(variance + 1e-5) * p["scale"] + p["bias"]


def dense(x, p):
    kernel = p["kernel"].reshape(x.shape[-1], -1)
    return x @ kernel + p["bias"].reshape(-1)


def attention(query, key, value):
    """One query [width], of heads one after the other, and what it reads [M, width] each."""
    d, read = WIDTH // HEADS, []
    for h in range(HEADS):
        at = slice(h * d, (h + 1) * d)
        scores = np.exp(key[:, at] @ query[at] / np.sqrt(d))
        read.append(scores @ value[:, at] / scores.sum())
    return np.concatenate(read)


def mlp(x, p):
    hidden = dense(norm(x, p["mlp_norm"]), p["mlp_in"])
    hidden = 0.5 * hidden * (1 + np.tanh(np.sqrt(2 / np.pi) * (hidden + 0.044715 * hidden**3)))
    return x + dense(hidden, p["mlp_out"])


def plain(tokens):
    """float64, one sequence [T] -> [T, V], window after window."""
    p = jax.tree.map(lambda x: np.asarray(x, np.float64), variables()["params"])
    e = p["embedding"]["embedding"][tokens] + p["places"]["embedding"]
    reading = p["reading"]
    key, value = np.split(dense(norm(e, reading["memory_norm"]), reading["memory_layer"]), 2, axis=-1)
    found = []
    for first in range(0, T, N):
        x = e[first : first + N]
        query = dense(norm(x, reading["query_norm"]), reading["query"])
        read = [attention(query[i], key[: first + i + 1], value[: first + i + 1]) for i in range(N)]
        x = mlp(x + dense(np.stack(read), reading["out"]), reading["feed_forward"])
        for i in range(LAYERS):
            block = p[f"blocks_{i}"]
            q, k, v = np.split(dense(norm(x, block["attention_norm"]), block["attention"]["qkv"]), 3, axis=-1)
            read = [attention(q[i], k[: i + 1], v[: i + 1]) for i in range(N)]
            x = mlp(x + dense(np.stack(read), block["attention"]["out"]), block)
        found.append(norm(x, p["norm"]) @ p["embedding"]["embedding"].T)
    return np.concatenate(found)


def test_equals_numpy():
    expected = np.stack([plain(row) for row in TOKENS])
    assert whole().dtype == np.float32
    np.testing.assert_allclose(whole(), expected, atol=5e-5 * np.abs(expected).max())


def test_a_window_alone_has_the_logits_of_the_whole():
    firsts = np.array([8, 0, 4])
    found = compiled()(TOKENS, first=firsts)
    assert found.shape == (B, N, V)
    for row, logits, first in zip(found, whole(), firsts, strict=True):
        np.testing.assert_allclose(row, logits[first : first + N], atol=1e-5)


def test_shorter_sequences_are_read_as_beginnings():
    np.testing.assert_allclose(compiled()(TOKENS[:, :6]), whole()[:, :6], atol=1e-5)


@pytest.mark.parametrize("t", [0, 5, T - 1])
def test_causality_to_the_bit(t):
    changed = TOKENS.copy()
    changed[:, t] = (changed[:, t] + 1) % V
    after = np.asarray(compiled()(changed))
    np.testing.assert_array_equal(whole()[:, :t], after[:, :t])
    assert (whole()[:, t:] != after[:, t:]).any(axis=(0, 2)).all(), "windows read all that was before"


def test_packed_texts_do_not_read_each_other():
    number = np.tile([0] * 6 + [1] * 6, (B, 1))
    texts = {"mask": number[:, :, None] == number[:, None], "positions": np.tile([*range(6)] * 2, (B, 1))}
    before = np.asarray(compiled()(TOKENS, **texts))
    for t, others in ((3, slice(6, T)), (9, slice(0, 6))):
        changed = TOKENS.copy()
        changed[:, t] = (changed[:, t] + 1) % V
        after = np.asarray(compiled()(changed, **texts))
        np.testing.assert_array_equal(before[:, others], after[:, others])
        assert (before[:, t] != after[:, t]).any()
    window = compiled()(TOKENS, first=np.array([4, 4, 8]), **texts)
    for row, logits, first in zip(window, before, (4, 4, 8), strict=True):
        np.testing.assert_allclose(row, logits[first : first + N], atol=1e-5)
    np.testing.assert_allclose(before[:, :4], whole()[:, :4], atol=1e-5)


@pytest.mark.parametrize("parts", [[1] * T, [T], [3, 1, 1, 7]])
def test_cached_logits_equal_the_whole_call(parts):
    """Token by token, in one call, and in pieces across windows."""
    decode = functools.partial(jax.jit(functools.partial(NET.apply, method="decode")), variables())
    cache, index, found = NET.longer(NET.empty_cache(B, N), T), 0, []
    for size in parts:
        logits, cache = decode(TOKENS[:, index : index + size], cache, index)
        found.append(logits)
        index += size
    np.testing.assert_allclose(np.concatenate(found, axis=1), whole(), atol=1e-5)


def test_what_does_not_fit_is_refused():
    with pytest.raises(Unfit, match="latents is 5, and has to divide the length, 12: one of 1, 2, 3, 4, 6, 12"):
        PerceiverAR(V, T, 5, 1, WIDTH, HEADS, 0.0, True).init(KEY, TOKENS, causal=True, train=False)


def test_windows_are_drawn_evenly_up_to_the_last_place_that_counts():
    mask = jnp.arange(T) < jnp.array([12, 8, 5, 1, 0])[:, None]
    first, count = jax.jit(jax.vmap(lambda key: windows.drawn(key, mask, N)))(jax.random.split(KEY, 3000))
    np.testing.assert_array_equal(count[0], [3, 2, 2, 1, 1])
    for row, n in enumerate((3, 2, 2, 1, 1)):
        shares = np.bincount(np.asarray(first)[:, row] // N, minlength=3) / 3000
        np.testing.assert_allclose(shares, [1 / n] * n + [0] * (3 - n), atol=5 * 0.5 / np.sqrt(3000))


def family(net=NET, length=T):
    unit = Unit("char", (0, *[1] * (net.vocabulary - 1)))
    learners = {"net": Learner("net", net, optax.sgd(1.0), {}, 1)}
    return autoregressive(learners, length=length, pad=0, bos=1, eos=2, packed=False, units=(unit,))


@functools.cache
def texts():
    """(a state, texts of 12, 7 and 3 tokens, -log2 p of each by numpy)."""
    rows = np.concatenate([np.full((B, 1), 1), TOKENS], axis=1)
    rows = np.where(np.arange(T + 1) <= np.array([12, 7, 3])[:, None], rows, 0)
    state = jax.jit(lambda key: family().init(key, {}, {}))(KEY).replace(params={"net": variables()["params"]})
    bits = np.zeros(B)
    for i, row in enumerate(rows):
        logits = plain(row[:-1])
        log_p = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
        bits[i] = -sum(log_p[t, row[t + 1]] for t in range(T) if row[t + 1]) / np.log(2)
    return state, Batch(jnp.asarray(rows, jnp.int32), {}), bits


def test_the_measure_is_of_all_windows():
    state, batch, bits = texts()
    found = jax.jit(family().evaluate)(KEY, state, batch)["bits_per_char"]
    np.testing.assert_allclose(found.total, bits, rtol=1e-5)
    np.testing.assert_array_equal(found.weight, [12, 7, 3])


def test_the_loss_of_a_window_is_on_average_that_of_the_text():
    state, batch, bits = texts()
    step = jax.jit(lambda keys: jax.lax.map(lambda key: family().step(key, state, batch)[1]["bits_per_char"], keys))
    found = np.asarray(step(jax.random.split(KEY, 600)))
    assert len(np.unique(found.round(4))) == 6, "3 windows of the first text, and 2 of the second"
    assert abs(found.mean() - bits.sum() / 22) < 5 * found.std() / np.sqrt(600)


def test_greedy_texts_follow_the_whole_call():
    state, *_ = texts()
    found = jax.jit(family().sample)(jax.random.split(KEY, 1), state, {}, plan(temperature=0.0))[0]
    text = [1]
    for t in range(T):
        logits = np.array(compiled()(np.array([text + [0] * (T - t - 1)] * B)))[0, t]
        logits[:2] = -np.inf
        text.append(int(logits.argmax()) if 2 not in text else 0)
    np.testing.assert_array_equal(found, text)


def peak(net, length, batch=4):
    """Bytes that a step of training needs beside the state and the batch."""
    method = family(net, length)
    state = jax.eval_shape(lambda key: method.init(key, {}, {}), KEY)
    rows = jax.ShapeDtypeStruct((batch, length + 1), jnp.int32)
    step = jax.jit(method.step).lower(KEY, state, Batch(rows, {})).compile()
    return step.memory_analysis().temp_size_in_bytes


def test_a_step_of_eight_times_the_context_needs_about_the_memory_of_a_decoder():
    size, layers, width, heads, vocabulary = 64, 3, 64, 2, 300
    long = PerceiverAR(vocabulary, 8 * size, size, layers, width, heads, 0.0, True)
    ours = peak(long, 8 * size)
    decoder = peak(Transformer(vocabulary, size, layers + 1, width, heads, 0.0, True), size)
    as_long = peak(Transformer(vocabulary, 8 * size, layers + 1, width, heads, 0.0, True), 8 * size)
    assert ours < 1.3 * decoder and as_long > 5 * decoder
