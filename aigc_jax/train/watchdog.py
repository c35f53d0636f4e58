"""Ends a process whose peers hang: it would wait for them in a collective operation for ever.

JAX's coordinator notices a process that died. This file notices one that hangs: processes that train together meet
about every two seconds (`stopping.Meetings`).
"""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import jax

PATIENCE = 100.0  # seconds without a step before a process ends
LONG = 3600.0  # the same beside steps: evaluating, sampling and saving, with programs that compile


class Watchdog:
    """Watches from the first `beat` on, where there are several processes."""

    def __init__(self) -> None:
        self._due: float | None = None  # in seconds of `time.monotonic`; None before the first step
        self._over = threading.Event()

    def beat(self) -> None:
        """A step is under way."""
        if jax.process_count() == 1:
            return
        if self._due is None:
            threading.Thread(target=self._watch, daemon=True, name="watchdog").start()
        self._due = time.monotonic() + PATIENCE

    @contextmanager
    def patient(self) -> Iterator[None]:
        """Waits longer for what may take long."""
        if self._due is not None:
            self._due = time.monotonic() + LONG
        yield
        self.beat()

    def close(self) -> None:
        self._over.set()

    def _watch(self) -> None:
        while not self._over.wait(1.0):
            if self._due is not None and time.monotonic() > self._due:
                os.write(
                    2, b"aigc_jax: another process hangs, since no step comes to its end: the same command resumes.\n"
                )
                os._exit(1)
