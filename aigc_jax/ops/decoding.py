"""Choosing the next token from logits: temperature, top-k and nucleus (top-p) filtering.

Fan et al. 2018, Hierarchical neural story generation (top-k);
Holtzman et al. 2020, The curious case of neural text degeneration (top-p).
"""

import jax
import jax.numpy as jnp

from aigc_jax.ops import batch


def top_k(logits: jax.Array, k: int) -> jax.Array:
    """The k largest logits, the others -inf; k = 0 keeps all. logits: [..., V].

    Logits that tie with the k-th are kept, so that the order of the vocabulary does not matter.
    """
    if k == 0 or k >= logits.shape[-1]:
        return logits
    smallest = jax.lax.top_k(logits, k)[0][..., -1:]
    return jnp.where(logits >= smallest, logits, -jnp.inf)


def top_p(logits: jax.Array, p: float) -> jax.Array:
    """The fewest most probable tokens whose probabilities sum to p or more, the others -inf.

    p = 1 keeps all; the most probable token is always kept, and so are ties with the least of those kept.
    logits: [..., V].
    """
    if p >= 1:
        return logits
    ordered = jnp.flip(jnp.sort(logits, axis=-1), axis=-1)
    probabilities = jax.nn.softmax(ordered, axis=-1)
    before = jnp.cumsum(probabilities, axis=-1) - probabilities  # the mass of all that is more probable
    kept = (before < p).at[..., 0].set(True)
    smallest = jnp.min(jnp.where(kept, ordered, jnp.inf), axis=-1, keepdims=True)
    return jnp.where(logits >= smallest, logits, -jnp.inf)


def choose(key: jax.Array, logits: jax.Array, temperature: float, k: int, p: float) -> jax.Array:
    """One token a row, int32 [B], from logits [B, V]: divided by temperature, then top-k, then top-p.

    temperature = 0 takes the most probable token. Draws by Gumbel-max: the argmax of logits
    plus Gumbel noise has the softmax's distribution.
    """
    if temperature == 0:
        return jnp.argmax(logits, axis=-1).astype(jnp.int32)
    logits = top_p(top_k(logits.astype(jnp.float32) / temperature, k), p)
    noise = batch.draw(jax.random.gumbel, key, logits.shape)
    return jnp.argmax(logits + noise, axis=-1).astype(jnp.int32)
