"""Draws from one finished diffusion run by every sampler and numbers of steps, and writes what it found: samplers.md.

    python docs/samplers.py runs/edm_fashion_mnist
    python docs/samplers.py runs/edm_fashion_mnist --looks 10 20 --also runs/meanflow_fashion_mnist

A look is an evaluation of the network, which is what samples cost. --also: runs that need few looks. What is known of
the same checkpoint is not measured again. Fashion-MNIST takes about an hour on one CPU core.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from aigc_jax import experiments, plot  # noqa: E402
from aigc_jax.build import build, planned  # noqa: E402
from aigc_jax.metrics.bootstrap import Interval  # noqa: E402
from aigc_jax.train import trained  # noqa: E402
from aigc_jax.train.workdir import Workdir  # noqa: E402

KEPT, PAGE, PICTURE = (ROOT / "docs" / name for name in ("samplers.json", "samplers.md", "pictures/samplers.svg"))
LOOKS = (5, 10, 20, 40, 80)
SAMPLERS: Mapping[str, Mapping[str, Any]] = {
    "euler": {},
    "heun": {},
    "heun, churn 10": {"churn": 10.0},
    "adams": {},
    "dpmpp_2m": {},
    "dpmpp_3m": {},
    "unipc": {},
    "ddim, eta 1": {"eta": 1.0},
    "ancestral": {},
    "dpmpp_2m_sde": {},
}
FEW = (1, 2, 4)  # steps of the runs that need few
EVALUATION, MEASURE = "quality", "FD-"


def settings(name: str, looks: int, spacing: str) -> tuple[dict[str, Any], int]:
    """(the keys of `sample`, the looks that they take)."""
    sampler, twice = name.partition(",")[0], name.startswith("heun")
    steps = (looks + 1) // 2 if twice else looks
    return {"sampler": sampler, "steps": steps, "spacing": spacing, **SAMPLERS[name]}, 2 * steps - 1 if twice else looks


def measured(folder: Path, wanted: Sequence[tuple[str, Mapping[str, Any], int]]) -> Iterator[dict[str, Any]]:
    """A row for each of (name, keys of `sample`, looks)."""
    workdir = Workdir(str(folder))
    run = build(experiments.recorded(workdir.config), kept=workdir.kept())
    state = trained.restore(run, workdir)
    for name, keys, looks in wanted:
        plan = planned(run.programs.method, keys)
        figure = next(
            each
            for each in run._replace(plan=plan).judged(EVALUATION, state)
            if each.protocol.measure.startswith(MEASURE)
        )
        row = dict(sampler=name, looks=looks, step=int(state.step), samples=figure.protocol.samples, floor=figure.floor)
        yield {
            **row,
            "run": folder.name,
            "spacing": keys.get("spacing", ""),
            "measure": figure.protocol.measure,
            "figure": list(figure.interval),
        }


def page(rows: Sequence[Mapping[str, Any]]) -> str:
    """The page of all rows. A curve's picture stands beside it."""
    many = [row for row in rows if row["sampler"] in SAMPLERS]
    columns = sorted({row["asked"] for row in many})
    of = {(row["sampler"], row["asked"]): row for row in many}
    names = [name for name in SAMPLERS if any((name, column) in of for column in columns)]
    one = many[0]
    lines = [
        "# Samplers: quality against evaluations of the network\n",
        f"`{one['measure']}` of {one['samples']:,} samples of the run `{one['run']}`, step {one['step']:,}, held "
        f"against the training split, with a 95 % interval; as many real images of the test split have "
        f"{one['floor']:.2f}. There is no guidance. A step of `heun` takes two evaluations, but the last one. "
        f"The spacing is `{one['spacing']}`. `python docs/samplers.py` writes this page.\n",
        "| sampler | " + " | ".join(f"{column} evaluations" for column in columns) + " |",
        "|---|" + "---|" * len(columns),
    ]
    for name in names:
        lines.append(f"| {name} | " + " | ".join(cell(of.get((name, column))) for column in columns) + " |")
    lines += ["", "![A curve for each sampler](pictures/samplers.svg)"]
    if few := [row for row in rows if row["sampler"] not in SAMPLERS]:
        lines += ["", "## Few steps\n", "| run | evaluations | figure |", "|---|---|---|"]
        lines += [f"| `{row['run']}` | {row['looks']} | {cell(row)} |" for row in few]
    return "\n".join(lines) + "\n"


def cell(row: Mapping[str, Any] | None) -> str:
    if row is None:
        return "–"
    value, low, high = row["figure"]
    return f"{value:.2f} [{low:.2f}, {high:.2f}]"


def picture(rows: Sequence[Mapping[str, Any]]) -> str:
    """The curves of deterministic samplers and of one with noise."""
    shown = ("euler", "heun", "dpmpp_2m", "unipc", "ddim, eta 1")
    series = {
        name: [(row["looks"], Interval(*row["figure"])) for row in rows if row["sampler"] == name] for name in shown
    }
    series = {name: points for name, points in series.items() if points}
    return plot.curves(series, "evaluations of the network", rows[0]["measure"], log_x=True, log_y=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--also", type=Path, nargs="*", default=[])
    parser.add_argument("--looks", type=int, nargs="*", default=list(LOOKS))
    parser.add_argument("--spacing", default="trailing", help="of the steps of all samplers")
    arguments = parser.parse_args()
    rows = json.loads(KEPT.read_text()) if KEPT.exists() else []
    known = {(row["run"], row["sampler"], row["asked"]) for row in rows}

    def add(folder: Path, wanted: Sequence[tuple[str, Mapping[str, Any], int, int]]) -> None:
        left = [each for each in wanted if (folder.name, each[0], each[3]) not in known]
        if not left:
            return
        for row, (*_, asked) in zip(measured(folder, [each[:3] for each in left]), left, strict=True):
            rows.append({**row, "asked": asked})
            KEPT.write_text(json.dumps(rows, indent=1) + "\n")
            print(row["run"], row["sampler"], row["looks"], cell(row), flush=True)

    add(arguments.run, [(name, *settings(name, n, arguments.spacing), n) for n in arguments.looks for name in SAMPLERS])
    for folder in arguments.also:
        add(folder, [("few steps", {"steps": n}, n, n) for n in FEW])
    rows.sort(key=lambda row: (row["sampler"] not in SAMPLERS, row["run"], row["looks"]))
    KEPT.write_text(json.dumps(rows, indent=1) + "\n")
    PAGE.write_text(page(rows))
    PICTURE.write_text(picture(rows))


if __name__ == "__main__":
    main()
