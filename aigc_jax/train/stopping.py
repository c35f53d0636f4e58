"""SIGTERM and Ctrl-C end a run after the current step, at the same step in all processes.

Evaluation and sampling, which take long beside a step, are abandoned. A resumed run does them again.
"""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, TimeoutError
from contextlib import contextmanager
from itertools import count
from typing import Any, TypeVar

import jax
import numpy as np
from jax.experimental import multihost_utils

Result = TypeVar("Result")

POLL = 0.1  # seconds between looks at whether to stop, while something else computes
MEET = 2.0  # seconds between the meetings at which several processes agree on what they are asked for
STOP = 1  # the bit of stopping, in what they tell each other there


class StopRequest:
    """Whether SIGTERM or Ctrl-C came. Before `defer` they end the process at once: there is nothing to save yet."""

    def __init__(self) -> None:
        self.code = 128 + signal.SIGTERM  # of the exit; another process may be the one that was asked
        self._event = threading.Event()
        self._deferred = False

    def __call__(self) -> bool:
        return self._event.is_set()

    def defer(self) -> None:
        """From now on a first signal is only noted; a second one ends the process at once."""
        self._deferred = True

    def _handle(self, number: int, _: Any) -> None:
        first, self.code = not self._event.is_set(), 128 + number
        self._event.set()
        if first and self._deferred:
            return
        if number == signal.SIGINT and "IPython" in sys.modules:  # a notebook's kernel outlives what it runs
            raise KeyboardInterrupt
        os.write(2, b"aigc_jax: stopped at once; what was saved before is intact.\n")  # print is not reentrant
        os._exit(self.code)  # threads that compile or compute would keep the interpreter waiting


@contextmanager
def stoppable() -> Iterator[StopRequest]:
    """Handles SIGTERM and Ctrl-C while it lasts."""
    asked = StopRequest()
    if threading.current_thread() is not threading.main_thread():  # only that one may handle signals
        yield asked
        return
    before = {number: signal.signal(number, asked._handle) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class Abandoned(Exception):
    """What was being done is given up, because the run was asked to stop."""


def unless_asked(asked: StopRequest, work: Callable[[Callable[[], None]], Result]) -> Result:
    """The result of work(between), computed in a thread that is left to itself when the run is asked to stop.

    Raises Abandoned then. Several processes have to do the same, and compute it in place: they agree on abandoning it
    where work calls `between`, after parts of it that all of them do.
    """
    if jax.process_count() > 1:
        meetings, calls = Meetings(), count(1)

        def between() -> None:
            if meetings.agreed(next(calls), lambda: STOP * asked()):
                raise Abandoned

        return work(between)
    future = beside(lambda: work(lambda: None))
    while not asked():
        try:
            return future.result(POLL)
        except TimeoutError:
            if future.done():  # work itself timed out
                raise
    raise Abandoned


def beside(work: Callable[[], Result]) -> Future[Result]:
    """What work() comes to, computed in a thread that no exit of the process waits for."""
    future: Future[Result] = Future()

    def settle() -> None:
        try:
            future.set_result(work())
        except BaseException as error:  # raised where the result is asked for
            future.set_exception(error)

    threading.Thread(target=settle, daemon=True, name="beside").start()
    return future


class Meetings:
    """Where several processes tell each other what they are asked for, about every two seconds.

    They have to do it at one step, and so meet at calls of the training program that all of them know beforehand.
    """

    def __init__(self) -> None:
        self._next, self._last, self._since = 1, 0, time.monotonic()

    def agreed(self, call: int, wanted: Callable[[], int]) -> int:
        """What any process wants after this call of the training program, whose number all processes share; as bits."""
        if jax.process_count() == 1:
            return wanted()
        if call < self._next:
            return 0
        now = time.monotonic()
        pace = (now - self._since) / (call - self._last)  # the other processes' may differ: the slowest decides
        heard = multihost_utils.process_allgather(np.array([wanted(), pace], np.float32))
        self._last, self._since = call, now
        self._next = call + max(1, min(int(MEET / max(float(heard[:, 1].max()), 1e-9)), 2 * call))
        return int(np.bitwise_or.reduce(heard[:, 0].astype(int)))
