"""Causal attention by blocks against the plain one: values and gradients."""

import functools
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from aigc_jax.ops.kernels import attention
from aigc_jax.ops.platform import fused_attention

B, HEADS, D = 2, 3, 4


def plain(query, key, value):
    time = query.shape[2]
    weights = attention.attention_weights(query, key, attention.causal_mask(time, time))
    return weights.astype(value.dtype) @ value


def inputs(time, dtype=jnp.float32, scale=2.0):
    return tuple(scale * jax.random.normal(jax.random.key(3), (3, B, HEADS, time, D)).astype(dtype))


@functools.cache
def with_gradient(attend):
    """(q, k, v, weight of each output) -> (read, gradients)."""

    def run(q, k, v, slope):
        read, back = jax.vjp(attend, q, k, v)
        return read, back(slope)

    return jax.jit(run)


@pytest.mark.parametrize("time", [1, 7, 16, 37])
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_blocks_equal_the_whole(time, dtype, monkeypatch):
    """One position, less than a block, whole blocks, and a last block that is shorter."""
    monkeypatch.setattr(attention, "BLOCK", 8)
    q, k, v = inputs(time, dtype)
    slope = jax.random.normal(jax.random.key(4), q.shape).astype(dtype)
    found, expected = (with_gradient(each)(q, k, v, slope) for each in (attention.by_blocks, plain))
    tolerance = 1e-5 if dtype == jnp.float32 else 0.04
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        assert a.dtype == b.dtype == dtype
        a, b = np.asarray(a, np.float32), np.asarray(b, np.float32)
        np.testing.assert_allclose(a, b, atol=tolerance * np.abs(b).max())


def test_scores_beyond_the_exponential_stay_finite(monkeypatch):
    monkeypatch.setattr(attention, "BLOCK", 8)
    q, k, v = inputs(20, scale=100.0)
    read, gradients = with_gradient(attention.by_blocks)(q, k, v, jnp.ones_like(q))
    assert all(np.isfinite(x).all() for x in (read, *gradients))


def test_a_later_token_changes_no_bit_before_it(monkeypatch):
    monkeypatch.setattr(attention, "BLOCK", 8)
    q, k, v = inputs(20)
    at = 11
    moved = [x.at[:, :, at].add(1.0) for x in (q, k, v)]
    before, after = (np.asarray(jax.jit(attention.by_blocks)(*x)) for x in ((q, k, v), moved))
    np.testing.assert_array_equal(before[:, :, :at], after[:, :, :at])
    assert (before[:, :, at:] != after[:, :, at:]).any(axis=(0, 1, 3)).all()


def test_one_cpu_goes_by_blocks(monkeypatch):
    q, k, v = inputs(5)
    texts = []
    for one in (True, False):
        monkeypatch.setattr(attention, "single_cpu", lambda one=one: one)
        texts.append(str(jax.make_jaxpr(lambda *x: attention.causal_attention(*x))(q, k, v)))
    assert ["custom_vjp" in text for text in texts] == [True, False]


@pytest.mark.parametrize(
    ("backend", "capability", "dtype", "width", "taken"),
    [
        ("gpu", "9.0", jnp.bfloat16, 64, True),
        ("gpu", "8.0", jnp.float16, 128, True),
        ("gpu", "7.5", jnp.bfloat16, 64, False),
        ("gpu", "gfx942", jnp.bfloat16, 64, False),
        ("gpu", "9.0", jnp.float32, 64, False),
        ("gpu", "9.0", jnp.bfloat16, 4, False),
        ("gpu", "9.0", jnp.bfloat16, 256, False),
        ("tpu", "9.0", jnp.bfloat16, 64, False),
    ],
)
def test_gpus_that_have_one_kernel_for_it_take_that(backend, capability, dtype, width, taken, monkeypatch):
    monkeypatch.setattr(jax, "default_backend", lambda: backend)
    monkeypatch.setattr(jax, "devices", lambda: [SimpleNamespace(compute_capability=capability)])
    asked = []
    monkeypatch.setattr(attention, "by_cudnn", lambda query, *_: asked.append(query) or query)
    monkeypatch.setattr(attention, "by_cudnn_up_to", lambda query, *_: asked.append(query) or query)
    x = jnp.ones((1, 1, 3, width), dtype)
    attention.causal_attention(x, x, x)
    attention.newest_attention(x[:, :, :1], x, x, 1)
    assert len(asked) == 2 * taken


@pytest.fixture
def plain_in_place_of_cudnn(monkeypatch):
    """jax's own attention with the arguments that cuDNN's was given; it refuses what that refuses."""
    own = jax.nn.dot_product_attention

    def attend(query, key, value, *, implementation, **options):
        assert implementation == "cudnn" and (query.shape[1] == 1 or query.shape[1] % 2 == 0)
        return own(query, key, value, **options)

    monkeypatch.setattr(jax.nn, "dot_product_attention", attend)


@pytest.mark.parametrize("time", [2, 7])
def test_what_cudnn_is_asked_for_is_causal_attention(time, plain_in_place_of_cudnn):
    q, k, v = inputs(time)
    slope = jax.random.normal(jax.random.key(4), q.shape)
    found, expected = (with_gradient(each)(q, k, v, slope) for each in (attention.by_cudnn, plain))
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        assert a.shape == b.shape
        np.testing.assert_allclose(a, b, atol=1e-5 * np.abs(b).max())


def test_what_cudnn_is_asked_for_of_the_newest_query_is_what_is_before_it(plain_in_place_of_cudnn):
    q, k, v = inputs(9)
    for index in (0, 4, 8):
        found = jax.jit(attention.by_cudnn_up_to)(q[:, :, index : index + 1], k, v, index)
        np.testing.assert_allclose(found, plain(q, k, v)[:, :, index : index + 1], atol=1e-5)


@pytest.mark.skipif(not fused_attention(jnp.bfloat16, 64), reason="no NVIDIA GPU: JAX_PLATFORMS=cuda asks for one")
@pytest.mark.parametrize(("time", "width"), [(1, 64), (37, 64), (256, 64), (300, 16), (64, 128)])
def test_one_kernel_equals_the_whole(time, width):
    shape = B, HEADS, time, width
    q, k, v, slope = jax.random.normal(jax.random.key(3), (4, *shape)).astype(jnp.bfloat16)
    found, expected = (with_gradient(each)(q, k, v, slope) for each in (attention.causal_attention, plain))
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        assert a.dtype == b.dtype == jnp.bfloat16
        a, b = np.asarray(a, np.float32), np.asarray(b, np.float32)
        assert np.abs(b).max() > 0 or time == 1
        np.testing.assert_allclose(a, b, atol=0.04 * max(np.abs(b).max(), 0.1))


@pytest.mark.parametrize("index", [0, 5, 19])
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
@pytest.mark.parametrize("on_a_gpu", [False, True])
def test_the_newest_query_reads_what_is_before_it_and_no_room_that_is_empty(index, dtype, on_a_gpu, monkeypatch):
    """On a GPU of two equal queries, or by one kernel."""
    monkeypatch.setattr(attention, "gpu_in_half", lambda dtype: on_a_gpu)
    q, k, v = (jax.random.normal(jax.random.key(7), (3, B, HEADS, 20, 16)) * 2).astype(dtype)
    expected = np.asarray(plain(q, k, v), np.float32)[:, :, index : index + 1]
    empty = jnp.arange(20)[:, None] > index
    k, v = (jnp.where(empty, 50.0, x).astype(dtype) for x in (k, v))
    found = jax.jit(attention.newest_attention)(q[:, :, index : index + 1], k, v, index)
    assert found.dtype == dtype and found.shape == expected.shape
    tolerance = 1e-6 if dtype == jnp.float32 and jax.default_backend() == "cpu" else 0.03
    np.testing.assert_allclose(np.asarray(found, np.float32), expected, atol=tolerance * np.abs(expected).max())


def test_heads_first_has_the_gradient_of_three_slices_without_padding_them():
    qkv = jax.random.normal(jax.random.key(5), (B, 6, 3, HEADS, D))
    slopes = tuple(jax.random.normal(jax.random.key(6), (3, B, HEADS, 6, D)))

    def gradient(split):
        return jax.jit(lambda x, slopes: jax.vjp(split, x)[1](slopes)[0])

    def slices(x):
        return tuple(jnp.moveaxis(x, (2, 3), (0, 2)))

    np.testing.assert_array_equal(gradient(attention.heads_first)(qkv, slopes), gradient(slices)(qkv, slopes))
    assert " pad(" not in gradient(attention.heads_first).lower(qkv, slopes).as_text("hlo")
    np.testing.assert_array_equal(jax.vmap(attention.heads_first)(qkv[None])[1][0], slices(qkv)[1])
