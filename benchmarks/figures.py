"""Figures of a measurement: rates, their ratios within a round, and the file that keeps them."""

import json
import os
import platform
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.turns import ROOT, Taken

RESULTS = ROOT / "benchmarks/results"
SYSTEM = "system"  # the allocator of a process that preloads none
OF_ONE_MACHINE = ("--python", "--before", "--pause")  # options that a kept command leaves out
Record = dict[str, Any]


def record(
    piece: str,
    size: str,
    settings: Mapping[str, Any],
    facts: Mapping[str, Mapping[str, Any]],
    turns: Mapping[str, list[Mapping[str, float]]],
    absent: Mapping[str, str],
    command: str,
    preload: str = "",
) -> Record:
    """All that was measured, as JSON keeps it. rates: items a second, one a round. preload: of all sides."""
    sides = {}
    for side, taken in turns.items():
        sides[side] = {
            **facts[side],
            "rates": [float(f"{facts[side]['items'] * each['runs'] / each['seconds']:.5g}") for each in taken],
            "peak_bytes": int(max(each["peak_bytes"] for each in taken)),
        }
    return {
        "piece": piece,
        "size": size,
        "settings": dict(settings),
        "allocator": "tcmalloc" if preload else SYSTEM,
        "device": machine(next(iter(sides.values()))["device"]),
        "commit": commit(),
        "command": command,
        "sides": sides,
        "absent": dict(absent),
    }


def machine(device: str) -> str:
    """The accelerator's name, or the processor's with the number of its cores that may be used."""
    if device != "cpu":
        return device
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    try:
        name = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text()).group(1)
    except (OSError, AttributeError):
        name = platform.processor() or platform.machine()
    return f"{name}, {cores} cores"


def commit(checkout: Path = ROOT) -> str:
    """Of a checkout; a + after it says that files differ from it, other than figures."""

    def git(*arguments: str) -> str:
        return subprocess.run(["git", *arguments], cwd=checkout, capture_output=True, text=True).stdout.strip()

    others = ".", ":(exclude)benchmarks/results", ":(exclude)docs/performance*.md"
    return git("describe", "--always") + "+" * bool(git("status", "--porcelain", "--untracked-files=no", "--", *others))


def repeatable(given: list[str], before: Path | None) -> list[str]:
    """The arguments without what is of this machine alone: a checkout goes by its commit, interpreters are left out."""
    kept, passed_over = [], False
    for part in given:
        option = part.partition("=")[0]
        if not passed_over and option not in OF_ONE_MACHINE:
            kept.append(part)
        passed_over = not passed_over and part in OF_ONE_MACHINE
    return [*kept, f"--before={commit(before)}"] if before else kept


def write(record: Record) -> Path:
    """results/<device>/<piece>-<size>[-tcmalloc].json. Raises FileExistsError where that has sides that are absent."""
    folder = RESULTS / re.sub(r"[^a-z0-9]+", "-", record["device"].lower()).strip("-")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{'-'.join([record['piece'], *_names(record)])}.json"
    if path.exists() and (lost := json.loads(path.read_text("utf-8"))["sides"].keys() - record["sides"].keys()):
        raise FileExistsError(
            f"Not written: {path} has figures of {', '.join(sorted(lost))} as well: measure these too, or delete it."
        )
    path.write_text(json.dumps(record, indent=1) + "\n", "utf-8")
    return path


def _names(record: Record) -> list[str]:
    return [record["size"], *([record["allocator"]] if record["allocator"] != SYSTEM else [])]


def called(record: Record) -> str:
    """The size, and the allocator where it is not the system's."""
    return ", ".join(_names(record))


def read(folder: Path) -> dict[str, list[Record]]:
    """The records of a device by piece."""
    found: dict[str, list[Record]] = {}
    for path in sorted(folder.glob("*-*.json")):
        each = json.loads(path.read_text("utf-8"))
        found.setdefault(each["piece"], []).append(each)
    return found


def ratios(record: Record, side: str, other: str) -> list[float]:
    """`side`'s rate over `other`'s, round by round."""
    pair = (record["sides"][name]["rates"] for name in (side, other))
    return [a / b for a, b in zip(*pair, strict=True)]


def spread(values: list[float], form: str = ".2f") -> str:
    """median [least, most]"""
    return f"{median(values):{form}} [{min(values):{form}}, {max(values):{form}}]"


def table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def cost(record: Record) -> float:
    """Of an item, by the first side that counts it: one number for all, however each does the work."""
    return next((facts["cost"] / facts["items"] for facts in record["sides"].values() if facts["cost"]), 0.0)


def compiling(facts: dict[str, Any]) -> str:
    """By how much a side's first run took longer than its second: what is compiled or made ready once; "" = unknown."""
    if "first_run_s" not in facts:
        return ""
    return f"{max(0.0, facts['first_run_s'] - facts['second_run_s']):.1f} s"


def printed(record: Record) -> str:
    """A table for the terminal."""
    lines = [f"{record['piece']} {called(record)} on {record['device']}: {record['settings']}"]
    for side, facts in record["sides"].items():
        work = cost(record) * median(facts["rates"])
        lines.append(
            f"  {side:<12} {spread(facts['rates'], '.4g'):>28}/s"
            f"{f'  {work / 1e9:8.1f} G/s' if work else ''}"
            f"  {facts['parameters']:>12,} parameters  {facts['peak_bytes'] / 2**20:>7,.0f} MiB"
            f"{f'  compile {compiling(facts)}' if compiling(facts) else ''}"
        )
    lines += [
        f"  ours / {other}: {spread(ratios(record, 'ours', other))}"
        for other in record["sides"]
        if other != "ours" and "ours" in record["sides"]
    ]
    return "\n".join([*lines, *(f"  {side}: not measured: {why}" for side, why in record["absent"].items())])


def concluded(
    piece: str,
    size: str,
    settings: Mapping[str, Any],
    taken: Taken,
    absent: Mapping[str, str],
    command: str,
    preload: str,
    keep: bool,
) -> int:
    """Prints what came of a piece, and keeps it if asked to. The exit code: 1 where anything failed."""
    turns = {side: each for side, each in taken.turns.items() if side not in taken.failed}
    why = {**absent, **{side: f"failed: {said}" for side, said in taken.failed.items()}}
    if not any(turns.values()):
        print("\n".join(f"{side}: {said}" for side, said in why.items()), file=sys.stderr)
        return 1
    found = record(piece, size, settings, taken.facts, turns, why, command, preload)
    print(printed(found), flush=True)
    if keep:
        try:
            print(f"Written: {write(found)}", flush=True)
        except FileExistsError as error:
            print(error, file=sys.stderr)
            return 1
    return 1 if taken.failed else 0
