"""Generative models in JAX: one trainer for every family.

import aigc_jax

model = aigc_jax.load("runs/ddpm")
model.sample(16, seed=1).show()
"""

from collections.abc import Mapping
from os import PathLike
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aigc_jax.library import Model

__version__ = "0.1.0"


def load(workdir: str | PathLike[str], settings: Mapping[str, Any] | None = None) -> "Model":
    """The model of a finished run, to sample from.

    workdir: the run's folder; neither the configuration's file nor the data are needed.
    settings: dotted keys of the configuration with other values, such as {"sample.steps": 25}: of sampling, of the
        method, or which checkpoint is taken. `Model.sample` takes those of sampling too. With a key of `parallel` the
        model is laid out over all devices, else on one.

    Raises errors.UserError, which says in one line what is wrong: no run or checkpoint in the folder, or a setting
    that does not exist or that training has fixed.
    """
    from aigc_jax.library import Model  # takes seconds, and `import aigc_jax` none

    return Model(workdir, settings or {})
