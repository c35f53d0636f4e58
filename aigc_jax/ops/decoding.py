"""Choosing the next token from logits: temperature, top-k and top-p filtering, repetition penalty; and the largest.

Fan et al. 2018, Hierarchical neural story generation (top-k);
Holtzman et al. 2020, The curious case of neural text degeneration (top-p);
Keskar et al. 2019, arXiv:1909.05858, section 4.1 (repetition penalty).
All settings are arrays, so that one program chooses with any of them.
"""

import jax
import jax.numpy as jnp

from aigc_jax.ops import batch

BLOCK = 128  # scores of which `largest` first takes the maximum


def filtered(logits: jax.Array, k: jax.Array | int, p: jax.Array | float) -> jax.Array:
    """The k largest logits, and of these the fewest whose probabilities sum to p or more; the others -inf.

    k = 0 keeps all, and so does p = 1. The most probable token is always kept. Logits that tie with the least of those
    kept are kept, so that the order of the vocabulary does not matter. logits: float32 [n, V].
    """

    def cut(logits: jax.Array) -> jax.Array:
        size = logits.shape[-1]
        ordered = jnp.flip(jnp.sort(logits, axis=-1), axis=-1)
        kth = jnp.take(ordered, jnp.where(k == 0, size, jnp.minimum(k, size)) - 1, axis=-1)[..., None]
        ordered = jnp.where(ordered >= kth, ordered, -jnp.inf)
        probabilities = jax.nn.softmax(ordered, axis=-1)
        before = jnp.cumsum(probabilities, axis=-1) - probabilities  # the mass of all that is more probable
        kept = ((before < p) | (p >= 1)).at[..., 0].set(True)
        smallest = jnp.min(jnp.where(kept, ordered, jnp.inf), axis=-1, keepdims=True)
        return jnp.where(logits >= jnp.maximum(smallest, kth), logits, -jnp.inf)

    return jax.lax.cond((k > 0) | (p < 1), cut, lambda logits: logits, logits)  # sorting takes time


def choose(
    keys: jax.Array,
    logits: jax.Array,
    temperature: jax.Array | float,
    k: jax.Array | int = 0,
    p: jax.Array | float = 1.0,
) -> jax.Array:
    """One token a row, int32 [n], from logits [n, V]: divided by temperature, then `filtered`.

    temperature = 0 takes the most probable token. keys: [n]. Draws by Gumbel-max: the argmax of logits plus Gumbel
    noise has the softmax's distribution.
    """
    greedy = jnp.asarray(temperature) == 0
    scaled = logits.astype(jnp.float32) / jnp.where(greedy, 1.0, temperature)

    def noisy(scores: jax.Array) -> jax.Array:
        return scores + batch.spread(jax.vmap(lambda key: jax.random.gumbel(key, logits.shape[-1:]))(keys))

    scores = filtered(scaled, k, p)
    return jnp.argmax(jax.lax.cond(greedy, lambda x: x, noisy, scores), axis=-1).astype(jnp.int32)


def repetition_penalty(scores: jax.Array, texts: jax.Array, pad: int, penalty: jax.Array | float) -> jax.Array:
    """Scores [n, V], those of tokens that stand in the row of texts [n, T] divided by `penalty`, or times it below 0.

    So a token that was there is less probable for a penalty above 1. 1 changes nothing.
    """

    def changed(scores: jax.Array) -> jax.Array:
        rows = jnp.arange(len(scores))[:, None]
        seen = jnp.zeros(scores.shape, jnp.int32).at[rows, texts].max((texts != pad).astype(jnp.int32)) > 0
        return jnp.where(seen, jnp.where(scores > 0, scores / penalty, scores * penalty), scores)

    return jax.lax.cond(jnp.asarray(penalty) != 1, changed, lambda scores: scores, scores)


def largest(scores: jax.Array, k: int) -> tuple[jax.Array, jax.Array]:
    """The k largest, and where they stand, as of `jax.lax.top_k`: float32 and int32 [n, k] of scores [n, V], k <= V.

    They are within the k blocks of the largest maxima, so that little is sorted: a CPU sorts slowly.
    """
    blocks = jnp.pad(scores, ((0, 0), (0, -scores.shape[1] % BLOCK)), constant_values=-jnp.inf)
    blocks = blocks.reshape(len(scores), -1, BLOCK)
    _, near = jax.lax.top_k(jnp.max(blocks, axis=2), min(k, blocks.shape[1]))
    near = jnp.sort(near, axis=1)  # of equal scores the first comes first
    found, place = jax.lax.top_k(jnp.take_along_axis(blocks, near[..., None], axis=1).reshape(len(scores), -1), k)
    return found, jnp.take_along_axis(near, place // BLOCK, axis=1) * BLOCK + place % BLOCK
