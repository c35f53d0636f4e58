"""The files of a finished checkpoint with their hashes, so that damage is found before it is restored.

Orbax notices missing and truncated files, but not flipped bits. The manifest holds the SHA-256 of every file. It is
written last, so that its presence says that the rest is complete.
"""

import hashlib
import json
import os
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

NAME = "manifest.json"
WRITING = ".writing"  # <step>.writing lies beside a step's folder from before it is begun until its manifest is there
THREADS = min(8, os.cpu_count() or 1)  # hashlib frees the interpreter's lock


def begin(folder: Path) -> None:
    """Marks a folder as being written."""
    _mark(folder).touch()


def write(folder: Path) -> None:
    """Records every file of a folder, synced to disk, and removes the mark of `begin`.

    Raises OSError where a file cannot be read or the manifest not be written.
    """
    files = {
        name: {"bytes": size, "sha256": digest} for name, (size, digest) in _digests(folder, _files(folder)).items()
    }
    part = folder / f"{NAME}.part"
    with part.open("w", encoding="utf-8") as file:
        json.dump(files, file, indent=1, sort_keys=True)
        file.flush()
        os.fsync(file.fileno())
    part.replace(folder / NAME)
    _sync(folder)
    _mark(folder).unlink(missing_ok=True)


def digest(folder: Path) -> str:
    """The SHA-256 of the manifest itself, which identifies the checkpoint."""
    return hashlib.sha256((folder / NAME).read_bytes()).hexdigest()


def fault(folder: Path, groups: Collection[str] = ()) -> str:
    """'' for a folder that agrees with its manifest; else the first file that does not, and how.

    A file that the manifest does not name is a fault too.
    groups: read the contents of these alone, as "ema" for ema.net/…; () = of all files.
    """
    try:
        recorded = json.loads((folder / NAME).read_text("utf-8"))
        expected = {name: (entry["bytes"], entry["sha256"]) for name, entry in recorded.items()}
    except FileNotFoundError:
        return f"{NAME} is missing"
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        return f"{NAME} cannot be read ({type(error).__name__})"
    there = set(_files(folder))
    for name in sorted(expected.keys() ^ there):
        return f"{name} is missing" if name in expected else f"{name} is not in {NAME}"
    for name, (size, _) in sorted(expected.items()):
        found = (folder / name).stat().st_size
        if found != size:
            return f"{name} has {found} bytes in place of {size}"
    try:
        digests = _digests(folder, [name for name in sorted(expected) if not groups or name.split(".")[0] in groups])
    except OSError as error:
        return f"{error.filename} cannot be read ({error.strerror})"
    for name, (_, digest) in digests.items():
        if digest != expected[name][1]:
            return f"{name} has another SHA-256"
    return ""


def _mark(folder: Path) -> Path:
    return folder.parent / f"{folder.name}{WRITING}"


def _files(folder: Path) -> list[str]:
    names = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return sorted(name for name in names if name not in (NAME, f"{NAME}.part"))


def _digests(folder: Path, names: list[str]) -> dict[str, tuple[int, str]]:
    """Name -> (bytes, SHA-256)."""

    def one(name: str) -> tuple[int, str]:
        with (folder / name).open("rb") as file:
            return os.fstat(file.fileno()).st_size, hashlib.file_digest(file, "sha256").hexdigest()

    with ThreadPoolExecutor(THREADS) as pool:
        return dict(zip(names, pool.map(one, names), strict=True))


def _sync(folder: Path) -> None:
    """Syncs the names in a folder to disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
