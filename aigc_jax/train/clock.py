"""How a run spends its time, from the start of its process, over all its interruptions."""

import json
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

PRODUCTIVE = "steps"
KINDS = {  # in the order in which they are shown
    "start": "imports, building, and what has no other name",
    "compile": "the first call of the training program",
    PRODUCTIVE: "training steps",
    "recomputed": "steps that an earlier process took already, and lost",
    "input": "waiting for batches",
    "log": "logging, which waits for the device",
    "evaluate": "measuring",
    "sample": "sampling",
    "save": "saving, as far as training waits for it",
    "restore": "verifying and reading a checkpoint",
}
OFTEN = 0.5  # seconds between records: the most that a killed process loses


class Clock:
    """Adds up seconds by kind. At any moment exactly one kind is charged, so that they add up to the wall time.

    While it is entered, the seconds so far are on disk, in one line of `path` for this process.
    """

    def __init__(self, began: float, path: Path | None):
        """began: when the process started, in seconds of `time.time`; path: of the run's records, None = keep none."""
        self.step = 0  # the last one taken, which the loop sets
        self.seconds = dict.fromkeys(KINDS, 0.0)
        self._began, self._path = began, path
        self._start = time.monotonic() - max(time.time() - began, 0.0)  # the time of day may be set back
        self._kind, self._since = "start", self._start
        self._lock = threading.RLock()
        self._over = threading.Event()
        self._recorder = threading.Thread(target=self._keep_recording, daemon=True, name="clock")
        self._file, self._at = -1, 0

    def __enter__(self) -> "Clock":
        if self._path is not None:
            with suppress(OSError):  # a full disk is reported where it matters
                self._file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
                self._at = _after_last_line(self._file)
                self._recorder.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        if self._file >= 0:
            self._recorder.join()
            self.record()
            os.close(self._file)

    def charge(self, kind: str) -> str:
        """From now on time is of this kind. Returns the kind before."""
        with self._lock:
            now, before = time.monotonic(), self._kind
            self.seconds[before] += now - self._since
            self._kind, self._since = kind, now
            return before

    @contextmanager
    def during(self, kind: str) -> Iterator[None]:
        """Charges what runs inside to `kind`."""
        before = self.charge(kind)
        try:
            yield
        finally:
            self.charge(before)

    def within(self, kind: str, work: Callable[[], None]) -> Callable[[], None]:
        """work, charged to `kind` when it is called."""

        def charged() -> None:
            with self.during(kind):
                work()

        return charged

    def wall(self) -> float:
        """Seconds since the process started."""
        return time.monotonic() - self._start

    def record(self) -> None:
        """Writes the seconds so far over those written before."""
        if self._file < 0:
            return
        with self._lock, suppress(OSError):
            self.charge(self._kind)
            # Fixed decimals and width: a line is never shorter than the one that it overwrites.
            seconds = ", ".join(f'"{kind}": {value:.3f}' for kind, value in self.seconds.items())
            line = f'{{"began": {self._began:.6f}, {seconds}, "step": {self.step:>12}}}\n'
            os.pwrite(self._file, line.encode(), self._at)

    def _keep_recording(self) -> None:
        while not self._over.wait(OFTEN):
            self.record()


def _after_last_line(file: int) -> int:
    """Where a new line begins, after ending a truncated last line."""
    size = os.fstat(file).st_size
    if size and os.pread(file, 1, size - 1) != b"\n":
        size += os.pwrite(file, b"\n", size)
    return size


class Spent(NamedTuple):
    """The records of a run's processes, added up."""

    seconds: Mapping[str, float]  # by kind, added up
    starts: int  # processes
    reached: int  # the furthest step that any of them took; 0 = none


def spent(path: Path) -> Spent:
    """Of all processes of a run. Lines that a crash truncated are skipped."""
    seconds, starts, reached = dict.fromkeys(KINDS, 0.0), 0, 0
    for line in path.read_text("utf-8", "replace").splitlines() if path.exists() else []:
        try:
            record: Any = json.loads(line)
            found, step = {kind: float(record[kind]) for kind in KINDS}, int(record["step"])
        except (ValueError, RecursionError, TypeError, KeyError, OverflowError):
            continue
        seconds = {kind: seconds[kind] + found[kind] for kind in KINDS}
        starts, reached = starts + 1, max(reached, step)
    return Spent(seconds, starts, reached)


def table(seconds: Mapping[str, float]) -> list[str]:
    """A line for each kind that took any time: seconds and share."""
    whole = sum(seconds.values()) or 1.0
    return [
        f"{kind:<11} {value:>10.1f} s  {value / whole:>6.1%}  {KINDS[kind]}"
        for kind, value in seconds.items()
        if value > 0
    ]
