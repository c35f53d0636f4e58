"""Attention to keys that come in parts: softmax(q k^T / sqrt(d)) v without all weights at once.

With the largest score m, the total l = sum_j exp(s_j - m) and the sum a = sum_j exp(s_j - m) v_j of the keys so far, a
further part changes m to m', and l and a by exp(m - m') and the terms of the part (Milakov & Gimelshein 2018,
arXiv:1805.02867, section 3; Rabe & Staats 2021, arXiv:2112.05682, section 2). What is read is a / l.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp


class SoFar(NamedTuple):
    """Of the keys of the parts so far; float32."""

    largest: jax.Array  # [B, heads, Q, 1]
    total: jax.Array  # [B, heads, Q, 1]
    read: jax.Array  # [B, heads, Q, d]


def begin(query: jax.Array) -> SoFar:
    """Before the first part. query: [B, heads, Q, d]."""
    one = jnp.zeros((*query.shape[:-1], 1), jnp.float32)
    return SoFar(one + jnp.finfo(jnp.float32).min, one, jnp.zeros(query.shape, jnp.float32))


def more(so_far: SoFar, query: jax.Array, key: jax.Array, value: jax.Array, mask: jax.Array) -> SoFar:
    """With a further part. key, value: [B, heads, K, d]; mask: bool, broadcast to [B, heads, Q, K], False = not read.

    A query may read no key of a part. It has to read one of all parts.
    """
    scores = jnp.einsum("bhqd,bhkd->bhqk", query, key, preferred_element_type=jnp.float32) * query.shape[-1] ** -0.5
    scores = jnp.where(mask, scores, jnp.finfo(jnp.float32).min)  # finite: a part without a key gives no NaN
    largest = jax.lax.stop_gradient(jnp.maximum(so_far.largest, jnp.max(scores, axis=-1, keepdims=True)))
    rest, weights = jnp.exp(so_far.largest - largest), jnp.exp(scores - largest)
    total = so_far.total * rest + jnp.sum(weights, axis=-1, keepdims=True)
    found = jnp.einsum("bhqk,bhkd->bhqd", weights.astype(value.dtype), value, preferred_element_type=jnp.float32)
    return SoFar(largest, total, so_far.read * rest + found)


def end(so_far: SoFar) -> jax.Array:
    """What the queries read, float32 [B, heads, Q, d]."""
    return so_far.read / so_far.total
