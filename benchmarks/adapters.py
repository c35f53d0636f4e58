"""What an adapter costs and what it gains: ranks, layers and 8 bits beside full fine-tuning, from one base.

    python benchmarks/adapters.py runs/base --path=FOLDER [--steps=80] [--only=rank] [--config=configs/lora_tang.py]

RUN is the base, as the head of the configuration says. Prints a row of Markdown for each way to train it, after as many
steps on the same batches: numbers trained and their share of the network's, megabytes that stay on the device (weights,
adapter, optimizer), temporary megabytes of the compiled program of training, bits a character on the test split with a
95 % interval, and seconds of training without compiling. A row is of the base before training.
"""

import argparse
import runpy
import time
from collections.abc import Mapping
from typing import Any

import jax

from aigc_jax.build import build
from aigc_jax.experiments import updated
from aigc_jax.method import State
from aigc_jax.train.run import Run

ATTENTION, ALL = "attention", "attention|mlp"
FULL_RATE = 1e-3  # of full fine-tuning; an adapter's is the configuration's
BASE = "the base"
RANK_4 = {"rank": 4, "on": ALL, "alpha": 8.0}
WAYS: dict[str, dict[str, Any] | None] = {
    "full fine-tuning": None,
    BASE: RANK_4,  # as it is before the first step
    "rank 4, all layers": RANK_4,
    "rank 4, all layers, base of 8 bits": {**RANK_4, "bits": 8},
    "rank 1, all layers": {"rank": 1, "on": ALL, "alpha": 2.0},
    "rank 16, all layers": {"rank": 16, "on": ALL, "alpha": 32.0},
    "rank 4, attention": {"rank": 4, "on": ATTENTION, "alpha": 8.0},
    "rank 1, attention": {"rank": 1, "on": ATTENTION, "alpha": 2.0},
    "rank 16, attention": {"rank": 16, "on": ATTENTION, "alpha": 32.0},
}


def configured(arguments: argparse.Namespace, way: Mapping[str, Any] | None) -> dict[str, Any]:
    """The configuration of one way; None = full fine-tuning."""
    config = runpy.run_path(arguments.config)["get_config"]("full")
    settings = {"networks.net.start": f"run:{arguments.run}#net", "train.steps": arguments.steps}
    if arguments.path:
        settings["data.path"] = arguments.path
    settings |= {f"adapters.net.{key}": value for key, value in (way or {}).items()}
    made = updated(config, settings).to_dict()
    if way is None:
        del made["adapters"]
        made["optimizers"]["net"]["learning_rate"] = FULL_RATE
    return made


def nbytes(tree: Any) -> int:
    """Of the arrays in a tree."""
    return sum(x.nbytes for x in jax.tree.leaves(tree))


def trained(run: Run) -> tuple[State, float]:
    """(the state after all steps, seconds without those of the first call, which compiles)."""
    programs, feed = run.programs, run.feeds["train"]
    state, sums, began = programs.init(), programs.start_sums(), 0.0
    items = feed.training(run.batch_size, run.seed, 0, run.pace.steps, run.pace.steps_per_call)
    for number, each in enumerate(items):
        if number == 0:
            programs.compile_ahead(feed.resident, each)()
            began = time.monotonic()
        state, sums = programs.train(state, sums, feed.resident, each)
    jax.block_until_ready(state)
    return state, time.monotonic() - began


def row(name: str, run: Run, state: State, total: int, seconds: float | None) -> str:
    """A line of the table. total: numbers of the network; seconds: None = nothing was trained."""
    count = sum(x.size for x in jax.tree.leaves(state.params["net"])) if seconds is not None else 0
    frozen, memory = nbytes(run.programs.frozen), run.programs.memory()
    held = frozen + (nbytes((state.params, state.opt_state)) if seconds is not None else 0)
    value, low, high = next(f.interval for f in run.measured(state) if f.protocol.measure == "bits_per_char")
    cells = [
        name,
        f"{count:,} ({count / total:.1%})",
        f"{held / 1e6:.2f}",
        f"{memory.temp_size_in_bytes / 1e6:.1f}" if memory else "–",
        f"{value:.3f} [{low:.3f}, {high:.3f}]",
        "–" if seconds is None else f"{seconds:.0f}",
    ]
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Reads the arguments and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run")
    parser.add_argument("--path")
    parser.add_argument("--config", default="configs/lora_tang.py")
    parser.add_argument("--data_dir")
    parser.add_argument("--steps", type=int, default=80)
    parser.add_argument("--only", default="", help="a part of the names of the ways to try")
    arguments = parser.parse_args()
    print("| way | numbers trained | MB that stay | MB of a step | bits/char | seconds |")
    print("|---|---|---|---|---|---|", flush=True)
    whole = build(configured(arguments, None), arguments.data_dir).programs.described.params["net"]
    total = sum(x.size for x in jax.tree.leaves(whole))
    for name, way in ((name, way) for name, way in WAYS.items() if arguments.only in name):
        run = build(configured(arguments, way), arguments.data_dir)
        state, seconds = (run.programs.init(), None) if name == BASE else trained(run)
        print(row(name, run, state, total, seconds), flush=True)


if __name__ == "__main__":
    main()
