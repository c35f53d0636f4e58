"""Folders outside the runs: caches and published weights; and the expansion of `~`."""

import os
from pathlib import Path

from aigc_jax.errors import ConfigError

CACHE = "AIGC_JAX_CACHE"  # environment variable: the folder of caches; empty = cache nothing


def cache(kind: str) -> Path | None:
    """The cache folder for one kind of data, such as "programs"; created where it is missing. It may be read-only.

    None = nothing is cached: as told, or since the folder cannot be created.
    """
    root = _root()
    if root is None:
        return None
    folder = root / kind
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # programs in it are executed: others may not write
    except OSError:
        return None
    return folder if os.access(folder, os.R_OK | os.X_OK) else None


def weights() -> Path | None:
    """The folder of converted published weights; None = there is no home."""
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
    except RuntimeError:  # HOME is not set and the system does not know the user, as in some containers
        return None
