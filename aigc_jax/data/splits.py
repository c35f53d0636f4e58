"""The splits that people's folders and files are named for."""

import re

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
