"""The collectives of a compiled program, read from its text, and the bytes that they move.

Bytes are those that one device sends in a ring, which is optimal in bandwidth (Patarasuk & Yuan 2009). With n devices
in a group, and R bytes of a device's result:

    all-reduce 2 (n-1)/n R    all-gather (n-1)/n R    reduce-scatter (n-1) R    all-to-all (n-1)/n R
    collective-permute R, for the share of the devices that send
"""

import math
import re
from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

KINDS = ("all-reduce", "all-gather", "reduce-scatter", "all-to-all", "collective-permute")
BITS = {"pred": 8, "bf16": 16}  # the others carry their bits in their name

ARRAY = re.compile(r"\b(pred|bf16|f8e\w+|[sufc]\d+)\[([\d,]*)\]")
OPERATION = re.compile(
    rf"^\s*(?:ROOT )?%?[\w.-]+ = (?P<type>\(.*?\)|\S+) (?P<kind>{'|'.join(KINDS)})(?P<start>-start)?\((?P<rest>.*)$"
)
COMPUTATION = re.compile(r"^(?P<entry>ENTRY )?%?(?P<name>[\w.-]+) \(.*\{\s*$")
LISTED = re.compile(r"replica_groups=\{\{([\d,]*)\}")  # {{0,1},{2,3}}
IOTA = re.compile(r"replica_groups=\[(\d+),(\d+)\]<=")  # [groups, size of each]<=...
PAIRS = re.compile(r"source_target_pairs=\{((?:\{\d+,\d+\},?)*)\}")
BODY = re.compile(r"\bbody=%?([\w.-]+)")
CALLED = re.compile(r"\b(?:to_apply|calls|condition|true_computation|false_computation)=%?([\w.-]+)")
TRIPS = re.compile(r'"known_trip_count":\{"n":"(\d+)"')


class Collective(NamedTuple):
    """One operation; `result` in bytes of a device, `times` in runs of it a program."""

    kind: str
    shape: str
    result: int
    group: int
    sending: float  # of the devices, those that send; below 1 in a collective-permute only
    operation: str  # `op_name` of the metadata: what it is part of
    times: int

    @property
    def sent(self) -> float:
        """Bytes that a device sends."""
        return self.times * self.sending * ring_bytes(self.kind, self.result, self.group)


def ring_bytes(kind: str, result: float, group: int) -> float:
    """Bytes that one device of `group` sends for a result of `result` bytes on each."""
    if kind == "collective-permute":
        return result
    if kind == "reduce-scatter":
        return (group - 1) * result
    return (2 if kind == "all-reduce" else 1) * (group - 1) / group * result


def array_bytes(types: str) -> list[int]:
    """Of each array in a type, a tuple's in order."""
    return [
        math.prod(int(size) for size in sizes.split(",") if size) * _bits(kind) // 8
        for kind, sizes in ARRAY.findall(types)
    ]


def collectives(text: str, devices: int) -> list[Collective]:
    """All of a program that runs on `devices` devices; those of a loop once, with its number of turns in `times`.

    A loop whose turns the compiler does not know counts as one.
    """
    times = _times(text)
    found, computation = [], ""
    for line in text.splitlines():
        if header := COMPUTATION.match(line):
            computation = header["name"]
        match = OPERATION.match(line)
        if not match:
            continue
        group = _group(line, devices)
        if group == 1:
            continue
        kind, sizes = match["kind"], array_bytes(match["type"])
        if match["start"] and kind != "all-reduce":  # (operands, results, counters): the results alone
            sizes = [size for size in sizes if size > 4] if kind == "collective-permute" else sizes
            sizes = sizes[len(sizes) // 2 :]
        sending = 1.0
        if kind == "collective-permute":
            pairs = re.findall(r"\{(\d+),(\d+)\}", PAIRS.search(line)[1])  # type: ignore[index]
            sending = sum(source != target for source, target in pairs) / devices
        name = re.search(r'op_name="([^"]*)"', line)
        shape, runs = re.sub(r"\{[\d,]*\}", "", match["type"]), times.get(computation, 1)
        found.append(Collective(kind, shape, sum(sizes), group, sending, name[1] if name else "", runs))
    return found


def by_kind(found: Iterable[Collective]) -> dict[str, dict[str, float]]:
    """kind -> how many there are, and the bytes that a device sends for them."""
    sums: dict[str, dict[str, float]] = defaultdict(lambda: {"count": 0, "sent": 0.0})
    for one in found:
        sums[one.kind]["count"] += one.times
        sums[one.kind]["sent"] += one.sent
    return dict(sums)


def _bits(kind: str) -> int:
    return 8 if kind.startswith("f8") else BITS.get(kind) or int(kind[1:])


def _group(line: str, devices: int) -> int:
    if iota := IOTA.search(line):
        return int(iota[2])
    if listed := LISTED.search(line):
        return len([x for x in listed[1].split(",") if x])
    return devices  # replica_groups={}, and collective-permute: all of them


def _times(text: str) -> dict[str, int]:
    """computation -> how often the program runs it."""
    calls: dict[str, list[tuple[str, int]]] = defaultdict(list)
    computation = entry = ""
    for line in text.splitlines():
        if header := COMPUTATION.match(line):
            computation = header["name"]
            entry = computation if header["entry"] else entry
        for body in BODY.findall(line):
            trips = TRIPS.search(line)
            calls[computation].append((body, int(trips[1]) if trips else 1))
        calls[computation] += [(called, 1) for called in CALLED.findall(line)]
    times: dict[str, int] = defaultdict(int)

    def visit(name: str, count: int) -> None:
        times[name] += count
        for called, trips in calls[name]:
            visit(called, count * trips)

    visit(entry, 1)
    return dict(times)
