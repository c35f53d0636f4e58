"""The LSTM against PyTorch and a plain loop with equal weights, and the laws of causality, forgetting and caching."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from aigc_jax.nn.layers.lstm import LSTMLayer
from aigc_jax.nn.lstm import LSTM
from aigc_jax.ops.kernels import lstm

V, T, LAYERS, WIDTH, B = 11, 9, 2, 8, 3
TOKENS = np.random.default_rng(0).integers(0, V, (B, T)).astype(np.int32)


@functools.cache
def network(tied=True, dropout=0.0, dtype=jnp.float32):
    net = LSTM(V, T, LAYERS, WIDTH, dropout, tied, dtype)
    params = jax.jit(functools.partial(net.init, causal=True, train=False))(jax.random.key(0), TOKENS)["params"]
    # Larger than the initial values, so that gates open and close.
    return net, {"params": jax.tree.map(lambda x: 3 * x, params)}


@functools.cache
def compiled(net, train=False):
    return jax.jit(functools.partial(net.apply, causal=True, train=train))


@functools.cache
def decoder(net):
    return jax.jit(functools.partial(net.apply, method="decode"))


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def plain_layer(p, x):
    """float64, one sequence [T, N] -> [T, H], a loop."""
    width = p["recurrent"].shape[0]
    h, c, found = np.zeros(width), np.zeros(width), []
    for row in x:
        i, f, g, o = np.split(row @ p["inputs"]["kernel"] + p["inputs"]["bias"] + h @ p["recurrent"], 4)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        found.append(h)
    return np.stack(found)


def plain(params, tokens):
    p = jax.tree.map(lambda x: np.asarray(x, np.float64), params)
    table = p["embedding"]["embedding"]
    x = table[tokens]
    for i in range(LAYERS):
        x = plain_layer(p[f"stack_{i}"], x)
    return x @ p.get("head", table.T) + p["bias"]


@pytest.mark.parametrize("tied", [True, False])
def test_equals_numpy(tied):
    net, variables = network(tied)
    logits = compiled(net)(variables, TOKENS)
    assert logits.dtype == jnp.float32 and logits.shape == (B, T, V)
    expected = np.stack([plain(variables["params"], row) for row in TOKENS])
    np.testing.assert_allclose(logits, expected, atol=1e-5 * np.abs(expected).max())


def test_equals_pytorch_with_its_gradients():
    torch = pytest.importorskip("torch")
    random, inputs = np.random.default_rng(1), 5
    x, slope = random.normal(size=(B, T, inputs)), random.normal(size=(B, T, WIDTH))
    state, slope_c = random.normal(size=(2, B, WIDTH)), random.normal(size=(B, WIDTH))
    layer = LSTMLayer(WIDTH)
    params = layer.init(jax.random.key(0), jnp.float32(x))["params"]

    def total(params, x, state):
        h, c = layer.apply({"params": params}, x, (state[0], state[1]))
        return jnp.sum(h * slope) + jnp.sum(c[:, -1] * slope_c)

    value, ours = jax.jit(jax.value_and_grad(total, (0, 1, 2)))(params, jnp.float32(x), jnp.float32(state))

    peer = torch.nn.LSTM(inputs, WIDTH, batch_first=True, dtype=torch.float64)
    weights = [params["inputs"]["kernel"].T, params["recurrent"].T, params["inputs"]["bias"], np.zeros(4 * WIDTH)]
    for theirs, mine in zip(peer.parameters(), weights, strict=True):
        theirs.data = torch.tensor(np.asarray(mine, np.float64))
    given, h, c = (torch.tensor(np.float64(each), requires_grad=True) for each in (np.float32(x), *np.float32(state)))
    out, (_, last) = peer(given, (h[None], c[None]))
    theirs = (out * torch.tensor(slope)).sum() + (last[0] * torch.tensor(slope_c)).sum()
    theirs.backward()
    assert float(value) == pytest.approx(theirs.item(), rel=1e-5)
    pairs = [
        *((ours[0]["inputs"]["kernel"].T, peer.weight_ih_l0.grad), (ours[0]["recurrent"].T, peer.weight_hh_l0.grad)),
        *((ours[0]["inputs"]["bias"], peer.bias_ih_l0.grad), (ours[1], given.grad)),
        *((ours[2][0], h.grad), (ours[2][1], c.grad)),
    ]
    for mine, other in pairs:
        np.testing.assert_allclose(mine, other.numpy(), atol=1e-5 * float(other.abs().max()))


def test_the_gradient_is_that_of_the_loop():
    """With texts that begin within a row, against the derivative of the forward pass."""
    keys = jax.random.split(jax.random.key(1), 7)
    shapes = (T, B, 4 * WIDTH), (WIDTH, 4 * WIDTH), (B, WIDTH), (B, WIDTH)
    values = [jax.random.normal(key, shape) for key, shape in zip(keys, shapes, strict=False)]
    kept = jax.random.bernoulli(keys[4], 0.7, (T, B, 1)).astype(jnp.float32)
    slopes = [jax.random.normal(key, (T, B, WIDTH)) for key in keys[5:]]

    def total(function):
        return lambda *values: sum(jnp.sum(s * x) for s, x in zip(slopes, function(*values, kept), strict=True))

    ours = jax.jit(jax.grad(total(lstm.recurrence), (0, 1, 2, 3)))(*values)
    loop = jax.jit(jax.grad(total(lambda *given: lstm._forward(*given)[0]), (0, 1, 2, 3)))(*values)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5 * np.abs(b).max()), ours, loop)


@pytest.mark.parametrize("t", [0, 4, T - 1])
def test_causality_to_the_bit(t):
    net, variables = network()
    changed = TOKENS.copy()
    changed[:, t] = (changed[:, t] + 1) % V
    before, after = (np.asarray(compiled(net)(variables, tokens)) for tokens in (TOKENS, changed))
    np.testing.assert_array_equal(before[:, :t], after[:, :t])
    assert (before[:, t:] != after[:, t:]).any(axis=(0, 2)).all()


def test_packed_texts_are_read_as_they_are_alone():
    net, variables = network()
    positions = np.tile([0, 1, 2, 3, 0, 1, 0, 1, 2], (B, 1))
    packed = compiled(net)(variables, TOKENS, positions=positions)
    for begin, end in ((0, 4), (4, 6), (6, 9)):
        alone = np.stack([plain(variables["params"], row[begin:end]) for row in TOKENS])
        np.testing.assert_allclose(packed[:, begin:end], alone, atol=1e-5 * np.abs(alone).max())


@pytest.mark.parametrize("parts", [[1] * T, [T], [4, 1, 1, 3], [5]])
def test_cached_logits_equal_the_whole_call(parts):
    """Token by token, in one call, in pieces, and a prompt that leaves the cache half empty."""
    net, variables = network()
    decode = functools.partial(decoder(net), variables)
    cache, index, found = net.empty_cache(B, T), 0, []
    for size in parts:
        logits, cache = decode(TOKENS[:, index : index + size], cache, index)
        found.append(logits)
        index += size
    expected = compiled(net)(variables, TOKENS)[:, :index]
    np.testing.assert_allclose(np.concatenate(found, axis=1), expected, atol=1e-5)


def test_a_longer_cache_goes_on_and_tokens_are_read_again():
    net, variables = network()
    decode = functools.partial(decoder(net), variables)
    _, cache = decode(TOKENS[:, :6], net.empty_cache(B, 6), 0)
    logits, cache = decode(TOKENS[:, 3:], net.longer(cache, T), 3)
    np.testing.assert_allclose(logits, compiled(net)(variables, TOKENS)[:, 3:], atol=1e-5)


def test_dropout_only_in_training():
    net, variables = network(dropout=0.5)
    still, _ = network()
    np.testing.assert_array_equal(compiled(net)(variables, TOKENS), compiled(still)(variables, TOKENS))
    a, b = (compiled(net, train=True)(variables, TOKENS, rngs={"dropout": jax.random.key(i)}) for i in (0, 1))
    assert (a != b).any()


def test_computes_in_bfloat16_and_returns_float32():
    net, variables = network(dtype=jnp.bfloat16)
    full, _ = network()
    logits = compiled(net)(variables, TOKENS)
    cached, _ = decoder(net)(variables, TOKENS, net.empty_cache(B, T), 0)
    expected = np.asarray(compiled(full)(variables, TOKENS))
    assert logits.dtype == cached.dtype == jnp.float32
    assert 0 < np.abs(logits - expected).max() < 0.05 * np.abs(expected).max()


def test_first_weights_remember():
    net = LSTM(V, T, 1, 64, 0.0, True)
    params = net.init(jax.random.key(0), TOKENS, causal=True, train=False)["params"]
    np.testing.assert_array_equal(params["stack_0"]["inputs"]["bias"].reshape(4, 64).mean(1), [0, 1, 0, 0])
    assert np.abs(params["stack_0"]["recurrent"]).max() <= 1 / 8
