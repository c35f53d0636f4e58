"""Put models of points on a board: how far each is from the density that it was trained on.

    aigc_jax points runs/*_points --page=docs/ground-truth.md

RUN is the folder of a run on the data set `points`. The page's two tables, of the densities and of the models, are
written anew from the runs' records; what is on the board is kept beside the page as JSON. A run of a density and
family that the board has takes the place of the older one.
"""

import argparse
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from aigc_jax.data import catalogue
from aigc_jax.data.fields.points import Point
from aigc_jax.errors import UserError
from aigc_jax.metrics.record import read_records
from aigc_jax.ops import densities
from aigc_jax.train.journal import duration, measured
from aigc_jax.train.workdir import Workdir, write_whole

FORMS = {"JS": ".4f", "surprise": "+.3f", "off_data": ".2%", "modes": ".4g"}  # measure -> how a value is written
PARTS = {"rate", "elbo"}  # measured beside bits that are a bound, and not beside an exact likelihood
Row = Mapping[str, Any]
"""One run: "density", "family", "run", "seconds", "device", "divergence" (bits, or None), "exact" (or a bound), and
"figures": measure -> [value, low, high, floor]."""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("runs", metavar="RUN", type=Path, nargs="+")
    parser.add_argument("--page", type=Path, help="Markdown file whose tables are written anew; else they are printed")


def run(options: argparse.Namespace) -> None:
    """Prints the board, or writes it into --page. Raises UserError."""
    rows = {(row["density"], row["family"]): row for row in map(row_of, options.runs)}
    if options.page is None:
        print(board(list(rows.values())))
        return
    kept = options.page.with_suffix(".json")
    try:
        older = json.loads(kept.read_text("utf-8")) if kept.exists() else []
        rows = {(row["density"], row["family"]): row for row in older} | rows
        written = page(options.page.read_text("utf-8"), list(rows.values()))
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise UserError(f"{options.page} or {kept.name} cannot be read ({error!r}): repair or remove it.") from error
    write_whole(kept, json.dumps(list(rows.values()), indent=1) + "\n")
    write_whole(options.page, written)
    print(f"Written: {options.page}")


def row_of(folder: Path) -> Row:
    """What the newest records of a run say. Raises UserError where there are none, or they are not of points."""
    workdir = Workdir(folder)
    settings, _ = workdir.recorded()
    section = {key: value for key, value in settings["data"].items() if key != "batch_size"}
    if section["name"] != "points":
        raise UserError(f'{folder} is a run on "{section["name"]}": only runs on "points" are held to a known density.')
    records = read_records(workdir.records) if workdir.records.exists() else []
    if not records:
        raise UserError(f"There are no records in {folder}: train it to its end, with evals that draw samples.")
    newest = {record.protocol.measure: record for record in records if record.step == records[-1].step}
    if lacking := FORMS.keys() - newest.keys():
        raise UserError(f"The records in {folder} lack {', '.join(sorted(lacking))}: measure all that the board shows.")
    evaluation = settings["evaluate"]
    split, evaluated = evaluation["split"], evaluation["batches"] * evaluation["batch_size"] or None  # None = all
    data = catalogue.load(section, None)
    assert isinstance(data.made, Point)
    points = data.splits[split][np.arange(len(data.splits[split]))][data.target][:evaluated]
    measures = measured(workdir.metrics, records[-1].step, split)
    bits = _bits(measures)
    # The bits of these points, not the entropy: the noise of the draw then cancels.
    own = float(np.mean(-np.log2(data.made.density.masses[points[:, 0], points[:, 1]])))
    return {
        "density": data.made.density.name,
        "family": settings["method"]["name"],
        "run": folder.resolve().name,
        "seconds": records[-1].seconds,
        "device": records[-1].device,
        "divergence": None if bits is None else bits - own,
        "exact": not PARTS & measures.keys(),
        "figures": {
            name: [record.value, record.low, record.high, record.floor]
            for name, record in ((name, newest[name]) for name in FORMS)
        },
    }


def _bits(measures: Mapping[str, float]) -> float | None:
    """-log2 q of a point or the tightest bound on it; None where there is none."""
    bounds = {int(name[len("bound_") :]): value for name, value in measures.items() if name.startswith("bound_")}
    if bounds:
        return -bounds[max(bounds)] / math.log(2)
    return 2 * measures["bits_per_dim"] if "bits_per_dim" in measures else None  # a dimension is a coordinate


def page(text: str, rows: Sequence[Row]) -> str:
    """The page with its tables written anew. Raises UserError where it has no place for them."""
    for name, table in (("densities", truths()), ("board", board(rows))):
        before, opened, rest = text.partition(f"<!-- {name} -->\n")
        _, closed, after = rest.partition(f"<!-- end of {name} -->")
        if not closed:
            raise UserError(f"The page has no lines <!-- {name} --> and <!-- end of {name} -->: add them.")
        text = f"{before}{opened}\n{table}\n\n{closed}{after}"
    return text


def truths() -> str:
    """The table of all densities."""
    lines = ["| density | what it is | components | H(p), bits | cells that hold 99 % |", "|---|---|---|---|---|"]
    for name, make in densities.MAKERS.items():
        truth, what = densities.density(name), (make.__doc__ or "").rstrip(".")
        lines.append(
            f"| `{name}` | {what} | {truth.components} | {truth.entropy:.4f} | {truth.region.sum():,} of 65,536 |"
        )
    return "\n".join(lines)


def board(rows: Sequence[Row]) -> str:
    """A table for each density, the nearest to it first."""
    tables = []
    for name in densities.MAKERS:
        found = sorted((row for row in rows if row["density"] == name), key=lambda row: row["figures"]["JS"][0])
        if found:
            truth = densities.density(name)
            tables.append(
                "\n".join(
                    [
                        f"### {name}: {truth.entropy:.4f} bits\n",
                        "| model | KL(p‖q), bits | JS, bits | surprise, bits | off the data | modes | trained in |",
                        "|---|---|---|---|---|---|---|",
                        *map(_line, found),
                        _floors(found[0], truth),
                    ]
                )
            )
    return "\n\n".join(tables)


def _line(row: Row) -> str:
    divergence = row["divergence"]
    bits = "no likelihood" if divergence is None else f"{'=' if row['exact'] else '≤'} {divergence:.3f}"
    cells = []
    for name, form in FORMS.items():
        value, low, high, _ = row["figures"][name]
        cells.append(f"{value:{form}} [{low:{form}}, {high:{form}}]")
    return f"| {row['family']} | {bits} | {' | '.join(cells)} | {duration(row['seconds'])} |"


def _floors(row: Row, truth: densities.Density) -> str:
    floors = {name: row["figures"][name][-1] for name in FORMS}
    cells = ["–" if floors[name] is None else f"{floors[name]:{form}}" for name, form in FORMS.items()]
    return f"| *as many points of {truth.name} itself* | = 0 | {' | '.join(cells)} | – |"
