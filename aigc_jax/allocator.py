"""tcmalloc for this process, where it is installed (Debian, Ubuntu: libtcmalloc-minimal4).

XLA gives the memory of a step back after it, and takes it anew for the next. glibc hands arrays of that size back to
the system, which clears every page of them again: up to a third of a step on a CPU. tcmalloc keeps them.
"""

import ctypes
import os
import sys
from contextlib import suppress

LIBRARIES = ("libtcmalloc_minimal.so.4", "libtcmalloc.so.4")
PRELOAD = "LD_PRELOAD"  # environment: set, though it were empty, it stays as it is
QUIET = {"TCMALLOC_LARGE_ALLOC_REPORT_THRESHOLD": "0"}  # older ones print a stack at arrays of a gigabyte


def prefer_tcmalloc() -> None:
    """Begins this process again with tcmalloc; does nothing where that is not installed.

    An allocator has to be there before the first allocation. Call it first: what was imported is imported again.
    """
    if PRELOAD in os.environ or not sys.platform.startswith("linux"):
        return
    library = installed()
    if library is None or not sys.executable:
        return
    with suppress(OSError):  # an interpreter that may not be begun again goes on as it is
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], {**QUIET, **os.environ, PRELOAD: library})


def installed() -> str | None:
    """The name under which the dynamic linker finds tcmalloc."""
    return next(filter(_loads, LIBRARIES), None)


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True
