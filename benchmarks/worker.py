"""One side of a piece, in a process and an environment of its own: takes a turn whenever a line comes in.

Standard input: a line holds the seconds that a turn lasts at least. Standard output: a line of JSON when the work is
ready (with what preparing it took), and one after each turn. Everything else goes to the standard error.
"""

import json
import os
import platform
import resource
import sys
import time
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from benchmarks import pieces

PACKAGES = (
    "jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "torch", "diffusers", "transformers", "numpy",
    "torch-fidelity", "dewml",
)  # fmt: skip


def versions() -> dict[str, str]:
    """Of Python and of those packages that this environment has."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def device() -> str:
    """The accelerator that this process has loaded a framework for, or "cpu"."""
    if "jax" in sys.modules:
        first = sys.modules["jax"].devices()[0]
        return "cpu" if first.platform == "cpu" else first.device_kind
    if "torch" in sys.modules and sys.modules["torch"].cuda.is_available():
        return sys.modules["torch"].cuda.get_device_name()
    return "cpu"


def turn(run: Any, seconds: float) -> tuple[int, float]:
    """(runs, the seconds that they took): whole runs until `seconds` have passed, at least one."""
    runs, counted, began = 0, 0.0, time.perf_counter()
    while True:
        started = time.perf_counter()
        own = run()
        counted += time.perf_counter() - started if own is None else own
        runs += 1
        if time.perf_counter() - began >= seconds:
            return runs, counted


def main(piece: str, side: str, settings: Mapping[str, Any], checkout: str) -> None:
    """Prepares the work and takes turns until the standard input ends. checkout: of the aigc_jax to measure."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints would be taken for an answer
    sys.path.insert(0, checkout)
    if side in ("ours", "before"):
        import aigc_jax

        assert Path(aigc_jax.__file__).is_relative_to(checkout), aigc_jax.__file__
    sys.path.remove(checkout)
    began = time.perf_counter()
    sides = pieces.find(piece).SIDES
    work = sides["ours" if side == "before" else side].prepare(settings)
    ready = time.perf_counter()
    work.run()
    first = time.perf_counter()
    work.run()
    second = time.perf_counter()
    facts = {
        "items": work.items,
        "parameters": work.parameters,
        "cost": work.cost() if callable(work.cost) else work.cost,  # counting is a run: after those that are timed
        "device": device(),
        "versions": versions(),
        "prepare_s": round(ready - began, 3),
        "first_run_s": round(first - ready, 3),  # compiles, where anything does
        "second_run_s": round(second - first, 3),
    }
    print(json.dumps(facts), file=answers, flush=True)
    for line in sys.stdin:
        runs, seconds = turn(work.run, float(line))
        peak = work.memory() if work.memory else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        print(json.dumps({"runs": runs, "seconds": seconds, "peak_bytes": peak}), file=answers, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], json.loads(sys.argv[3]), sys.argv[4])
