"""What a run is asked for while it trains: an evaluation, samples, a checkpoint; and checkpoints by the clock.

    touch runs/cifar/requests/sample            or: aigc_jax ask runs/cifar sample

A request is a file in the run's folder, and so reaches the run from any machine that has that folder. Process 0 looks
for it, all processes agree on the step at which it is met, and `requested.json` keeps that step: a run that is resumed
from before it meets the request there again. SIGUSR1, to any of the processes, asks for samples and a checkpoint.
"""

import json
import os
import signal
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress

import jax

from aigc_jax.data.files import printable
from aigc_jax.errors import UserError, naming
from aigc_jax.train.run import Run
from aigc_jax.train.workdir import DAMAGED, Workdir, write_whole

KINDS = ("evaluate", "sample", "save")
BITS = {kind: 2 << number for number, kind in enumerate(KINDS)}  # in what processes tell each other; 1 is `STOP`
BY_CLOCK = 2 << len(KINDS)
ON_SIGNAL = {"sample", "save"}
LOOK = 1.0  # seconds between looks into the folder


class Requests:
    """Of a run that trains.

    What is asked for is planned for a step that is not taken yet: then it is known what is due when that is over.
    """

    def __init__(self, run: Run, workdir: Workdir):
        self._workdir, self._steps, self._minutes = workdir, run.pace.steps, run.save_minutes
        self._kinds = {kind for kind in KINDS if kind != "sample" or run.programs.method.sample}
        self._say: Callable[[str], None] = print
        self._at = requested(workdir)
        self._by_clock: set[int] = set()  # steps
        self._deaf: set[str] = set()  # names of files that could be neither removed nor moved
        self._signalled = threading.Event()
        self._next_look, self._saved = 0.0, time.monotonic()

    @contextmanager
    def on_signal(self) -> Iterator[None]:
        """Takes SIGUSR1, which ends a process otherwise, while it lasts."""
        if threading.current_thread() is not threading.main_thread():  # only that one may handle signals
            yield
            return
        before = signal.signal(signal.SIGUSR1, lambda number, frame: self._signalled.set())
        try:
            yield
        finally:
            signal.signal(signal.SIGUSR1, before)

    def listen(self, say: Callable[[str], None]) -> None:
        """Makes the folder, and starts the clock of checkpoints. say: takes a line of the journal."""
        self._say, self._saved = say, time.monotonic()
        if jax.process_index() == 0:
            with suppress(OSError):  # `aigc_jax ask` makes it too
                self._workdir.requests.mkdir(exist_ok=True)

    def wanted(self) -> int:
        """What this process is asked for, as bits. Looks into the folder once a second at most."""
        kinds = ON_SIGNAL & self._kinds if self._signalled.is_set() else set[str]()
        now, by_clock = time.monotonic(), 0
        if now >= self._next_look and jax.process_index() == 0:
            self._next_look = now + LOOK
            kinds |= self._files()
            by_clock = BY_CLOCK if self._minutes and now - self._saved >= 60 * self._minutes else 0
        return sum(BITS[kind] for kind in kinds) | by_clock

    def plan(self, step: int, wanted: int) -> None:
        """Has what all processes agreed on done at a step to come. wanted: bits."""
        if wanted & BY_CLOCK:
            self._by_clock.add(step)
        kinds = {kind for kind, bit in BITS.items() if wanted & bit}
        if not kinds:
            return
        if kinds >= ON_SIGNAL & self._kinds:
            self._signalled.clear()
        self._at[step] |= kinds
        if jax.process_index() == 0:
            self._note()

    def at(self, step: int) -> set[str]:
        """The kinds of tasks that are planned for a step."""
        return self._at.get(step, set()) | ({"save"} if step in self._by_clock else set())

    def met(self, step: int, done: Iterable[str]) -> None:
        """To be called when the tasks of a step are done. done: their kinds."""
        if "save" in done:
            self._saved = time.monotonic()
        if jax.process_index():
            return
        asked = self._at.get(step, set())
        if step == self._steps and (late := self._files() - asked):  # it has all tasks
            asked = self._at[step] = asked | late
            self._note()
        for kind in asked:
            self._remove(kind)
        if asked:
            self._say(f"Done as asked at step {step}: {', '.join(kind for kind in KINDS if kind in asked)}.")

    def _note(self) -> None:
        notes = {step: sorted(kinds) for step, kinds in sorted(self._at.items())}
        write_whole(self._workdir.requested, json.dumps(notes) + "\n")

    def _files(self) -> set[str]:
        """The kinds that the folder asks for. What else lies there is said and set aside, but for hidden files."""
        try:
            names = {name for name in os.listdir(self._workdir.requests) if not name.startswith(".")}
        except OSError:  # the folder is away, or a file server is: nothing is asked for
            return set()
        for name in names - self._kinds - self._deaf:
            self._set_aside(name)
        return names & self._kinds - self._deaf

    def _set_aside(self, name: str) -> None:
        known = ", ".join(kind for kind in KINDS if kind in self._kinds)
        place = self._workdir.set_aside / f"{name}_{time.time_ns()}"
        try:
            place.parent.mkdir(exist_ok=True)
            (self._workdir.requests / name).rename(place)
            went = f"it was moved to {printable(place)}"
        except OSError as error:
            self._deaf.add(name)
            went = f"it stays there ({error.strerror})"
        self._say(f'Nobody knows the request "{printable(name)}", and {went}. Known: {known}.')

    def _remove(self, name: str) -> None:
        try:
            (self._workdir.requests / name).unlink(missing_ok=True)
        except OSError as error:  # it would be met again and again
            self._deaf.add(name)
            self._say(f"{self._workdir.requests / name} cannot be removed ({error.strerror}): such requests are ended.")


def ask(workdir: Workdir, kind: str) -> None:
    """Asks the run in this folder. kind: one of KINDS."""
    path = workdir.requests / kind
    with naming(path):
        path.parent.mkdir(exist_ok=True)
        path.touch()


def requested(workdir: Workdir) -> dict[int, set[str]]:
    """Step -> the kinds that were asked for there, by all processes of a run so far. Raises UserError."""
    found: dict[int, set[str]] = defaultdict(set)
    try:
        for step, kinds in json.loads(workdir.requested.read_text("utf-8")).items():
            found[int(step)] |= {kind for kind in KINDS if kind in kinds}
    except FileNotFoundError:
        pass
    except DAMAGED as error:
        raise UserError(
            f"{workdir.requested} cannot be read ({error!r}), and says what this run was asked for: put a copy there, "
            "or remove it to do without."
        ) from error
    return found
