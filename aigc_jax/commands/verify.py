"""Check every checkpoint of a run against its manifest.

    aigc_jax verify runs/cifar

Says which are intact, and from which step training would go on.
"""

import argparse
from pathlib import Path

from aigc_jax.errors import UserError
from aigc_jax.train import manifest
from aigc_jax.train.recovery import saved


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("workdir", metavar="RUN", type=Path, help="folder of a run")


def run(options: argparse.Namespace) -> None:
    """Prints a line for each checkpoint. Raises UserError where one is damaged, or there is none."""
    folder = options.workdir / "checkpoints"
    steps = saved(folder)
    if not steps:
        raise UserError(f"There is no checkpoint in {options.workdir}.")
    faults = {}
    for step in steps:
        faults[step] = manifest.fault(folder / str(step))
        size = sum(path.stat().st_size for path in (folder / str(step)).rglob("*") if path.is_file())
        print(f"step {step:>{len(str(steps[-1]))}}  {size:>15,} bytes  {faults[step] or 'intact'}")
    intact = [step for step, fault in faults.items() if not fault]
    if intact:
        print(f"Training would go on from step {intact[-1]}.")
    if len(intact) < len(steps):
        raise UserError(f"{len(steps) - len(intact)} of {len(steps)} checkpoints in {options.workdir} are damaged.")
