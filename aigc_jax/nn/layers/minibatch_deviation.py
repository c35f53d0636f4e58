"""How much the examples of a batch differ, as a feature of a discriminator."""

import jax
import jax.numpy as jnp

from aigc_jax.ops import batch

EPSILON = 1e-8


def minibatch_deviation(x: jax.Array, group: int) -> jax.Array:
    """x with one channel more: [B, H, W, C] -> [B, H, W, C + 1] (Karras et al. 2018, arXiv:1710.10196, section 3).

    The channel has the standard deviation of each value within groups of neighbouring examples, its mean over a group.
    A group has `group` examples, or the most below that into which the batch divides. Groups are those of the whole
    batch: where a device has fewer examples, it asks the others for theirs.
    """
    rows = x.shape[0]
    devices = jax.lax.axis_size(batch.AXIS) if batch.axis() else 1
    size = next(n for n in range(min(group, rows * devices), 0, -1) if rows * devices % n == 0)
    every = x if rows % size == 0 else jax.lax.all_gather(x, batch.AXIS, tiled=True)
    groups = every.astype(jnp.float32).reshape(-1, size, *x.shape[1:])
    deviation = jnp.sqrt(jnp.var(groups, axis=1) + EPSILON)
    of_each = jnp.repeat(jnp.mean(deviation, axis=(1, 2, 3)), size)
    if every is not x:
        of_each = jax.lax.dynamic_slice_in_dim(of_each, jax.lax.axis_index(batch.AXIS) * rows, rows)
    channel = jnp.broadcast_to(of_each[:, None, None, None], (*x.shape[:3], 1))
    return jnp.concatenate([x, channel.astype(x.dtype)], axis=-1)
