"""Laws of the time that a training example is noised to.

| name | t | source |
|---|---|---|
| `uniform` | of all times; of a grid, of 1 .. T | Ho et al. 2020, arXiv:2006.11239, section 3.4 |
| `log_normal` | log(σ / α) is N(-1.2, 1.2²) | Karras et al. 2022, arXiv:2206.00364, table 1 |
| `logit_normal` | log(t / (1 - t)) is N(0, 1), t from 0 to 1 | Esser et al. 2024, arXiv:2403.03206, section 3.1 |
"""

from typing import Literal

import jax
import jax.numpy as jnp

from aigc_jax.errors import ConfigError
from aigc_jax.ops.batch import draw, evenly
from aigc_jax.ops.diffusion.process import Process

Law = Literal["uniform", "log_normal", "logit_normal"]
MEAN, DEVIATION = -1.2, 1.2  # of log(σ / α)
EARLIEST = 1e-5  # of times in (0, 1]
TAIL = 1e-6  # probability beyond which no normal number is drawn


def check(law: Law, process: Process) -> None:
    """Raises ConfigError for a law that a process has no times for."""
    if law == "uniform" or (not process.steps and (law == "logit_normal") == (process.last == 1)):
        return
    known = "uniform alone" if process.steps else "uniform and logit_normal" if process.last == 1 else "log_normal"
    raise ConfigError(f'"method.times" is "{law}", and the times of this method.schedule have {known}.')


def times(law: Law, process: Process, key: jax.Array, rows: int, spaced: bool) -> jax.Array:
    """t of a batch, float32 [rows]; of a grid int32.

    spaced: the rows are spread over the law, as `evenly` does it.
    """
    if process.steps and not spaced:
        return draw(jax.random.randint, key, (rows,), 1, process.steps + 1)
    uniform = draw(evenly if spaced else jax.random.uniform, key, (rows,))
    if process.steps:
        return jnp.minimum(jnp.floor(uniform * process.steps).astype(jnp.int32) + 1, process.steps)
    if law == "uniform":
        return jnp.maximum(uniform, EARLIEST) * process.last
    normal = jax.scipy.special.ndtri(jnp.clip(uniform, TAIL, 1 - TAIL))
    if law == "logit_normal":
        return jax.nn.sigmoid(normal)
    return jnp.exp(MEAN + DEVIATION * normal)
