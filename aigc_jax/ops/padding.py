"""What stands in rows of ids where there is nothing."""

import jax
import jax.numpy as jnp


def split(ids: jax.Array, none: int) -> tuple[jax.Array, jax.Array]:
    """(ids that a table can be read by, which of them are there): int32 and bool, both of the shape of `ids`.

    none: the id that stands for nothing; a negative one is read as 0, which no table lacks.
    """
    return jnp.maximum(ids, 0), ids != none
