"""Folders of this package outside a run's own."""

import os
from pathlib import Path

CACHE = "AIGC_JAX_CACHE"  # environment: folder of what can be computed again; empty = keep nothing


def cache(kind: str) -> Path | None:
    """The folder of a kind of things that can be computed again, such as "programs"; None = they are not kept."""
    folder = os.environ.get(CACHE, str(Path.home() / ".cache" / "aigc_jax"))
    return Path(folder) / kind if folder else None


def weights() -> Path:
    """The folder of weight files that were published elsewhere and brought into our form."""
    return (cache("weights") or Path.home() / ".cache" / "aigc_jax" / "weights").expanduser()
