"""Standard streams whose failures never end a run.

Printing would raise where a reader has left (`main.py … | head -1`), the disk behind `> log` is full, or the console's
encoding lacks a character. With a closed descriptor it would write into a file of the run.
"""

import io
import os
import sys
from contextlib import suppress
from typing import Any

ESCAPED = "backslashreplace"  # how a character is shown that the encoding lacks: \u6a21


def make_lasting() -> None:
    """Replaces the standard streams of this process. Call it before files are opened."""
    for number in range(3):
        _occupy(number)
    for number, name in ((1, "stdout"), (2, "stderr")):
        stream = getattr(sys, name)
        if stream is getattr(sys, f"__{name}__"):  # else a test or a notebook has put its own there
            setattr(sys, name, _lasting(stream, number))
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors=ESCAPED)


class _Lasting(io.FileIO):
    """A file whose writes are dropped where they fail."""

    def write(self, data: Any) -> Any:
        try:
            return super().write(data)
        except OSError:
            return memoryview(data).nbytes


def _occupy(number: int) -> None:
    """Opens a closed descriptor on /dev/null: else the next file opened would get its number, and what is printed."""
    try:
        os.fstat(number)
    except OSError:
        nothing = os.open(os.devnull, os.O_RDWR)
        os.dup2(nothing, number)
        os.set_inheritable(number, True)
        if nothing != number:
            os.close(nothing)


def _lasting(stream: Any, number: int) -> io.TextIOWrapper:
    """stream: of the interpreter, None where the descriptor was closed when it began."""
    file: Any = _Lasting(number, "w", closefd=False)
    if stream is None:
        return io.TextIOWrapper(io.BufferedWriter(file), "utf-8", ESCAPED)
    with suppress(OSError):
        stream.flush()
    if isinstance(stream.buffer, io.BufferedWriter):  # not so with PYTHONUNBUFFERED
        file = io.BufferedWriter(file)
    through, lines = stream.write_through, stream.line_buffering
    return io.TextIOWrapper(file, stream.encoding, ESCAPED, line_buffering=lines, write_through=through)
