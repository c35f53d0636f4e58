"""The files of a folder as people have them: one way in for every reader of folders.

Passed over is what people do not put there themselves: names that begin with a dot (macOS's forks `._a.png`, Jupyter's
checkpoints), and the folders that archives, file servers and recycle bins leave. Links are followed, each folder once.
"""

import os
from collections import Counter
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import NamedTuple

from aigc_jax.errors import UserError

NAMED = 3  # files, folders or kinds of them that a line names
LEFT_BEHIND = frozenset({"__macosx", "@eadir", "$recycle.bin", "system volume information", "lost+found"})


class Listing(NamedTuple):
    """What a folder holds."""

    files: tuple[Path, ...]  # those that were looked for, in the order of their names' bytes
    others: tuple[Path, ...]  # other files beside them; hidden ones are not among them


def listed(folder: Path, suffixes: Collection[str]) -> Listing:
    """The files of a folder and its subfolders whose suffix is one of these, whatever its case. suffixes: ".png", …

    Raises UserError for a folder that is missing or cannot be read.
    """
    if not folder.is_dir():
        raise UserError(f'There is no folder "{printable(folder)}": check the path.')
    files: list[Path] = []
    others: list[Path] = []
    seen: set[tuple[int, int]] = set()

    def refuse(error: OSError) -> None:
        raise UserError(f"{printable(error.filename)} cannot be read ({error.strerror}): change its permissions.")

    for parent, folders, names in os.walk(folder, onerror=refuse, followlinks=True):
        found = os.stat(parent)
        if (found.st_dev, found.st_ino) in seen:  # a link that leads back
            folders.clear()
            continue
        seen.add((found.st_dev, found.st_ino))
        folders[:] = sorted(name for name in folders if not _left_behind(name))
        for name in names:
            path = Path(parent, name)
            if not _left_behind(name) and path.is_file():  # a link that leads nowhere is none
                (files if path.suffix.lower() in suffixes else others).append(path)
    return Listing(tuple(sorted(files, key=os.fsencode)), tuple(sorted(others, key=os.fsencode)))


def printable(path: str | Path) -> str:
    """A file's name for a message, also where it is no UTF-8."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def some(names: Iterable[str | Path], most: int = NAMED) -> str:
    """The first of these names, for a message, and how many more there are."""
    named = [printable(name) for name in names]
    return ", ".join(named[:most]) + (f" and {len(named) - most:,} more" if len(named) > most else "")


def counted(count: int, thing: str) -> str:
    """'1 image', '1,420 images'."""
    return f"{count:,} {thing}{'s' * (count != 1)}"


def passed_over(kinds: Counter[str]) -> str:
    """A line about other files than those that were read. kinds: kind -> how many."""
    named = ", ".join(f"{kind} {count:,}" for kind, count in kinds.most_common(NAMED))
    return f"Other files passed over: {kinds.total():,} ({named}{', …' if len(kinds) > NAMED else ''})."


def _left_behind(name: str) -> bool:
    return name.startswith(".") or name.lower() in LEFT_BEHIND
