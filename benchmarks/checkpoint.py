"""What a checkpoint costs, and how much of that its manifest and the verification take.

    python -m benchmarks.checkpoint --config=configs/ddpm_cifar.py [--steps=3] [--batch_size=32] [--folder=FOLDER]

Saves the configuration's whole state (weights, optimizer, averages), verifies and restores it, and prints seconds and
shares of a training step on this machine. Rows of random pixels stand in for the data, whose shapes are the same.
Training waits for "copy" alone: orbax writes in the background, and the manifest is made there.
"""

import argparse
import runpy
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np

from aigc_jax.build import build
from aigc_jax.train import manifest
from benchmarks import standin


def timed(work: Callable[..., Any], *arguments: Any) -> tuple[float, Any]:
    """(seconds, what work(*arguments) came to)."""
    began = time.perf_counter()
    found = jax.block_until_ready(work(*arguments))
    return time.perf_counter() - began, found


def main() -> None:
    """Reads the arguments and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", default="configs/ddpm_cifar.py")
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--batch_size", type=int, default=32)
    parser.add_argument("--folder", type=Path, help="where to write; default: the system's temporary folder")
    arguments = parser.parse_args()
    config = runpy.run_path(arguments.config)["get_config"]("full").to_dict()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        folder = Path(name)
        config["data"]["batch_size"] = arguments.batch_size
        config["data"] = standin.of_pictures(config["data"], folder / "images")
        run = build(config)
        programs, feed = run.programs, run.feeds["train"]
        state, sums = programs.init(), programs.start_sums()
        steps = []
        for items in feed.training(run.batch_size, run.seed, 0, arguments.steps + 1, 1):
            seconds, (state, sums) = timed(programs.train, state, sums, feed.resident, items)
            steps.append(seconds)
        step = float(np.median(steps[1:]))  # the first one compiles
        keeper = run.checkpoints(folder / "checkpoints")
        hashing = []
        write = manifest.write
        manifest.write = lambda folder: hashing.append(timed(write, folder)[0])
        copy, _ = timed(keeper.save, state, sums, {})
        rest, _ = timed(keeper.wait)
        saved = folder / "checkpoints" / str(int(state.step))
        size = sum(path.stat().st_size for path in saved.rglob("*") if path.is_file())
        verify, fault = timed(manifest.fault, saved)
        assert not fault, fault
        restore, _ = timed(keeper.restore, programs.described, programs.described_sums, int(state.step))
        keeper.close()
    leaves = jax.tree.leaves((state.params, state.ema, state.extra, state.opt_state))
    held = sum(leaf.nbytes for leaf in leaves)
    print(f"{arguments.config}: {held:,} bytes of state, {size:,} on disk; jax {jax.__version__}")
    print(f"one step of {arguments.batch_size} images on {jax.devices()[0].device_kind}: {step:.2f} s")
    rows = {
        "copy (training waits)": copy, "write, in the background": rest - hashing[0],
        "manifest, in the background": hashing[0], "verify, at the start": verify, "restore, at the start": restore,
    }  # fmt: skip
    for what, seconds in rows.items():
        print(f"{what:<28} {seconds:>7.2f} s  {seconds / step:>7.1%} of a step")
    spent = hashing[0] / run.save_every
    print(f"the manifest, spread over the {run.save_every} steps between checkpoints: {spent / step:.4%} of a step")


if __name__ == "__main__":
    main()
