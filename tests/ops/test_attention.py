"""Causal attention by blocks against the plain one: values and gradients."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from aigc_jax.ops import attention

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
