"""Set runs side by side on one page: samples from equal keys, figures, curves, cost, settings that differ.

aigc_jax report runs/a runs/b --out comparison.html
"""

import argparse
from pathlib import Path

from aigc_jax.train import report
from aigc_jax.train.workdir import Workdir, write_whole


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("workdirs", metavar="WORKDIR", nargs="+")
    parser.add_argument("--out", type=Path, required=True, help="the page")


def run(options: argparse.Namespace) -> None:
    """Writes the page. Raises UserError for a folder without a run, and for figures that were not measured alike."""
    workdirs = [Workdir(folder) for folder in options.workdirs]
    for workdir in workdirs:
        workdir.recorded()
    write_whole(options.out, report.page(workdirs))
    print(f"page: {options.out}")
