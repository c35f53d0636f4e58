"""Ask a run for samples, an evaluation or a checkpoint while it trains, on this machine or another.

    aigc_jax ask runs/cifar sample evaluate

Makes an empty file in RUN/requests for each, as `touch` would, and waits until the run has met them. That takes two
steps and the time of what is asked for. A run that does not train meets them when it goes on.
"""

import argparse
import time
from pathlib import Path

from aigc_jax.errors import UserError
from aigc_jax.train import clock
from aigc_jax.train.requests import KINDS, ask, requested
from aigc_jax.train.workdir import Workdir

POLL = 0.2  # seconds between looks
SILENT = 5.0  # seconds without a sign of life, which a run that trains gives twice a second


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("workdir", metavar="RUN", type=Path)
    parser.add_argument("kinds", metavar="WHAT", nargs="+", choices=KINDS, help=", ".join(KINDS))
    parser.add_argument("--wait", type=float, default=60.0, help="seconds to wait for the run (default: 60)")


def run(options: argparse.Namespace) -> None:
    """Makes the files, and says what came of them. Raises UserError where there is no run, or it is over."""
    workdir = Workdir(options.workdir)
    steps = int(workdir.recorded()[0]["train"]["steps"])
    before = requested(workdir)
    for kind in options.kinds:
        ask(workdir, kind)
    until, alive, sign = time.monotonic() + options.wait, time.monotonic(), _sign(workdir)
    while left := [kind for kind in options.kinds if (workdir.requests / kind).exists()]:
        if (now := _sign(workdir)) != sign:
            alive, sign = time.monotonic(), now
        if time.monotonic() > alive + SILENT:
            if clock.spent(workdir.time).reached >= steps:
                for kind in left:
                    (workdir.requests / kind).unlink(missing_ok=True)
                raise UserError(f"The run in {workdir.folder} is over: see aigc_jax sample and aigc_jax evaluate.")
            print(f"Nothing trains in {workdir.folder} now. When it goes on, it meets: {', '.join(left)}.")
            return
        if time.monotonic() > until:
            print(f"Not met after {options.wait:.0f} s, and still asked for: {', '.join(left)}.")
            return
        time.sleep(POLL)
    after = requested(workdir)
    for kind in options.kinds:
        new = [step for step, kinds in after.items() if kind in kinds - before.get(step, set())]
        print(f"{kind}: {_answer(workdir, kind, max(new)) if new else 'the run says what came of it'}")


def _sign(workdir: Workdir) -> bytes:
    """What a run that trains changes all the time."""
    return workdir.time.read_bytes()[-400:] if workdir.time.exists() else b""


def _answer(workdir: Workdir, kind: str, step: int) -> str:
    files = {
        "evaluate": [workdir.metrics, workdir.records],
        "sample": sorted(workdir.samples.glob(f"step_{step:08d}.*")),
        "save": [workdir.checkpoints / str(step)],
    }
    return f"step {step}, {', '.join(map(str, files[kind]))}"
