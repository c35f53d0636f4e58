"""What all sides in JAX share, of whatever library."""

from collections.abc import Callable
from typing import Any

import jax


def count(tree: Any) -> int:
    """Numbers in a tree of arrays."""
    return sum(leaf.size for leaf in jax.tree.leaves(tree))


def peak() -> Callable[[], int] | None:
    """A function that says how many bytes the device held at most; None on a CPU, where the process's peak counts."""
    first = jax.devices()[0]
    return (lambda: first.memory_stats()["peak_bytes_in_use"]) if first.memory_stats() else None
