"""`aigc_jax COMMAND`, as installed, and `python -m aigc_jax COMMAND`."""

import gc
import sys
import time

from aigc_jax import allocator, consoles


def process() -> None:
    """The whole process of a command line, from its first moment to its exit code."""
    allocator.prefer_tcmalloc()
    consoles.make_lasting()
    began = time.time()
    gc.set_threshold(50_000)  # a trace is many objects, and all stay: looking through them takes a seventh of tracing
    from aigc_jax import command, console  # the clock starts before the imports that take seconds

    command.leave(command.guarded(lambda argv: console.main(argv, began), sys.argv))


if __name__ == "__main__":
    process()
