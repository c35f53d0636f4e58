"""Attention (Vaswani et al. 2017, Attention is all you need): softmax(q k^T / sqrt(d)) v, heads before positions.

On a CPU causal attention runs over blocks of queries (Dao et al. 2022, FlashAttention, algorithms 1 and 4, without
blocks of keys; Rabe & Staats 2021). A block reads only the keys up to its last position. The gradient computes the
weights again from the logarithm of their sums. This leaves out half of the products and never writes the array of all
weights to memory, which takes longer than the exponentials. On a GPU cuDNN does the same.
"""

import functools

import jax
import jax.numpy as jnp

from aigc_jax.ops.platform import fused_attention, gpu_in_half, single_cpu

BLOCK = 128  # queries at a time, whose weights fit into a cache of some MB


@jax.custom_vjp
def heads_first(qkv: jax.Array) -> tuple[jax.Array, ...]:
    """[B, T, 3, heads, d] -> query, key and value, each [B, heads, T, d].

    The gradient stacks the three cotangents. jax 0.10 would pad each with zeros and add them; jax 0.12 does not.
    """
    return tuple(jnp.moveaxis(qkv, (2, 3), (0, 2)))


def _apart(qkv: jax.Array) -> tuple[tuple[jax.Array, ...], None]:
    return heads_first(qkv), None


def _together(_: None, slopes: tuple[jax.Array, ...]) -> tuple[jax.Array]:
    joined = jnp.stack([jnp.moveaxis(slope, 1, 2) for slope in slopes], axis=2)
    return (jax.lax.optimization_barrier(joined),)  # else XLA fuses the stack into both products that read it


heads_first.defvjp(_apart, _together)


def repeated(x: jax.Array, heads: int) -> jax.Array:
    """Keys or values [B, fewer heads, K, d], each for a group of neighbouring heads of queries: [B, heads, K, d]."""
    return x if x.shape[1] == heads else jnp.repeat(x, heads // x.shape[1], axis=1)


def attention_weights(
    query: jax.Array,
    key: jax.Array,
    mask: jax.Array | None,
    bias: jax.Array | None = None,
    scale: float | None = None,
) -> jax.Array:
    """softmax(q k^T / sqrt(d)) in float32 [B, heads, Q, K], from query [B, heads, Q, d] and key [B, heads, K, d].

    mask: bool, broadcast to [B, heads, Q, K]; False = not read. None = everything is read.
    bias: float32, added to the scaled scores, broadcast as well. scale: in place of 1 / sqrt(d).
    """
    scores = _products(query, key) * (query.shape[-1] ** -0.5 if scale is None else scale)
    if bias is not None:
        scores += bias
    if mask is not None:
        scores = jnp.where(mask, scores, jnp.finfo(jnp.float32).min)  # finite: else a query without keys gives NaN
    return jax.nn.softmax(scores, axis=-1)


def causal_mask(queries: int, keys: int, index: jax.Array | int = 0) -> jax.Array:
    """Bool [1, 1, queries, keys]: query i, at position index + i, reads the keys up to its own."""
    positions = index + jnp.arange(queries)
    return (jnp.arange(keys) <= positions[:, None])[None, None]


def causal_attention(query: jax.Array, key: jax.Array, value: jax.Array) -> jax.Array:
    """softmax(q k^T / sqrt(d)) v over the keys up to each query's position. All [B, heads, T, d], of one dtype.

    Keys and values may have fewer heads: see `repeated`.
    """
    heads = query.shape[1]
    if single_cpu():
        return by_blocks(query, repeated(key, heads), repeated(value, heads))
    if fused_attention(value.dtype, value.shape[-1]):
        return by_cudnn(query, key, value)
    key, value = repeated(key, heads), repeated(value, heads)
    time = query.shape[2]
    weights = attention_weights(query, key, causal_mask(time, time)).astype(value.dtype)
    return weights @ value


def by_cudnn(query: jax.Array, key: jax.Array, value: jax.Array) -> jax.Array:
    """`causal_attention` by cuDNN, whose layout is [B, T, heads, d] and whose gradient needs an even T."""
    time = query.shape[2]
    one_more = ((0, 0), (0, time % 2), (0, 0), (0, 0))  # at the end, where no earlier query reads it
    query, key, value = (jnp.pad(jnp.swapaxes(x, 1, 2), one_more) for x in (query, key, value))
    read = jax.nn.dot_product_attention(query, key, value, is_causal=True, implementation="cudnn")
    return jnp.swapaxes(read, 1, 2)[:, :, :time]


def newest_attention(query: jax.Array, key: jax.Array, value: jax.Array, index: jax.Array | int) -> jax.Array:
    """`causal_attention` of queries at the positions index, index + 1, … to a cache [B, heads, room, d].

    query: [B, heads, T, d] -> the same shape. It has no gradient: sampling alone uses it.
    A cache of fewer heads is not repeated: the queries of a group are further queries of its head.
    """
    rows, heads, queries, width = query.shape
    if queries == 1 and fused_attention(value.dtype, value.shape[-1]):
        return by_cudnn_up_to(query, key, value, index)
    if key.shape[1] != heads:
        mask = jnp.tile(causal_mask(queries, key.shape[2], index), (1, 1, heads // key.shape[1], 1))
        weights = attention_weights(query.reshape(rows, key.shape[1], -1, width), key, mask).astype(value.dtype)
        return (weights @ value).reshape(query.shape)
    mask = causal_mask(queries, key.shape[2], index)
    if queries == 1 and gpu_in_half(query.dtype):
        query = jnp.repeat(query, 2, axis=2)
    return (attention_weights(query, key, mask).astype(value.dtype) @ value)[:, :, :queries]


def by_cudnn_up_to(query: jax.Array, key: jax.Array, value: jax.Array, index: jax.Array | int) -> jax.Array:
    """`newest_attention` of one query by cuDNN, which does not read the empty part of the cache."""
    rows = query.shape[0]
    lengths = jnp.ones(rows, jnp.int32), jnp.full(rows, index + 1, jnp.int32)
    query, key, value = (jnp.swapaxes(x, 1, 2) for x in (query, key, value))
    read = jax.nn.dot_product_attention(
        query, key, value, query_seq_lengths=lengths[0], key_value_seq_lengths=lengths[1], implementation="cudnn"
    )
    return jnp.swapaxes(read, 1, 2)


@jax.custom_vjp
def by_blocks(query: jax.Array, key: jax.Array, value: jax.Array) -> jax.Array:
    """`causal_attention` over blocks of queries."""
    return _forward(query, key, value)[0]


def _forward(query: jax.Array, key: jax.Array, value: jax.Array) -> tuple[jax.Array, tuple]:
    read, log_sums = [], []
    for start, stop in _blocks(query.shape[2]):
        scores = _scores(query, key, start, stop)
        log_sum = jax.nn.logsumexp(scores, axis=-1, keepdims=True)
        read.append(jnp.exp(scores - log_sum).astype(value.dtype) @ value[:, :, :stop])
        log_sums.append(log_sum)
    out = jnp.concatenate(read, axis=2)
    return out, (query, key, value, out, log_sums)


def _backward(kept: tuple, slope: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    query, key, value, out, log_sums = kept
    scale = query.shape[-1] ** -0.5
    shift = jnp.sum(slope.astype(jnp.float32) * out, axis=-1, keepdims=True)  # D of algorithm 4: sum_k dP_k P_k
    d_query, d_key, d_value = [], [], []
    # The last block comes first: it reads all keys, and the others add to its gradients.
    for (start, stop), log_sum in reversed(list(zip(_blocks(query.shape[2]), log_sums, strict=True))):
        rows = slice(start, stop)
        weights = jnp.exp(_scores(query, key, start, stop) - log_sum)
        d_weights = _products(slope[:, :, rows], value[:, :, :stop])
        d_scores = (weights * (d_weights - shift[:, :, rows]) * scale).astype(query.dtype)
        d_query.append(d_scores @ key[:, :, :stop])
        d_key.append(_sums(d_scores, query[:, :, rows]))
        d_value.append(_sums(weights.astype(value.dtype), slope[:, :, rows]))
    to_key, to_value = (functools.reduce(_added, parts) for parts in (d_key, d_value))
    return jnp.concatenate(d_query[::-1], axis=2), to_key.astype(key.dtype), to_value.astype(value.dtype)


def _added(total: jax.Array, part: jax.Array) -> jax.Array:
    """total [B, heads, K, d] + part [B, heads, k, d], which is 0 from row k on."""
    first = part.shape[2]
    return jnp.concatenate([total[:, :, :first] + part, total[:, :, first:]], axis=2)


by_blocks.defvjp(_forward, _backward)


def _blocks(time: int) -> list[tuple[int, int]]:
    return [(start, min(start + BLOCK, time)) for start in range(0, time, BLOCK)]


def _scores(query: jax.Array, key: jax.Array, start: int, stop: int) -> jax.Array:
    """q k^T / sqrt(d) of the queries start … stop - 1 and the keys before stop; -inf where a key follows the query."""
    scores = _products(query[:, :, start:stop], key[:, :, :stop]) * query.shape[-1] ** -0.5
    return jnp.where(causal_mask(stop - start, stop, start), scores, -jnp.inf)


def _products(query: jax.Array, key: jax.Array) -> jax.Array:
    return jnp.einsum("bhqd,bhkd->bhqk", query, key, preferred_element_type=jnp.float32)


def _sums(weights: jax.Array, rows: jax.Array) -> jax.Array:
    return jnp.einsum("bhqk,bhqd->bhkd", weights, rows, preferred_element_type=jnp.float32)
