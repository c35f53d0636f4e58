"""Checkpoints on the command line: `python -m aigc_jax.train verify WORKDIR`."""

import argparse
import sys
from pathlib import Path

from aigc_jax import consoles
from aigc_jax.train import manifest
from aigc_jax.train.recovery import saved


def verify(workdir: Path) -> int:
    """Says of every checkpoint whether it is as it was written.

    Returns the exit code: 0 = all are; 1 = some are not, or there is none.
    """
    folder = workdir / "checkpoints"
    steps = saved(folder)
    if not steps:
        print(f"error: there is no checkpoint in {workdir}.", file=sys.stderr)
        return 1
    faults = {}
    for step in steps:
        faults[step] = manifest.fault(folder / str(step))
        size = sum(path.stat().st_size for path in (folder / str(step)).rglob("*") if path.is_file())
        print(f"step {step:>{len(str(steps[-1]))}}  {size:>15,} bytes  {faults[step] or 'intact'}")
    intact = [step for step, fault in faults.items() if not fault]
    if intact:
        print(f"Training would go on from step {intact[-1]}.")
    return 0 if len(intact) == len(steps) else 1


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m aigc_jax.train", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("verify", help="hold every checkpoint of a run against its manifest")
    command.add_argument("workdir", type=Path)
    return verify(parser.parse_args(argv).workdir)


if __name__ == "__main__":
    consoles.make_lasting()
    sys.exit(main(sys.argv[1:]))
