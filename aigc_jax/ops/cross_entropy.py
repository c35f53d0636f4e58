"""-log softmax(logits)[target], with a gradient of its own.

With p = softmax(logits), d(-log p_target) / d logits_v = p_v - [v = target] (Bridle 1990, Probabilistic
interpretation of feedforward classification network outputs). The derivative of a look-up would be a scatter into an
array of the logits' size, which runs serially on a CPU.
"""

import jax
import jax.numpy as jnp


@jax.custom_vjp
def cross_entropy(logits: jax.Array, targets: jax.Array) -> jax.Array:
    """-log p of the targets in nats, float32 [...], from logits [..., V] and targets [...] of an integer dtype."""
    return _forward(logits, targets)[0]


def _forward(logits: jax.Array, targets: jax.Array) -> tuple[jax.Array, tuple]:
    log_total = jax.nn.logsumexp(logits.astype(jnp.float32), axis=-1)
    chosen = jnp.take_along_axis(logits, targets[..., None], axis=-1)[..., 0].astype(jnp.float32)
    return log_total - chosen, (logits, targets, log_total)


def _backward(kept: tuple, slope: jax.Array) -> tuple[jax.Array, None]:
    logits, targets, log_total = kept
    probabilities = jnp.exp(logits - log_total[..., None])
    hit = jnp.arange(logits.shape[-1]) == targets[..., None]
    return (slope[..., None] * (probabilities - hit)).astype(logits.dtype), None


cross_entropy.defvjp(_forward, _backward)
