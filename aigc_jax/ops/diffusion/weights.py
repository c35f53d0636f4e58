"""Weights of the loss over times, given as those of |x_0 - D|², with the signal-to-noise ratio snr = α² / σ².

| name | weight of |x_0 - D|² | source |
|---|---|---|
| `simple` | what makes it |F - target|², whatever F is | Ho et al. 2020, arXiv:2006.11239, eq. 14 |
| `snr` | snr, so that it is |ε - ε_θ|² | the same |
| `min_snr` | min(snr, 5) | Hang et al. 2023, arXiv:2303.09556, section 3.4 |
| `edm` | 1 / c_out² of `parameterisation.edm`, in units of σ / α | Karras et al. 2022, arXiv:2206.00364, table 1 |
| `sigmoid` | snr · sigmoid(2 - log snr) | Kingma & Gao 2023, arXiv:2303.00848, section 5 |
"""

from typing import Literal

import jax
import jax.numpy as jnp

from aigc_jax.ops.diffusion import parameterisation
from aigc_jax.ops.diffusion.process import Process

Name = Literal["simple", "snr", "min_snr", "edm", "sigmoid"]
MOST = 5.0  # of `min_snr`
BIAS = 2.0  # of `sigmoid`


def weight(name: Name, prediction: parameterisation.Name, process: Process, t: jax.Array, like: jax.Array) -> jax.Array:
    """Of |F - target|², [B, 1, ...]. t: [B], like: [B, ...]."""
    alpha, sigma = process.at(t, like)
    if name == "simple":
        return jnp.ones_like(alpha)
    snr = (alpha / sigma) ** 2
    if name == "snr":
        found = snr
    elif name == "min_snr":
        found = jnp.minimum(snr, MOST)
    elif name == "edm":
        found = snr + 1 / parameterisation.DATA**2
    else:
        found = snr * jax.nn.sigmoid(BIAS - jnp.log(snr))
    return found * parameterisation.scales(prediction, process, t, like).out ** 2
