"""Residual blocks and attention against their equations in NumPy."""

import jax
import numpy as np
import pytest

from aigc_jax.nn.layers.residual import Attention, ResBlock, double, half

GROUPS, CHANNELS, WIDTH = 2, 4, 6
RNG = np.random.default_rng(0)
X, TIME = RNG.normal(size=(2, 4, 6, CHANNELS)), RNG.normal(size=(2, 5))


def filled(module, *inputs):
    shapes = jax.eval_shape(lambda key: module.init(key, *inputs), jax.random.key(0))["params"]
    return jax.tree.map(lambda leaf: np.float32(0.5 * RNG.normal(size=leaf.shape)), shapes)


def norm(x, weights, epsilon):
    rows, height, width, _ = x.shape
    parts = x.reshape(rows, height * width, GROUPS, -1)
    mean, variance = parts.mean((1, 3), keepdims=True), parts.var((1, 3), keepdims=True)
    whitened = ((parts - mean) / np.sqrt(variance + epsilon)).reshape(x.shape)
    return whitened * weights["scale"] + weights["bias"]


def swish(x):
    return x / (1 + np.exp(-x))


def convolution(x, weights):
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    height, width = x.shape[1:3]
    moved = (padded[:, i : i + height, j : j + width] @ weights["kernel"][i, j] for i in range(3) for j in range(3))
    return sum(moved) + weights["bias"]


def dense(x, weights):
    return x @ weights["kernel"] + weights["bias"]


@pytest.mark.parametrize("resample", ["", "half", "double"])
@pytest.mark.parametrize("modulation", [False, True])
def test_a_block_is_its_equation(modulation, resample):
    module = ResBlock(WIDTH, 0.0, GROUPS, np.float32, modulation, resample, rescale=modulation, epsilon=0.1)
    params = filled(module, X, TIME, False)
    other = {
        "": lambda x: x,
        "half": lambda x: x.reshape(2, 2, 2, 3, 2, -1).mean((2, 4)),
        "double": lambda x: np.kron(x, np.ones((1, 2, 2, 1))),
    }[resample]
    h = convolution(other(swish(norm(X, params["GroupNorm_0"], 0.1))), params["Conv_0"])
    time = dense(swish(TIME), params["Dense_0"])[:, None, None]
    if modulation:
        h = norm(h, params["GroupNorm_1"], 0.1) * (1 + time[..., :WIDTH]) + time[..., WIDTH:]
    else:
        h = norm(h + time, params["GroupNorm_1"], 0.1)
    h = dense(other(X), params["shortcut"]) + convolution(swish(h), params["Conv_1"])
    found = jax.jit(lambda p: module.apply({"params": p}, X, TIME, False))(params)
    np.testing.assert_allclose(found, h / np.sqrt(2) if modulation else h, rtol=1e-4, atol=1e-4)


def test_a_block_without_time_reads_none():
    module = ResBlock(CHANNELS, 0.0, GROUPS, np.float32)
    params = filled(module, X, None, False)
    assert set(params) == {"GroupNorm_0", "Conv_0", "GroupNorm_1", "Conv_1"}
    h = convolution(swish(norm(X, params["GroupNorm_0"], 1e-6)), params["Conv_0"])
    h = X + convolution(swish(norm(h, params["GroupNorm_1"], 1e-6)), params["Conv_1"])
    np.testing.assert_allclose(module.apply({"params": params}, X, None, False), h, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("head_width", [0, 2, 1])
def test_every_head_attends_by_its_own_channels(head_width):
    module = Attention(GROUPS, np.float32, head_width, rescale=bool(head_width))
    params = filled(module, X)
    h = norm(X, params["GroupNorm_0"], 1e-6).reshape(2, 24, CHANNELS)
    query, key, value = (dense(h, params[name]) for name in ("query", "key", "value"))
    size, read = head_width or CHANNELS, np.zeros_like(h)
    for first in range(0, CHANNELS, size):
        own = np.s_[..., first : first + size]
        scores = np.exp(query[own] @ key[own].swapaxes(1, 2) / np.sqrt(size))
        read[own] = scores / scores.sum(-1, keepdims=True) @ value[own]
    expected = X + dense(read, params["out"]).reshape(X.shape)
    found = jax.jit(lambda p: module.apply({"params": p}, X))(params)
    np.testing.assert_allclose(found, expected / np.sqrt(2) if head_width else expected, rtol=1e-4, atol=1e-4)


def test_halving_undoes_doubling():
    np.testing.assert_array_equal(half(double(np.float32(X))), np.float32(X))
