"""`aigc_jax COMMAND`, as installed, and `python -m aigc_jax COMMAND`."""

import gc
import sys
import time
from collections.abc import Callable

from aigc_jax import consoles

BEGAN = time.time()  # before the imports that take seconds


def main(argv: list[str]) -> None:
    """Does what the command line asks for. Raises UserError."""
    from aigc_jax import console

    console.main(argv, BEGAN)


def process(main: Callable[[list[str]], None] = main) -> None:
    """The whole process of a command line, up to its exit code."""
    consoles.make_lasting()
    gc.set_threshold(50_000)  # tracing makes many objects, and all stay: looking through them takes a seventh of it
    from aigc_jax import command

    command.leave(command.guarded(main, sys.argv))


if __name__ == "__main__":
    process()
