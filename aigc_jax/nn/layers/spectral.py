"""Spectral normalisation (Miyato et al. 2018, arXiv:1802.05957, section 2.1 and algorithm 1)."""

import flax.linen as nn
import jax
import jax.numpy as jnp

COLLECTION = "spectral"  # of variables, beside `params`
TINY = 1e-12  # keeps a kernel of zeros from dividing by its norm


class Spectral(nn.Module):
    """A kernel over an estimate of its largest singular value, by one power iteration from a vector that is kept.

    It takes the kernel and not a layer, so that a layer may do with it what it likes. (`flax.linen.SpectralNorm` takes
    a layer, and names its vectors by paths, in which a file of weights cannot tell names from folders.)
    """

    @nn.compact
    def __call__(self, kernel: jax.Array, train: bool) -> jax.Array:
        """kernel: float32 [..., O] -> the same shape. train: whether the vector moves on."""
        matrix = kernel.reshape(-1, kernel.shape[-1])
        kept = self.variable(
            COLLECTION, "u", lambda: _unit(jax.random.normal(self.make_rng("params"), matrix.shape[-1:]))
        )
        rows = _unit(matrix @ kept.value)
        columns = _unit(rows @ matrix)
        rows, columns = jax.lax.stop_gradient((rows, columns))
        if train and not self.is_initializing():
            kept.value = columns
        return kernel / jnp.maximum(rows @ matrix @ columns, TINY)


def _unit(vector: jax.Array) -> jax.Array:
    return vector / jnp.maximum(jnp.linalg.norm(vector), TINY)
