"""Stopping as asked: SIGTERM and Ctrl-C end a run after the step at hand, at one step in all processes."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils


@contextmanager
def stoppable() -> Iterator[threading.Event]:
    """An event that SIGTERM and Ctrl-C set, each once: the second time it ends the process."""
    asked = threading.Event()

    def ask(number: int, _: Any) -> None:
        asked.set()
        signal.signal(number, signal.SIG_DFL)

    if threading.current_thread() is not threading.main_thread():  # only that one may handle signals
        yield asked
        return
    before = {number: signal.signal(number, ask) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def agreed(asked: threading.Event, meeting: bool) -> bool:
    """Whether to stop now. Several processes have to stop at one step: they ask each other at meetings."""
    if jax.process_count() == 1:
        return asked.is_set()
    return meeting and bool(np.any(multihost_utils.process_allgather(np.bool_(asked.is_set()))))
