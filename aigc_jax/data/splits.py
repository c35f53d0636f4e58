"""The splits: those that people's folders and files are named for, and those that a hash decides."""

import hashlib
import re

TEST, VALIDATION = 0.10, 0.05  # shares of what is split by its hash
SPLITS = {
    "train": "train|training",
    "validation": "validation|valid|val|development|dev|evaluation|eval",
    "test": "test|testing",
}
SPLIT = re.compile(
    "|".join(f"(?P<{split}>{names})" for split, names in SPLITS.items()).join(["(?:", ")"])
    + r"(?:[ _-]?(?:set|data|split|images|texts|\d{4}))?"
)


def split_of(name: str) -> str:
    """The split that a folder's name means: "train", "validation", "test", or "" for none."""
    found = SPLIT.fullmatch(name.lower())
    return found.lastgroup or "" if found else ""


def split_by_hash(key: str) -> str:
    """The split of an example by its key alone: it stays there whatever else there is. About 85 / 5 / 10."""
    part = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big") / 2**64
    return "test" if part < TEST else "validation" if part < TEST + VALIDATION else "train"
