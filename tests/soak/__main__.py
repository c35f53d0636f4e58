"""`python -m tests.soak`: interrupts, damages and fills up real runs, and writes docs/reliability.md.

Random moments come from a seed that is printed, so that a failure can be had again.
"""

import argparse
import os
import platform
import secrets
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

os.environ |= {"JAX_PLATFORMS": "cpu", "JAX_NUM_CPU_DEVICES": "8"}

from support import write_idx

from tests.soak.drills import DRILLS, Field, Result
from tests.soak.laws import LAWS
from tests.soak.peers import PEERS

ALL = DRILLS | PEERS | LAWS
PAGE = Path(__file__).parent.parent.parent / "docs" / "reliability.md"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**31), help="of the random moments")
    parser.add_argument("--share", type=float, default=1.0, help="of each drill's count")
    parser.add_argument("--only", nargs="*", choices=ALL, default=list(ALL))
    parser.add_argument("--write", action="store_true", help="write docs/reliability.md")
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}", flush=True)
    results: dict[str, tuple[Result, float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        field = Field(Path(folder), write_idx(Path(folder) / "idx"))
        for name in arguments.only:
            drill, count = ALL[name]
            began = time.monotonic()
            random = np.random.RandomState([arguments.seed, list(ALL).index(name)])
            result = drill(field, max(1, round(count * arguments.share)), random)
            results[name] = result, (time.monotonic() - began) / 60
            print(
                f"{name:<14} {result.passed}/{result.count}  {results[name][1]:.1f} min  {result.remarks}", flush=True
            )
            print("".join(f"  {fault}\n" for fault in result.faults), end="", flush=True)
    if arguments.write:
        PAGE.write_text(page(arguments.seed, results), "utf-8")
    return int(any(result.passed < result.count for result, _ in results.values()))


def page(seed: int, results: dict[str, tuple[Result, float]]) -> str:
    """docs/reliability.md."""
    rows = []
    for name, (result, minutes) in results.items():
        what = " ".join((ALL[name][0].__doc__ or "").split())
        rows.append(f"| {what} | {result.passed} of {result.count} | {minutes:.1f} | {result.remarks} |")
    versions = ", ".join(f"{name} {version(name)}" for name in ("jax", "orbax-checkpoint"))
    return "\n".join(
        [
            "# Reliability, measured",
            "",
            "Written by `make soak`, which interrupts, damages and starves real runs of four families' tiny twins",
            "(DDPM, DCGAN, VAE, GPT) at random moments, and holds what they come to against an unbroken run: weights,",
            "optimizers, averages, statistics, metrics and samples, bit for bit. What is promised stands in",
            "[resuming.md](resuming.md).",
            "",
            f"`make soak SEED={seed}` draws the same moments. Python {platform.python_version()}, {versions}.",
            "",
            "| drill | passed | minutes | remarks |",
            "|---|---|---|---|",
            *rows,
            "",
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
