"""The transformer against plain numpy with the same weights, and the laws of causality and caching."""

import functools
import re
from math import prod, sqrt

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from aigc_jax.errors import Unfit
from aigc_jax.nn.layers.attention import SelfAttention
from aigc_jax.nn.transformer import Transformer
from aigc_jax.ops.kernels.attention import attention_weights
from aigc_jax.train.sharding import layout, shardings

V, T, LAYERS, WIDTH, HEADS, B = 11, 9, 2, 8, 2, 3
TOKENS = np.random.default_rng(0).integers(0, V, (B, T)).astype(np.int32)


def initial(net):
    """Compiled as a whole, since a dispatch of each operation takes seconds."""
    return jax.jit(functools.partial(net.init, causal=True, train=False))(jax.random.key(0), TOKENS)["params"]


@functools.cache
def compiled(net, causal=True, train=False):
    """(variables, tokens, ...) -> logits."""
    return jax.jit(functools.partial(net.apply, causal=causal, train=train))


@functools.cache
def decoder(net):
    """(variables, tokens, cache, index) -> (logits, cache)."""
    return jax.jit(functools.partial(net.apply, method="decode"))


@functools.cache
def network(tied=True, dropout=0.0):
    net = Transformer(V, T, LAYERS, WIDTH, HEADS, dropout, tied)
    params = initial(net)
    # Far from the initial values, so that every part of a block matters.
    leaves, tree = jax.tree.flatten(params)
    keys = jax.random.split(jax.random.key(1), len(leaves))
    moved = [x + 0.3 * jax.random.normal(k, x.shape) for x, k in zip(leaves, keys, strict=True)]
    return net, {"params": jax.tree.unflatten(tree, moved)}


def plain_norm(x, p):
    mean, variance = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
    return (x - mean) / np.sqrt(variance + 1e-5) * p["scale"] + p["bias"]


def plain_dense(x, p):
    return x @ p["kernel"] + p["bias"]


def plain_attention(x, p, causal):
    """One sequence [T, width], a loop over heads and queries."""
    time, width = x.shape
    flat = {name: array.reshape(*array.shape[:-3], -1) for name, array in p["qkv"].items()}  # queries, keys, values
    q, k, v = np.split(plain_dense(x, flat), 3, axis=-1)
    d, read = width // HEADS, np.zeros((time, width))
    for h in range(HEADS):
        at = slice(h * d, (h + 1) * d)
        for i in range(time):
            last = i + 1 if causal else time
            scores = np.exp([q[i, at] @ k[j, at] / np.sqrt(d) for j in range(last)])
            read[i, at] = (scores / scores.sum()) @ v[:last, at]
    return plain_dense(read, p["out"])


def plain_transformer(params, tokens, causal=True):
    """float64, one sequence [T] -> [T, V]: Radford et al. 2019."""
    p = jax.tree.map(lambda x: np.asarray(x, np.float64), params)
    x = p["embedding"]["embedding"][tokens] + p["positions"]["embedding"][: len(tokens)]
    for i in range(LAYERS):
        block = p[f"blocks_{i}"]
        x = x + plain_attention(plain_norm(x, block["attention_norm"]), block["attention"], causal)
        hidden = plain_dense(plain_norm(x, block["mlp_norm"]), block["mlp_in"])
        hidden = 0.5 * hidden * (1 + np.tanh(np.sqrt(2 / np.pi) * (hidden + 0.044715 * hidden**3)))
        x = x + plain_dense(hidden, block["mlp_out"])
    x = plain_norm(x, p["norm"])
    return x @ (p["head"]["kernel"] if "head" in p else p["embedding"]["embedding"].T)


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("causal", [True, False])
def test_equals_numpy(tied, causal):
    net, variables = network(tied)
    logits = compiled(net, causal)(variables, TOKENS)
    assert logits.dtype == jnp.float32 and logits.shape == (B, T, V)
    expected = np.stack([plain_transformer(variables["params"], row, causal) for row in TOKENS])
    np.testing.assert_allclose(logits, expected, atol=5e-5 * np.abs(expected).max())


@pytest.mark.parametrize("t", [0, 4, T - 1])
def test_causality_to_the_bit(t):
    net, variables = network()
    changed = TOKENS.copy()
    changed[:, t] = (changed[:, t] + 1) % V
    before, after = (np.asarray(compiled(net)(variables, tokens)) for tokens in (TOKENS, changed))
    np.testing.assert_array_equal(before[:, :t], after[:, :t])
    assert (before[:, t:] != after[:, t:]).any(axis=(0, 2)).all()


def test_without_causality_every_place_reads_every_token():
    net, variables = network()
    changed = TOKENS.copy()
    changed[:, -1] = (changed[:, -1] + 1) % V
    before, after = (np.asarray(compiled(net, causal=False)(variables, tokens)) for tokens in (TOKENS, changed))
    assert (before != after).any(axis=2).all()


def test_masked_tokens_are_not_read():
    net, variables = network()
    mask = np.ones((B, T), np.float32)
    mask[:, 3] = 0
    changed = TOKENS.copy()
    changed[:, 3] = (changed[:, 3] + 1) % V
    run = compiled(net, causal=False)
    before, after = (np.asarray(run(variables, tokens, mask=mask)) for tokens in (TOKENS, changed))
    others = np.arange(T) != 3
    np.testing.assert_array_equal(before[:, others], after[:, others])
    nothing = compiled(net)(variables, TOKENS, mask=np.zeros((B, T)))
    assert np.isfinite(nothing).all()


@pytest.mark.parametrize("parts", [[1] * T, [T], [4, 1, 1, 3], [5]])
def test_cached_logits_equal_the_whole_pass(parts):
    """Token by token, in one pass, in pieces, and a prompt that leaves the cache half empty."""
    net, variables = network()
    decode = functools.partial(decoder(net), variables)
    cache, index, found = net.empty_cache(B, T), 0, []
    for size in parts:
        logits, cache = decode(TOKENS[:, index : index + size], cache, index)
        found.append(logits)
        index += size
    expected = compiled(net)(variables, TOKENS)[:, :index]
    np.testing.assert_allclose(np.concatenate(found, axis=1), expected, atol=1e-5)


def test_a_prompt_fills_the_cache_as_its_tokens_do():
    net, variables = network()
    decode = functools.partial(decoder(net), variables)
    _, at_once = decode(TOKENS[:, :4], net.empty_cache(B, T), 0)
    one_by_one = net.empty_cache(B, T)
    for i in range(4):
        _, one_by_one = decode(TOKENS[:, i : i + 1], one_by_one, i)
    assert jax.tree.structure(at_once) == jax.tree.structure(one_by_one)
    for a, b in zip(jax.tree.leaves(at_once), jax.tree.leaves(one_by_one), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)
        assert (np.asarray(a)[:, :, 4:] == 0).all() and (np.asarray(a)[:, :, :4] != 0).any()


@pytest.mark.parametrize("tied", [True, False])
def test_parameters_by_formula(tied):
    _, variables = network(tied)
    w = WIDTH
    block = 2 * (2 * w) + (3 * w * w + 3 * w) + (w * w + w) + (4 * w * w + 4 * w) + (4 * w * w + w)
    expected = V * w * (1 if tied else 2) + T * w + LAYERS * block + 2 * w
    assert sum(x.size for x in jax.tree.leaves(variables)) == expected


def test_initial_scales():
    net = Transformer(500, 50, 2, 64, 4, 0.0, True)
    p = initial(net)
    block = p["blocks_1"]
    for kernel, std in (
        (p["embedding"]["embedding"], 0.02),
        (block["attention"]["qkv"]["kernel"], 0.02),
        (block["mlp_in"]["kernel"], 0.02),
        (block["attention"]["out"]["kernel"], 0.02 / 2),  # 2 layers add 4 branches
        (block["mlp_out"]["kernel"], 0.02 / 2),
    ):
        assert abs(float(jnp.std(kernel)) / std - 1) < 6 / sqrt(2 * kernel.size)


def test_weights_sum_to_one_and_scale_with_the_head():
    q, k = jax.random.normal(jax.random.key(0), (2, 1, 2, 5, 16))
    weights = np.asarray(attention_weights(q, k, None))
    np.testing.assert_allclose(weights.sum(-1), 1, rtol=1e-6)
    scores = np.log(weights[0, 1, 2]) * 4  # sqrt(16)
    products = np.asarray(k[0, 1] @ q[0, 1, 2])
    np.testing.assert_allclose(scores - scores[0], products - products[0], atol=1e-4)


def test_dropout_only_in_training():
    net, variables = network(dropout=0.5)
    still, _ = network()
    np.testing.assert_array_equal(compiled(net)(variables, TOKENS), compiled(still)(variables, TOKENS))
    a, b = (compiled(net, train=True)(variables, TOKENS, rngs={"dropout": jax.random.key(i)}) for i in (0, 1))
    assert (a != b).any()


def test_attention_drops_whole_weights():
    """With rate r each weight is 0 or w / (1 - r): of equal weights the mean stays 1 on average."""
    layer = SelfAttention(1, 0.5, 0.02)
    x = jnp.ones((1, 400, 2))
    variables = layer.init(jax.random.key(0), x, None, False)
    kernel = jnp.zeros((2, 3, 1, 2)).at[:, 2, 0].set(jnp.eye(2))  # query = key = 0, value = x
    p = {"qkv": {"kernel": kernel, "bias": jnp.zeros((3, 1, 2))}, "out": {"kernel": jnp.eye(2), "bias": jnp.zeros(2)}}
    assert jax.tree.map(jnp.shape, p) == jax.tree.map(jnp.shape, variables["params"])
    read, _ = layer.apply({"params": p}, x, None, True, rngs={"dropout": jax.random.key(1)})
    counts = np.asarray(read[0, :, 0]) * 400 / 2  # of the weights that stay
    np.testing.assert_allclose(counts, counts.round(), atol=1e-2)
    assert abs(counts.mean() - 200) < 5 * 10 / sqrt(400)


def test_split_by_heads_a_step_sends_the_least():
    """Per block and pass the stream is added up twice, and gradients of biases, which are kept whole, are gathered."""
    plan = layout(jax.devices()[:2], data=1, fsdp=1, tensor=2, compile="jit")
    net = Transformer(V, T, LAYERS, 32, 4, 0.0, True)
    variables = {"params": initial(net)}
    place = shardings(plan, variables, Transformer.TENSOR_RULES)
    assert place["params"]["blocks_0"]["attention"]["qkv"]["kernel"].spec[2] == "tensor"

    def total(variables):
        return jnp.sum(jnp.square(net.apply(variables, TOKENS, causal=True, train=True)))

    program = jax.jit(jax.grad(total), in_shardings=(place,), out_shardings=place).lower(variables).compile().as_text()
    sent = re.findall(r"= f32\[([\d,]*)\]\S* (all-reduce|all-gather|all-to-all|collective-permute)\(", program)
    sizes = sorted((kind, prod(map(int, shape.split(",")))) for shape, kind in sent)
    biases = [("all-gather", size) for size in sorted(LAYERS * [3 * 32, 4 * 32])]
    assert sizes == biases + 4 * LAYERS * [("all-reduce", B * T * 32)]


def test_computes_in_bfloat16_and_returns_float32():
    net = Transformer(V, T, LAYERS, WIDTH, HEADS, 0.0, True, jnp.bfloat16)
    full, variables = network()
    assert all(x.dtype == jnp.bfloat16 for x in jax.tree.leaves(net.empty_cache(2, T)))
    logits = compiled(net)(variables, TOKENS)
    cached, _ = decoder(net)(variables, TOKENS, net.empty_cache(B, T), 0)
    expected = np.asarray(compiled(full)(variables, TOKENS))
    assert logits.dtype == cached.dtype == jnp.float32
    assert 0 < np.abs(logits - expected).max() < 0.05 * np.abs(expected).max()


def test_a_width_that_heads_do_not_divide_is_refused():
    with pytest.raises(Unfit, match="heads is 4, and has to divide the width, 10: one of 1, 2, 5, 10"):
        Transformer(V, T, 1, 10, 4, 0.0, True).init(jax.random.key(0), TOKENS, causal=True, train=False)
