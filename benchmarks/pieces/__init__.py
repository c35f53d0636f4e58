"""One piece of work a file, found by its name.

A piece has a docstring, and

    CEILING    the piece whose best rate bounds this one ("matmul", "convolution", "bandwidth"), or ""
    UNIT       what a run makes: "images", "tokens", …
    SIZES      name -> settings; the first is the usual one
    SIDES      name -> Side: the environment that it runs in, and settings -> Work

Both environments import it, so its own imports are numpy and the standard library; a side imports the rest.
"""

import importlib
import pkgutil
from types import ModuleType


def names() -> list[str]:
    """Of all pieces, sorted."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def find(name: str) -> ModuleType:
    """The piece of that name."""
    return importlib.import_module(f"{__name__}.{name}")
