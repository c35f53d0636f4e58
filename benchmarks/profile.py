"""Where the time of our side of a piece goes: the operations of the compiled program that took longest.

    python -m benchmarks.profile PIECE [--size=SIZE] [--runs=3] [--top=10]

Names are those of XLA's program, on a CPU without the number after them, so that all products count as one; on a GPU
those of its kernels, for a graph of many is one operation of the program.
"""

import argparse
import collections
import gzip
import json
import re
import tempfile
from pathlib import Path
from typing import Any

from benchmarks import pieces
from benchmarks.figures import table

OURS = re.compile(r"XLAPjRtCpuClient|tf_XLA|/device:|Stream|XLA Ops")  # threads and lanes that carry out operations
KERNELS = "Stream"  # in the name of a GPU's lane
ENCLOSING = re.compile(r"while|call|conditional")  # whose operations are events of their own
LONGEST = 60  # characters of a kernel's name
NUMBER = re.compile(r"(\.\d+)+$")


def operations(trace: dict[str, Any]) -> dict[str, tuple[float, int]]:
    """Name -> (microseconds in all, how often), of the events of a trace in Chrome's format that nothing encloses."""
    events = [event for event in trace["traceEvents"] if event.get("name")]
    lanes = {}
    for event in events:
        if event["name"] in ("thread_name", "process_name"):
            key = event["pid"], event["tid"] if event["name"] == "thread_name" else None
            lanes[key] = event["args"]["name"]
    found: dict[str, list[float]] = collections.defaultdict(lambda: [0.0, 0])
    for event in events:
        lane = f"{lanes.get((event['pid'], None), '')} {lanes.get((event['pid'], event.get('tid')), '')}"
        if event.get("ph") == "X" and OURS.search(lane) and "hlo_op" in event.get("args", {}):
            name = event["name"][:LONGEST] if KERNELS in lane else NUMBER.sub("", event["args"]["hlo_op"])
            if not ENCLOSING.fullmatch(name):
                found[name][0] += event["dur"]
                found[name][1] += 1
    return {name: (spent, int(count)) for name, (spent, count) in found.items()}


def main() -> None:
    """Reads the arguments and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("piece")
    parser.add_argument("--size")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--top", type=int, default=10)
    arguments = parser.parse_args()
    import jax

    piece = pieces.find(arguments.piece)
    work = piece.SIDES["ours"].prepare(piece.SIZES[arguments.size or next(iter(piece.SIZES))])
    work.run()
    with tempfile.TemporaryDirectory() as folder:
        with jax.profiler.trace(folder):
            for _ in range(arguments.runs):
                work.run()
        (path,) = Path(folder).rglob("*.trace.json.gz")
        spent = operations(json.loads(gzip.decompress(path.read_bytes())))
    whole = sum(each for each, _ in spent.values())
    rows = sorted(spent.items(), key=lambda item: -item[1][0])[: arguments.top]
    print(
        f"{arguments.piece}, {jax.devices()[0].device_kind}: {whole / arguments.runs / 1e3:,.1f} ms of operations a run"
    )
    print(
        table(
            ["operation", "ms a run", "share", "times"],
            [
                [name, f"{each / arguments.runs / 1e3:,.2f}", f"{each / whole:.1%}", f"{count / arguments.runs:,.0f}"]
                for name, (each, count) in rows
            ],
        )
    )


if __name__ == "__main__":
    main()
