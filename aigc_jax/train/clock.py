"""Where the time of a run goes, from the start of its process on; kept over interruptions."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

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


class Clock:
    """Adds up seconds by kind. At any moment exactly one kind is charged, so that they add up to the wall time."""

    def __init__(self, began: float, path: Path | None):
        """began: when the process started, in seconds of `time.time`; path: of the run's records, None = keep none."""
        self._began, self._path = began, path
        self._kind, self._since = "start", began
        self.seconds = dict.fromkeys(KINDS, 0.0)

    def charge(self, kind: str) -> str:
        """From now on time is of this kind. Returns the kind before."""
        now, before = time.time(), self._kind
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
        return time.time() - self._began

    def record(self) -> None:
        """Writes the seconds so far: a process that is killed leaves them behind."""
        self.charge(self._kind)
        if self._path is None:
            return
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"began": self._began, **{k: round(v, 3) for k, v in self.seconds.items()}}) + "\n")


def total(path: Path) -> tuple[dict[str, float], int]:
    """(seconds by kind over all processes of a run, how many processes these were), from their last records."""
    last: dict[float, Mapping[str, float]] = {}
    for line in path.read_text("utf-8", "replace").splitlines() if path.exists() else []:
        try:
            record = json.loads(line)
            last[record["began"]] = {kind: float(record[kind]) for kind in KINDS}
        except (ValueError, RecursionError, TypeError, KeyError):  # cut short by a crash
            continue
    return {kind: sum(record[kind] for record in last.values()) for kind in KINDS}, len(last)


def table(seconds: Mapping[str, float]) -> list[str]:
    """A line for each kind that took any time: seconds and share."""
    whole = sum(seconds.values()) or 1.0
    return [
        f"{kind:<11} {value:>10.1f} s  {value / whole:>6.1%}  {KINDS[kind]}"
        for kind, value in seconds.items()
        if value > 0
    ]
