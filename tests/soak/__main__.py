"""`python -m tests.soak`: interrupts, damages and fills up real runs, and writes docs/reliability.md.

Random moments come from a seed that is printed, so that a failure can be had again.
"""

import argparse
import json
import os
import platform
import secrets
import sys
import tempfile
import time
import traceback
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

os.environ |= {"JAX_PLATFORMS": "cpu", "JAX_NUM_CPU_DEVICES": "8"}

from support import write_idx

from tests.soak import runs
from tests.soak.drills import DRILLS, Field, Result
from tests.soak.laws import LAWS
from tests.soak.listening import LISTENING
from tests.soak.peers import PEERS

ALL = DRILLS | PEERS | LAWS | LISTENING  # in this order: the number of a drill goes into its seed
DOCS = runs.ROOT / "docs"
RECORDS, PAGE = DOCS / "reliability.json", DOCS / "reliability.md"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**31), help="of the random moments")
    parser.add_argument("--share", type=float, default=1.0, help="of each drill's count")
    parser.add_argument("--only", nargs="*", choices=ALL, default=list(ALL))
    parser.add_argument("--platform", default="cpu", help="of the runs of one process, as JAX_PLATFORMS has it: cuda")
    parser.add_argument("--write", action="store_true", help="record the results in docs/")
    arguments = parser.parse_args()
    runs.platform = arguments.platform
    print(f"seed {arguments.seed}", flush=True)
    whole = True
    with tempfile.TemporaryDirectory() as folder:
        field = Field(Path(folder), write_idx(Path(folder) / "idx"))
        for name in arguments.only:
            drill, count = ALL[name]
            began = time.monotonic()
            random = np.random.RandomState([arguments.seed, list(ALL).index(name)])
            wanted = max(1, round(count * arguments.share))
            try:
                result = drill(field, wanted, random)
            except Exception:  # the others are worth having
                result = Result(0, wanted, "broke off", [traceback.format_exc()])
            minutes = (time.monotonic() - began) / 60
            print(f"{name:<18} {result.passed}/{result.count}  {minutes:.1f} min  {result.remarks}", flush=True)
            print("".join(f"  {fault}\n" for fault in result.faults), end="", flush=True)
            whole = whole and result.passed == result.count
            if arguments.write:
                record(name, arguments.seed, result, minutes)
    if arguments.write:
        print(f"Written: {PAGE}")
    return int(not whole)


def record(name: str, seed: int, result: Result, minutes: float) -> None:
    """Puts one drill's result into the records, in place of an older one, and writes the page anew."""
    records = json.loads(RECORDS.read_text("utf-8")) if RECORDS.exists() else {}
    records[name] = {
        "passed": result.passed,
        "count": result.count,
        "seed": seed,
        "minutes": round(minutes, 1),
        "remarks": result.remarks,
        "python": platform.python_version(),
        "jax": version("jax"),
        "orbax": version("orbax-checkpoint"),
    }
    records = {name: records[name] for name in ALL if name in records}
    RECORDS.write_text(json.dumps(records, indent=1) + "\n", "utf-8")
    PAGE.write_text(page(records), "utf-8")


def page(records: dict[str, dict[str, Any]]) -> str:
    """docs/reliability.md."""
    rows = []
    for name, found in records.items():
        what = " ".join((ALL[name][0].__doc__ or "").split())
        passed = f"{found['passed']} of {found['count']}" if found["count"] else "—"
        rows.append(f"| `{name}` | {what} | {passed} | {found['remarks']} | {found['minutes']:.1f} | {found['seed']} |")
    versions = sorted({f"Python {r['python']}, jax {r['jax']}, orbax {r['orbax']}" for r in records.values()})
    return HEAD + "\n".join([*rows, "", *(f"Measured with {each}, on two CPU cores." for each in versions), ""])


HEAD = """# Reliability, measured

Written by `make soak`, which interrupts, damages and starves real runs at random moments. They are the tiny twins of
four families (DDPM, DCGAN, VAE, GPT), each held against an unbroken run: weights, optimizers, averages, statistics,
metrics, samples and the order of the examples, bit for bit. `goodput` alone takes a DDPM of full size, and compares
nothing. What is promised stands in [resuming.md](resuming.md).

`make soak SEED=…` draws the moments of a row again; `python -m tests.soak --only NAME --seed=…` those of one drill.

| drill | what happens, and what has to come of it | passed | remarks | minutes | seed |
|---|---|---|---|---|---|
"""


if __name__ == "__main__":
    sys.exit(main())
