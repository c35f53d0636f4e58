"""Trains a GAN of points with every loss on the ring and on the grid, and writes what it found into ground-truth.md.

    python docs/rings.py --runs=runs/rings
    python docs/rings.py --runs=runs/rings --losses hinge minimax

All are configs/gan_points.py with other keys of `method`, and where a paper asks for it, another optimizer. The second
trains these losses alone, and the others keep their figures. A run that is finished is not trained again. All take
about forty minutes on two cores.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from aigc_jax.commands.points import FORMS, row_of  # noqa: E402
from aigc_jax.ops import densities  # noqa: E402

PAGE, KEPT = ROOT / "docs/ground-truth.md", ROOT / "docs/ground-truth-losses.json"
OPENS, CLOSES = "<!-- losses -->\n", "<!-- end of losses -->"
DENSITIES = ("ring", "grid")
COMMON = {f"optimizers.{network}.schedule": "linear" for network in ("generator", "discriminator")}


def both(**settings: Any) -> dict[str, Any]:
    """Of both optimizers."""
    return {f"optimizers.{network}.{k}": v for network in ("generator", "discriminator") for k, v in settings.items()}


LOSSES: Mapping[str, Mapping[str, Any]] = {
    "minimax": {"method.loss": "minimax"},
    "non-saturating": {"method.loss": "non_saturating"},
    "least squares": {"method.loss": "least_squares"},
    "hinge": {"method.loss": "hinge"},
    "Wasserstein, weights within 0.1": {
        "method.loss": "wasserstein",
        "method.clip": 0.1,
        **both(name="rmsprop", b2=0.99),
    },
    "Wasserstein, gradient penalty 0.1": {
        "method.loss": "wasserstein",
        "method.gradient_penalty": 0.1,
        **both(b1=0.0, b2=0.9),
    },
    "Wasserstein, neither": {"method.loss": "wasserstein", **both(b1=0.0, b2=0.9)},
    "non-saturating, R1 0.02": {"method.loss": "non_saturating", "method.r1": 0.02, **both(b1=0.0, b2=0.99)},
    "relativistic, R1 and R2 0.02": {
        "method.loss": "relativistic",
        "method.r1": 0.02,
        "method.r2": 0.02,
        **both(b1=0.0, b2=0.99),
    },
    "relativistic, R1 0.02": {"method.loss": "relativistic", "method.r1": 0.02, **both(b1=0.0, b2=0.99)},
    "relativistic, neither": {"method.loss": "relativistic", **both(b1=0.0, b2=0.99)},
}


def train(density: str, loss: str, runs: Path) -> Path:
    """The folder of the finished run."""
    folder = runs / density / loss.replace(", ", "_").replace(" ", "_")
    changes = {"data.density": density, **COMMON, **LOSSES[loss]}
    flags = [f"--config.{key}={value}" for key, value in changes.items()]
    command = [sys.executable, ROOT / "main.py", f"--config={ROOT}/configs/gan_points.py", f"--workdir={folder}"]
    subprocess.run([*command, *flags], check=True)
    return folder


def table(rows: Mapping[str, Mapping[str, Any]]) -> str:
    """A table for each density. rows: "density/loss" -> what `row_of` gives."""
    tables = []
    for density in DENSITIES:
        found = {loss: rows[f"{density}/{loss}"] for loss in LOSSES if f"{density}/{loss}" in rows}
        lines = [
            f"### {density}: {densities.density(density).components} modes\n",
            "| loss, and what is added | modes | JS, bits | surprise, bits | off the data |",
            "|---|---|---|---|---|",
        ]
        for loss, row in found.items():
            cells = [_cell(row, name) for name in ("modes", "JS", "surprise", "off_data")]
            lines.append(f"| {loss} | {' | '.join(cells)} |")
        tables.append("\n".join(lines))
    return "\n\n".join(tables)


def _cell(row: Mapping[str, Any], name: str) -> str:
    value, low, high, _ = row["figures"][name]
    return f"{value:{FORMS[name]}} [{low:{FORMS[name]}}, {high:{FORMS[name]}}]"


def page(text: str, rows: Mapping[str, Mapping[str, Any]]) -> str:
    """The page with its tables written anew."""
    before, _, rest = text.partition(OPENS)
    return f"{before}{OPENS}\n{table(rows)}\n\n{CLOSES}{rest.partition(CLOSES)[2]}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=Path, required=True, help="folder of the runs")
    parser.add_argument("--losses", nargs="+", choices=tuple(LOSSES), default=tuple(LOSSES), help="these alone")
    options = parser.parse_args()
    rows = json.loads(KEPT.read_text("utf-8"))
    for density in DENSITIES[::-1]:
        for loss in options.losses:
            rows[f"{density}/{loss}"] = {**row_of(train(density, loss, options.runs)), "run": loss}
    KEPT.write_text(json.dumps(rows, indent=1) + "\n", "utf-8")
    PAGE.write_text(page(PAGE.read_text("utf-8"), rows), "utf-8")
