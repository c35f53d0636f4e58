"""Interruptions and damage. Each drill takes a field, a count and a random generator, and gives a `Result`."""

import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from aigc_jax.errors import UserError
from aigc_jax.train import clock
from aigc_jax.train.recovery import recover, saved
from tests.soak.runs import (
    EVERY,
    FAMILIES,
    ROOT,
    Process,
    contents,
    difference,
    notes,
    saving,
    watch,
    whole,
    whole_pair,
)

SOON = 10.0  # seconds from SIGTERM to the end
LONGER = {"train.steps": 200, "checkpoint.every": 20, "train.log_every": 20, "evaluate.every": 0, "sample.every": 0}


class Result(NamedTuple):
    """passed of count; remarks: what else was counted; faults: what went wrong, a line each."""

    passed: int
    count: int
    remarks: str
    faults: list[str]


class Tally:
    """Counts what went right, and keeps what went wrong."""

    def __init__(self) -> None:
        self.passed, self.count, self.faults = 0, 0, list[str]()

    def add(self, fault: str, times: int = 1) -> None:
        """fault: '' = none; times: how many of the drill's count this one stands for."""
        self.count += times
        self.passed += 0 if fault else times
        self.faults += [fault] if fault else []

    def result(self, remarks: str = "") -> Result:
        return Result(self.passed, self.count, remarks, self.faults)


class Field:
    """Where drills take place: small data, and one unbroken run of each family to compare with."""

    def __init__(self, folder: Path, data: Path):
        self.folder, self.data = folder, data
        self._expected: dict[Path, tuple] = {}

    def unbroken(self, name: str) -> Path:
        """The folder of a run that nothing befell."""
        return self._unbroken(self.folder / f"unbroken_{name}", name, whole)

    def unbroken_pair(self, name: str) -> Path:
        """The same of two processes, which train longer: they begin and end together."""
        return self._unbroken(self.folder / f"unbroken_pair_{name}", name, whole_pair, **LONGER)

    def _unbroken(self, folder: Path, name: str, run: Callable[..., str], **settings: Any) -> Path:
        if folder not in self._expected:
            if fault := run(name, folder, self.data, **settings):
                raise RuntimeError(fault)
            self._expected[folder] = contents(folder)
        return folder

    def expected(self, name: str) -> tuple[Any, ...]:
        """The contents of `unbroken`."""
        return self._expected[self.unbroken(name)]

    def copy(self, name: str, folder: Path) -> None:
        """An unbroken run, to be damaged."""
        there = self.unbroken(name)
        shutil.copytree(there, folder)
        shutil.copy(notes(there), notes(folder))

    def fault(self, name: str, folder: Path, like: Path | None = None) -> str:
        """'' where the run in this folder left what the unbroken one did. like: that of `unbroken_pair`."""
        like = like or self.unbroken(name)
        try:
            found = difference(self._expected[like], contents(folder))
        except ValueError as error:
            return f"{name}: {error}"
        return f"{name}: {found} differs from the unbroken run" if found else ""


Drill = Callable[[Field, int, np.random.RandomState], Result]


def kills(field: Field, count: int, random: np.random.RandomState) -> Result:
    """SIGKILL at random moments, every third while a checkpoint is written; then the run goes on to its end."""
    tally, inside, chain = Tally(), 0, 0
    while tally.count < count:
        name = FAMILIES[chain % len(FAMILIES)]
        folder, killed = field.folder / f"kill_{chain}", 0
        settings = {"checkpoint.every": (EVERY, 5 * EVERY)[(chain + chain // len(FAMILIES)) % 2]}
        chain += 1
        while tally.count + killed < count and killed < 10:
            process = Process(name, folder, field.data, **settings)
            process.after_first_step()
            if (tally.count + killed) % 3 == 0:
                while not saving(folder) and not process.ended:
                    time.sleep(0.001)
                watch(process, random.uniform(0, 0.08))
            else:
                watch(process, random.uniform(0, 1.5))
            if process.ended:
                break
            inside += saving(folder)
            process.send(signal.SIGKILL)
            process.wait()
            killed += 1
        fault = whole(name, folder, field.data, **settings) or field.fault(name, folder)
        tally.add(fault, killed)
    return tally.result(f"{inside} inside a save, {chain} runs; no example lost or seen twice")


def terminations(field: Field, count: int, random: np.random.RandomState) -> Result:
    """SIGTERM at random moments from the first second on; saved and ended soon, with code 143; then on to the end."""
    tally, slowest, phases = Tally(), 0.0, {"before the first step": 0, "after": 0}
    for number in range(count):
        name, folder = FAMILIES[number % len(FAMILIES)], field.folder / f"term_{number}"
        process = Process(name, folder, field.data)
        if number % 4 == 0:  # starting and compiling
            watch(process, random.uniform(1, 5))
        else:
            process.after_first_step()
            watch(process, random.uniform(0, 2.5))
        phases[
            "after" if any(line.startswith("First step") for line in process.lines) else "before the first step"
        ] += 1
        process.send(signal.SIGTERM)
        asked = time.monotonic()
        code, took = process.wait(), time.monotonic() - asked
        slowest = max(slowest, took)
        over = "Done" in process.text()  # before the signal came; -15 is before Python handles signals
        fault = (
            ""
            if code in (143, -signal.SIGTERM) or (code == 0 and over)
            else f"{name} ended with {code}: {process.text()[-300:]}"
        )
        if took > SOON:
            fault = f"{name} took {took:.1f} s to end"
        fault = fault or whole(name, folder, field.data) or field.fault(name, folder)
        tally.add(fault)
    remarks = f"slowest end {slowest:.1f} s; " + ", ".join(f"{n} {phase}" for phase, n in phases.items())
    return tally.result(remarks)


def flip(path: Path, random: np.random.RandomState) -> None:
    """One bit."""
    data = bytearray(path.read_bytes())
    data[random.randint(len(data))] ^= 1 << random.randint(8)
    path.write_bytes(data)


def truncate(path: Path, random: np.random.RandomState) -> None:
    """To a random length."""
    path.write_bytes(path.read_bytes()[: random.randint(path.stat().st_size)])


def remove(path: Path, _: np.random.RandomState) -> None:
    """The whole file."""
    path.unlink()


DAMAGES: tuple[Callable[[Path, np.random.RandomState], None], ...] = (flip, truncate, remove)


def files(step: Path) -> list[Path]:
    """Those of a checkpoint that hold anything, its manifest among them."""
    return sorted(path for path in step.rglob("*") if path.is_file() and path.stat().st_size)


def damages(field: Field, count: int, random: np.random.RandomState) -> Result:
    """A random file of the newest checkpoint flipped, cut or removed: named, and the one before is gone on from.

    Every tenth is trained on to the end, and compared with the unbroken run.
    """
    tally = Tally()
    for number in range(count):
        name, damage = FAMILIES[number % len(FAMILIES)], DAMAGES[number % len(DAMAGES)]
        folder = field.folder / f"damage_{number}"
        field.copy(name, folder)
        newest, before = saved(folder / "checkpoints")[-1:-3:-1]
        there = files(folder / "checkpoints" / str(newest))
        path = there[random.randint(len(there))]
        damage(path, random)
        named = path.relative_to(folder / "checkpoints" / str(newest)).as_posix()
        if number % 10 == 0:
            fault = whole(name, folder, field.data) or field.fault(name, folder)
        else:
            step, lines = recover(folder / "checkpoints")
            said = " ".join(lines)
            right = step == before and named in said and f"step {newest}" in said
            fault = "" if right else f"{name}: {damage.__name__} of {named}: step {step}, {said!r}"
        tally.add(fault)
        shutil.rmtree(folder)
    return tally.result(f"{len(DAMAGES)} kinds, any file")


def none_intact(field: Field, count: int, random: np.random.RandomState) -> Result:
    """Every checkpoint damaged: the run ends with code 1 and starts nothing anew."""
    tally = Tally()
    for number in range(count):
        name, folder = FAMILIES[number % len(FAMILIES)], field.folder / f"none_{number}"
        field.copy(name, folder)
        for step in saved(folder / "checkpoints"):
            there = files(folder / "checkpoints" / str(step))
            DAMAGES[random.randint(len(DAMAGES))](there[random.randint(len(there))], random)
        if number < 2:
            process = Process(name, folder, field.data)
            code = process.wait()
            fault = "" if code == 1 and "is intact" in process.text() else f"{name} ended with {code}: {process.text()}"
        else:
            try:
                fault = f"{name}: went on from {recover(folder / 'checkpoints')}"
            except UserError as error:
                fault = "" if "is intact" in str(error) else str(error)
        tally.add(fault)
        shutil.rmtree(folder)
    return tally.result()


def _unclear(name: str, process: Process, place: Path) -> str:
    """'' where a run ends with code 1 and one line that names the place, and claims nothing; else what it did."""
    code, text = process.wait(), process.text()
    said = [line for line in process.lines if line.startswith("aigc_jax: ")]
    if code != 1 or len(said) != 1 or str(place) not in said[0] or "Traceback" in text or "Done" in text:
        return f"{name} ended with {code}: {text[-500:]}"
    return ""


def full_disks(field: Field, count: int, random: np.random.RandomState) -> Result:
    """The disk fills at a random moment: one line with the path and bytes, code 1, and it goes on when there is room.

    Needs the right to mount a file system in memory; without it nothing is counted.
    """
    tally = Tally()
    disk = field.folder / "disk"
    disk.mkdir(exist_ok=True)
    for number in range(count):
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", disk], capture_output=True, check=False
        )
        if mounted.returncode:
            return Result(0, 0, "not run: a file system in memory cannot be mounted here", [])
        try:
            name, folder = FAMILIES[number % len(FAMILIES)], disk / "run"
            process = Process(name, folder, field.data)
            process.after_first_step()
            watch(process, random.uniform(0, 1.0))
            _fill(disk / "ballast")
            fault = _unclear(name, process, disk)
            (disk / "ballast").unlink()
            fault = fault or whole(name, folder, field.data) or field.fault(name, folder)
            tally.add(fault)
        finally:
            subprocess.run(["umount", disk], check=False)
    return tally.result()


def lost_folders(field: Field, count: int, random: np.random.RandomState) -> Result:
    """The work directory goes away or can no longer be written at a random moment: one line that names it, and code 1.

    Once it is back, the run goes on. Only root can forbid itself to write.
    """
    tally, away = Tally(), field.folder / "away"
    for number in range(count):
        name, folder = FAMILIES[number % len(FAMILIES)], field.folder / f"lost_{number}"
        process = Process(name, folder, field.data)
        process.after_first_step()
        watch(process, random.uniform(0, 1.0))
        vanishes = number // len(FAMILIES) % 2 == 0 or not _immutable(folder, True)
        if vanishes:
            folder.rename(away)
        fault = _unclear(name, process, folder)
        if vanishes:
            shutil.rmtree(folder, ignore_errors=True)
            away.rename(folder)
        else:
            _immutable(folder, False)
        fault = fault or whole(name, folder, field.data) or field.fault(name, folder)
        tally.add(fault)
    return tally.result()


def _immutable(folder: Path, yes: bool) -> bool:
    """Whether it could be made so."""
    paths = [folder, folder / "checkpoints", folder / "samples"]
    return not subprocess.run(["chattr", "+i" if yes else "-i", *paths], capture_output=True, check=False).returncode


def _fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        for size in (1 << 16, 1 << 12, 1):
            try:
                while True:
                    file.write(b"\0" * size)
            except OSError:
                continue


def goodput(field: Field, count: int, random: np.random.RandomState) -> Result:
    """Where the time of a full-size run goes, killed often: all of it accounted for within 1 %, 90 % in steps."""
    # A start and what a kill undoes cost about a quarter of a minute, and a save a third of a second: with a kill every
    # ten minutes or so, saving at every 400 steps loses least (Young 1974).
    name, folder, wall = "ddpm_digits", field.folder / "goodput", 0.0
    settings = {"train.steps": 15_000 * count, "train.log_every": 100, "checkpoint.every": 400}
    settings |= {"sample.every": 0, "evaluate.every": 0}
    for number in range(count + 1):
        began = time.time()
        process = Process(name, folder, field.data, size="full", noted=False, **settings)
        if number < count:
            process.after_first_step()
            watch(process, random.uniform(480, 720))
            process.send(signal.SIGKILL)
        process.wait(3600)
        wall += time.time() - began
    seconds, starts, _ = clock.spent(folder / "time.jsonl")
    accounted, good = sum(seconds.values()) / wall, seconds[clock.PRODUCTIVE] / wall
    table = "; ".join(f"{kind} {value:.1f} s" for kind, value in seconds.items() if value)
    passed = starts == count + 1 and abs(accounted - 1) < 0.01 and good >= 0.9
    remarks = f"{count} kills; {accounted:.1%} of {wall:.0f} s accounted for, {good:.1%} in steps: {table}"
    return Result(int(passed), 1, remarks, [])


def hostile(field: Field, count: int, random: np.random.RandomState) -> Result:
    """Hostile files (data, checkpoints, work directories) and the static gate over the package: refused in one line."""
    suites = ["tests/data/test_hostile.py", "tests/test_supply.py"]
    found = subprocess.run(
        [sys.executable, "-m", "pytest", "-v", *suites], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout
    passed, failed = (sum(map(int, re.findall(rf"(\d+) {kind}", found))) for kind in ("passed", "(?:failed|error)"))
    return Result(passed, passed + failed, "", [found[-2000:]] if failed or not passed else [])


DRILLS: dict[str, tuple[Drill, int]] = {
    "kills": (kills, 50),
    "terminations": (terminations, 20),
    "damages": (damages, 60),
    "none_intact": (none_intact, 10),
    "full_disks": (full_disks, 10),
    "lost_folders": (lost_folders, 10),
    "hostile": (hostile, 1),
    "goodput": (goodput, 5),
}
