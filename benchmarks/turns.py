"""Sides that take turns: A B A B …, so that all of them meet what else the machine does. The one that waits is idle."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from tqdm import tqdm

ROOT = Path(__file__).parent.parent
PAUSE = 0.3  # seconds after a turn, in which the threads of the side that had it go to sleep
LAST_LINES = 3  # of what a side that failed had to say


def tcmalloc() -> str:
    """The library that `launch/tcmalloc.sh` preloads; "" = none is installed."""
    env = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}
    command = [ROOT / "launch/tcmalloc.sh", "printenv", "LD_PRELOAD"]
    return subprocess.run(command, env=env, stdout=subprocess.PIPE, text=True).stdout.strip()


class Worker:
    """A side's process, which makes itself ready. preload: the library of its allocator; "" = the system's, though
    another is installed."""

    def __init__(
        self,
        python: Path,
        piece: str,
        side: str,
        settings: Mapping[str, Any],
        checkout: Path,
        log: Path,
        preload: str = "",
    ):
        self.side, self.facts, self.failed = side, {}, ""
        self._log = log
        environment = {
            **os.environ,
            "TCMALLOC_LARGE_ALLOC_REPORT_THRESHOLD": "0",  # older ones print a line for arrays of a gigabyte
            "LD_PRELOAD": preload,
            "XLA_PYTHON_CLIENT_PREALLOCATE": "false",  # two share a GPU: neither may take its memory in advance
            "TOKENIZERS_PARALLELISM": "false",
        }
        self._process = subprocess.Popen(
            [str(python), "-m", "benchmarks.worker", piece, side, json.dumps(dict(settings)), str(checkout)],
            cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log.open("w"), text=True,
        )  # fmt: skip

    def ready(self) -> "Worker":
        """Waits until the work is ready: then there are facts, or why there are none."""
        self.facts = self._answer()
        return self

    def take_turn(self, seconds: float) -> dict[str, Any]:
        """{"runs", "seconds", "peak_bytes"}; {} where the side has failed."""
        if self.failed:
            return {}
        with suppress(BrokenPipeError):  # it was killed while it waited: there is no answer, and that says why
            print(seconds, file=self._process.stdin, flush=True)
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        line = self._process.stdout.readline()
        if line:
            return json.loads(line)
        self._process.wait()
        said = self._log.read_text("utf-8", "replace").strip().splitlines()[-LAST_LINES:]
        self.failed = " / ".join([*(part.strip() for part in said), f"ended with code {self._process.returncode}"])
        return {}

    def kill(self) -> None:
        """Ends the process at once; what waits for it learns that it has failed."""
        self._process.kill()

    def close(self) -> None:
        """Ends the process."""
        if self._process.poll() is None:
            self._process.stdin.close()
            self._process.wait()


def rounds(workers: list[Worker], count: int, seconds: float) -> dict[str, list[dict[str, Any]]]:
    """Each side's turns, `count` of at least `seconds` each."""
    turns: dict[str, list[dict[str, Any]]] = {worker.side: [] for worker in workers}
    for _ in tqdm(range(count), unit="round"):
        for worker in workers:
            time.sleep(PAUSE)
            if taken := worker.take_turn(seconds):
                turns[worker.side].append(taken)
    return turns


def refuse_other_devices(workers: list[Worker]) -> None:
    """A side that ran on the processor where the first ran on an accelerator, or the other way round, has failed."""
    found = [worker for worker in workers if not worker.failed]
    for worker in found:
        first, own = found[0].facts["device"], worker.facts["device"]
        if (own == "cpu") != (first == "cpu"):
            worker.failed = f"ran on {own}, and {found[0].side} on {first}"


class Taken(NamedTuple):
    """What came of one process a side, by side."""

    facts: dict[str, dict[str, Any]]
    turns: dict[str, list[dict[str, Any]]]
    failed: dict[str, str]  # the last words of those that did


def interpreters(
    piece: ModuleType, wanted: list[str], given: list[str], before: Path | None = None
) -> tuple[dict[str, tuple[Path, Path]], dict[str, str]]:
    """(side -> its interpreter and checkout, side -> why it has none). given: ENVIRONMENT=PYTHON."""
    pythons = {"aigc_jax": sys.executable, **dict(each.split("=", 1) for each in given)}
    places, absent = {}, {}
    for side in [*(["before"] if before else []), *wanted]:
        environment = piece.SIDES["ours" if side == "before" else side].environment
        python = Path(pythons.get(environment, ROOT / f".venv-{environment}/bin/python"))
        if python.exists():
            places[side] = python, before.resolve() if side == "before" else ROOT
        else:
            absent[side] = f"no environment: make peers ENVIRONMENT={environment}"
    return places, absent


def start(
    places: Mapping[str, tuple[Path, Path]], piece: str, settings: Mapping[str, Any], preload: str, logs: Path
) -> Iterator[Worker]:
    """A process for each side. places: side -> (interpreter, checkout). logs: a folder of this piece's own."""
    for side, (python, checkout) in places.items():
        yield Worker(python, piece, side, settings, checkout, logs / side, preload)


def measured(workers: list[Worker], count: int, seconds: float) -> Taken:
    """What comes of sides that are ready, `count` turns each of at least `seconds`; then they end."""
    refuse_other_devices(workers)
    turns = rounds([worker for worker in workers if not worker.failed], count, seconds)
    for worker in workers:
        worker.close()
    failed = {worker.side: worker.failed for worker in workers if worker.failed}
    return Taken({worker.side: worker.facts for worker in workers if worker.facts}, turns, failed)


def in_turn(
    places: Mapping[str, tuple[Path, Path]],
    piece: str,
    settings: Mapping[str, Any],
    preload: str,
    count: int,
    seconds: float,
) -> Taken:
    """Makes the sides ready one after the other, and lets them take turns. places: as `start` takes them."""
    workers = []
    with tempfile.TemporaryDirectory() as logs:
        for worker in start(places, piece, settings, preload, Path(logs)):
            print(f"{piece}: preparing {worker.side} …", file=sys.stderr, flush=True)
            workers.append(worker.ready())
        return measured(workers, count, seconds)
