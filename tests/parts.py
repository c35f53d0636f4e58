"""The longer parts of the suite, and which of them a run of CI has time for.

    python tests/parts.py --passed=900 --tested=600

`make test` leaves them out, and `make test-all` runs every one. CI has MINUTES in all. It takes first the parts whose
files the last COMMITS commits changed, then the others. Where this order begins goes by the minute of the commit's
date, so that each part is first now and then. The first part runs always; each other one, if it fits into the time that
is left. In a clone without history every file counts as changed, and the date alone decides.
"""

import argparse
import subprocess
import sys
from collections.abc import Iterable, Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
COMMITS = 20  # that count as the last
MINUTES = 28  # of a run of CI
TESTED = 580  # seconds that `make test` takes on two free cores, by its processor time


class Part(NamedTuple):
    """Tests with the mark `long(part=<its name>)`, which those of a folder of `tests` have without writing it.

    minutes: on two free cores, with all that is installed and compiled. covers: patterns of files; * crosses folders.
    """

    minutes: float
    covers: tuple[str, ...]
    folder: str = ""


PARITY = "parity"  # runs in an environment of its own: `make parity`
TRAINING = ("aigc_jax/train/*", "aigc_jax/build.py", "aigc_jax/command.py", "aigc_jax/modes.py", "main.py")
FAMILIES = ("configs/*", "aigc_jax/methods/*", "aigc_jax/nn/*")
WRITTEN = ("*.md", "aigc_jax/commands/*", "configs/*", "tests/as_written.py", "tests/test_as_written.py")
PARTS = {
    "soak": Part(1.5, (*TRAINING, "tests/soak/*", "tests/test_soak.py")),
    "processes": Part(1.0, (*TRAINING, "tests/train/test_distributed.py")),
    "stopping": Part(0.5, (*TRAINING, "tests/train/test_stopping.py")),
    "documents": Part(4.0, WRITTEN),
    "pages": Part(4.0, WRITTEN),
    "statistics": Part(0.8, ("aigc_jax/metrics/*", "aigc_jax/evaluate/*", "tests/metrics/*", "tests/evaluate/*")),
    "benchmarks": Part(0.5, ("benchmarks/*", "aigc_jax/nn/*", "aigc_jax/ops/*", "tests/benchmarks/*")),
    "notebook": Part(0.5, ("colab/*", "aigc_jax/library.py", "tests/test_notebook.py")),
    "signatures": Part(2.8, (*FAMILIES, "tests/test_contract.py")),
    "twins": Part(1.5, (*FAMILIES, "tests/test_contract.py")),
    "printed": Part(1.7, (*FAMILIES, "docs/*.md", "tests/test_contract.py", "tests/*print*.py")),
    "methods": Part(2.2, ("aigc_jax/methods/*", "aigc_jax/ops/*", "aigc_jax/learner.py", "tests/methods/*"), "methods"),
    "networks": Part(2.7, ("aigc_jax/nn/*", "aigc_jax/ops/*", "tests/nn/*"), "nn"),
    "operations": Part(2.3, ("aigc_jax/ops/*", "tests/ops/*"), "ops"),
    "tools": Part(1.7, ("aigc_jax/commands/*", "aigc_jax/library.py", "tests/commands/*"), "commands"),
    "package": Part(0.1, ("setup.py", "aigc_jax/__main__.py", "aigc_jax/console.py", "tests/test_cli.py")),
    PARITY: Part(
        5.0,
        (
            "aigc_jax/metrics/*",
            "aigc_jax/weights/*",
            "aigc_jax/nn/*",
            "aigc_jax/ops/*",
            "tests/parity/*",
            "requirements/parity.txt",
        ),
    ),
}


def of_folder(path: Path) -> str:
    """The part of a test file by its folder; "" = none."""
    folder = path.relative_to(ROOT / "tests").parts[0]
    return next((name for name, part in PARTS.items() if part.folder == folder), "")


def order(changed: Iterable[str], beginning: int) -> list[str]:
    """All parts: those that cover a changed file first, and both kinds from the part of that number on."""
    names = list(PARTS)
    start = beginning % len(names)
    files = list(changed)
    return sorted(names[start:] + names[:start], key=lambda name: not touched(name, files))


def touched(name: str, changed: Sequence[str]) -> bool:
    """Whether a part covers one of these files."""
    return any(fnmatch(file, pattern) for pattern in PARTS[name].covers for file in changed)


def chosen(ordered: Sequence[str], minutes: float, pace: float) -> list[str]:
    """The parts to run: the first, and each other one that still fits into so many minutes.

    pace: how much longer everything takes than on two free cores.
    """
    taken: list[str] = []
    for name in ordered:
        needed = length(name, pace)
        if not taken or needed <= minutes:
            taken.append(name)
            minutes -= needed
    return taken


def length(name: str, pace: float) -> float:
    """The minutes that a part is expected to take."""
    return PARTS[name].minutes * pace


def told(ordered: Sequence[str], taken: Sequence[str], changed: Sequence[str], pace: float) -> str:
    """What is run and what is left out, and why, a line a part."""

    def line(name: str) -> str:
        about = f"about {length(name, pace):.1f} min"
        why = "covers what changed" if touched(name, changed) else "nothing that it covers changed"
        if name in taken:
            return f"  run       {name:<11} {about}; {why}"
        return f"  left out  {name:<11} {about}: longer than the time that is left; {why}"

    return "\n".join(["The longer parts of the suite, in the order of this commit:", *map(line, ordered)])


def run(names: Sequence[str]) -> int:
    """Runs these parts. The exit code is 0 where all pass."""
    code = 0
    if marks := [f"long(part='{name}')" for name in names if name != PARITY]:
        # As the Makefile has them.
        spread = ["-n", "2", "--dist", "loadgroup", "--no-loadscope-reorder", "--max-worker-restart=0"]
        code |= subprocess.run([sys.executable, "-m", "pytest", "-m", " or ".join(marks), *spread], cwd=ROOT).returncode
    if PARITY in names:
        code |= subprocess.run(["make", PARITY], cwd=ROOT).returncode
    return int(code != 0)


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True).stdout


def main() -> int:
    parser = argparse.ArgumentParser(prog="python tests/parts.py", description=__doc__.splitlines()[0])
    parser.add_argument("--passed", type=float, default=0, help="seconds of the run of CI that have passed")
    parser.add_argument("--tested", type=float, default=TESTED, help="seconds that `make test` took in it")
    parser.add_argument("--dry", action="store_true", help="says what would be run, and runs nothing")
    given = parser.parse_args()
    changed = _git("log", f"-{COMMITS}", "--name-only", "--format=").split("\n")
    ordered = order(changed, int(_git("log", "-1", "--format=%ct")) // 60)
    pace = max(given.tested / TESTED, 1)
    taken = chosen(ordered, MINUTES - given.passed / 60, pace)
    print(told(ordered, taken, changed, pace), flush=True)
    return 0 if given.dry else run(taken)


if __name__ == "__main__":
    sys.exit(main())
