"""Errors that a user can mend, and the end of a run that was asked to stop."""

import importlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType


class UserError(Exception):
    """A mistake in the input, said in one line that names the thing and the remedy.

    The command line prints the line without a traceback and exits with `code`:
    2 for a wrong configuration or command line, 1 for everything else.
    """

    def __init__(self, message: str, code: int = 1):
        super().__init__(" ".join(message.split()))
        self.code = code


class ConfigError(UserError):
    """A wrong key, type or value in the configuration or on the command line."""

    def __init__(self, message: str):
        super().__init__(message, code=2)


class Unfit(ConfigError):
    """A field of a network that does not fit what the network is given, or another field. `Learner.init` says whose.

    why: "has to divide the width, 16".
    """

    def __init__(self, field: str, value: object, why: str):
        super().__init__(f"{field} is {value!r}, and {why}")
        self.field, self.value, self.why = field, value, why


class NotAtHand(UserError):
    """What is asked for needs the data themselves, and not only what a run keeps of them."""


class Stopped(Exception):
    """The run is over because it was asked to stop. code: of the exit, 128 + the signal's number, as shells have it."""

    def __init__(self, line: str, code: int):
        super().__init__(line)
        self.code = code


def other_version(folder: Path, why: str) -> UserError:
    """Of a run whose files are whole and have another form than this version writes. why: a part of a sentence."""
    return UserError(
        f"The run in {folder} is of another version of aigc_jax ({why}): use that version, or choose another --workdir "
        f"and begin there with its weights, --config.networks.NETWORK.start=run:{folder}#NETWORK."
    )


def optional(package: str, extra: str, purpose: str) -> ModuleType:
    """The module of an optional dependency. extra: of this package, that brings it; purpose: "self_bleu", …

    Raises UserError where it is not installed.
    """
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise UserError(f"{purpose} needs {package}: pip install 'aigc_jax[{extra}]' ({error})") from error


def room(folder: Path) -> str:
    """The free space of a folder that could not be written, in words."""
    try:
        return f"{shutil.disk_usage(folder).free:,} bytes are free"
    except OSError:
        return "the folder is gone"


def free_bytes(folder: Path) -> int | None:
    """What is free on the disk of a folder, which need not exist yet; None = nobody knows, as of a mounted bucket."""
    there = folder.absolute()
    while not os.path.exists(there):  # Path's own raises where a folder above may not be looked into
        there = there.parent
    try:
        usage = shutil.disk_usage(there)
    except OSError:
        return None
    return usage.free if usage.total else None


def unwritable(folder: Path) -> str:
    """Why a folder, which need not exist yet, cannot be written; "" = it can."""
    try:
        there = folder.absolute()
    except FileNotFoundError:
        return "the current folder has been removed"
    while not os.path.lexists(there):
        there = there.parent
    if not os.path.isdir(there):  # Path's own raises where a folder above may not be looked into
        return f"{there} is no folder"
    return "" if os.access(there, os.W_OK | os.X_OK) else f"{there} is not yours to write"


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Adds the name of this file to an OSError raised inside; that of a full disk has none."""
    try:
        yield
    except OSError as error:
        error.filename = error.filename or str(path)
        raise
