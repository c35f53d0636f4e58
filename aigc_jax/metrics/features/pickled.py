"""Reads a pickle of nested dictionaries of NumPy arrays, and refuses one that names anything else."""

import io
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from aigc_jax.errors import UserError

RECONSTRUCT = np.empty(0).__reduce__()[0]  # NumPy's own, which other versions of it keep in other modules
KNOWN: Mapping[tuple[str, str], Any] = {
    ("numpy.core.multiarray", "_reconstruct"): RECONSTRUCT,
    ("numpy._core.multiarray", "_reconstruct"): RECONSTRUCT,
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
}


class _Arrays(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in KNOWN:
            raise pickle.UnpicklingError(f'it names "{module}.{name}"')
        return KNOWN[module, name]


def load(path: Path) -> dict[str, Any]:
    """The dictionary in a file. Raises UserError for any other file."""
    try:
        found = _Arrays(io.BytesIO(path.read_bytes())).load()
    except Exception as error:  # what a pickle that is none raises has no common class
        raise UserError(f"{path} is no pickle of NumPy arrays, or it is damaged: {error}") from error
    if not isinstance(found, dict):
        raise UserError(f"{path} holds no dictionary of arrays.")
    return found
