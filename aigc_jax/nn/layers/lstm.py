"""A layer of long short-term memory: the equations are in `ops.kernels.lstm`."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from aigc_jax.ops.kernels.lstm import States, recurrence
from aigc_jax.ops.kernels.matmul import rows_dot
from aigc_jax.ranges import Size

GATES = 4
FORGET = 1.0  # the first bias of the forget gates: what is remembered stays (Jozefowicz et al. 2015, section 4.3)


def uniform(bound: float) -> nn.initializers.Initializer:
    """Of numbers from -bound to bound."""

    def init(key: jax.Array, shape: Any, dtype: Any = jnp.float32) -> jax.Array:
        return jax.random.uniform(key, shape, dtype, -bound, bound)

    return init


def _bias(key: jax.Array, shape: tuple[int], dtype: Any = jnp.float32) -> jax.Array:
    return jnp.zeros((GATES, shape[0] // GATES), dtype).at[1].set(FORGET).reshape(-1)


class LSTMLayer(nn.Module):
    """Sequences [B, T, N] -> the states after each time, each [B, T, features]."""

    features: Size
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, before: States | None = None, begins: jax.Array | None = None) -> States:
        """h of the network's dtype, c float32.

        before: (h, c) before the first time, each [B, features]; None = zeros. begins: bool [B, T], where a text begins
        and what was before it is forgotten; None = nowhere.
        """
        rows, time, _ = x.shape
        init = uniform(self.features**-0.5)
        width = GATES * self.features
        inputs = nn.Dense(
            width, kernel_init=init, bias_init=_bias, dtype=self.dtype, name="inputs", dot_general=rows_dot
        )
        kernel = self.param("recurrent", init, (self.features, width))
        if before is None:
            before = jnp.zeros((rows, self.features), self.dtype), jnp.zeros((rows, self.features))
        kept = jnp.ones((time, rows, 1)) if begins is None else 1 - begins.T[:, :, None].astype(jnp.float32)
        h, c = recurrence(inputs(jnp.swapaxes(x, 0, 1)), kernel, *before, kept)
        return jnp.swapaxes(h, 0, 1), jnp.swapaxes(c, 0, 1)
