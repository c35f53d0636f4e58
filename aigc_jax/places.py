"""Folders of this package outside a run's own, and what `~` stands for."""

import os
from pathlib import Path

from aigc_jax.errors import ConfigError

CACHE = "AIGC_JAX_CACHE"  # environment: folder of what can be computed again; empty = keep nothing


def cache(kind: str) -> Path | None:
    """The folder of a kind of things that can be computed again, such as "programs", made where it is missing.

    None = they are not kept: as told, or since no such folder can be made. It may be one that can only be read.
    """
    root = _root()
    if root is None:
        return None
    folder = root / kind
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # what it holds is executed: it is the user's alone
    except OSError:
        return None
    return folder if os.access(folder, os.R_OK | os.X_OK) else None


def weights() -> Path | None:
    """The folder of weight files that were published elsewhere and brought into our form; None = there is no home."""
    root = _root() or _home()
    return root and root / "weights"


def expanded(path: str | Path) -> Path:
    """path, with `~` and `~user` written out. Raises ConfigError where there is no such home folder."""
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise ConfigError(f"{path}: there is no such home folder: write the path in full.") from error


def _root() -> Path | None:
    told = os.environ.get(CACHE)
    if told is None:
        return _home()
    return expanded(told) if told.strip() else None


def _home() -> Path | None:
    try:
        return Path.home() / ".cache" / "aigc_jax"
    except RuntimeError:  # HOME is not set, and the system does not know the user: containers have such
        return None
