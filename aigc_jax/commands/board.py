"""Write the board: the figures of committed records, one table for each data set.

    aigc_jax board docs/records --out docs/board.md --measures FD-fashion_mnist bits_per_dim

A table has the measures in the order given, where its data have them, and is sorted by the first one, from low to high.
Beside the Markdown page an HTML page of the same name has the intervals as pictures. `published.json` beside the
records has what papers report: those figures follow another protocol, and stand apart.
"""

import argparse
import html
import json
import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from aigc_jax import plot
from aigc_jax.errors import UserError
from aigc_jax.metrics.bootstrap import Interval
from aigc_jax.metrics.record import RECORDS, Record, latest, read_records, same_protocol
from aigc_jax.train.journal import duration
from aigc_jax.train.report import STYLE, notes
from aigc_jax.train.workdir import write_whole

PUBLISHED = "published.json"
INTRO = (
    "From the records that runs left. A cell has the value and its 95 % interval by the bootstrap over samples; the "
    "last row is what as many real samples reach that no model has seen: the nearer to it, the better. Figures of one "
    "column were measured alike, or this page could not be written."
)
WIDE = "body{max-width:90rem}"  # for the columns of many measures
APART = "Not to be compared with the tables above, nor with each other."


class Table(NamedTuple):
    """A section of the page."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str]
    pictures: Sequence[str] = ()  # SVG


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("records", metavar="FOLDER", type=Path, help="of records, as .jsonl files, or of runs")
    parser.add_argument("--out", type=Path, required=True, help="the page, in Markdown; a .html is written beside it")
    parser.add_argument("--measures", nargs="+", help="that are shown (default: all; each has to be measured alike)")


def run(options: argparse.Namespace) -> None:
    """Writes the pages. Raises UserError where there are no such records, or some were not measured alike."""
    is_run = (options.records / RECORDS).is_file()
    of_runs = [path.parent for path in options.records.glob(f"*/{RECORDS}")]
    paths = [options.records] if is_run else sorted([*options.records.glob("*.jsonl"), *of_runs])
    records = [record for path in paths for record in latest(read_records(path))]
    wanted = options.measures or list(dict.fromkeys(record.protocol.measure for record in records))
    by_data: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        if record.protocol.measure in wanted:
            by_data[record.protocol.data].append(record)
    if not by_data:
        raise UserError(f"There are no such records in {options.records}: give a folder of runs that were measured.")
    tables = [of_data(name, wanted, found) for name, found in sorted(by_data.items())]
    if (path := options.records / PUBLISHED).is_file():
        tables.append(published(path))
    shown = f" --measures {' '.join(options.measures)}" if options.measures else ""
    command = f"aigc_jax board {options.records} --out {options.out}{shown}"
    page = options.out.with_suffix(".html")
    write_whole(options.out, markdown(tables, command))
    write_whole(page, hypertext(tables, command))
    print(f"board: {options.out}, {page}")


def of_data(name: str, wanted: Sequence[str], records: Sequence[Record]) -> Table:
    """A data set's table."""
    by_measure = {measure: [r for r in records if r.protocol.measure == measure] for measure in wanted}
    by_measure = {measure: found for measure, found in by_measure.items() if found}
    protocols = {measure: same_protocol(found) for measure, found in by_measure.items()}
    floors = {measure: _floor(found) for measure, found in by_measure.items()}
    runs: dict[tuple[str, int], dict[str, Record]] = defaultdict(dict)
    for record in records:
        runs[record.run, record.seed][record.protocol.measure] = record
    first = next(iter(by_measure))
    rows = []
    for run in sorted(runs, key=lambda run: runs[run][first].value if first in runs[run] else float("inf")):
        found = runs[run]
        one = next(iter(found.values()))
        cells = [_cell(found[measure]) if measure in found else "" for measure in by_measure]
        rows.append([one.run, *cells, duration(one.seconds), one.device, str(one.seed), f"{one.step:,}"])
    real = ["" if floor is None else f"{floor:.4g}" for floor in floors.values()]
    rows.append(["*real samples*", *real, "", "", "", ""])
    names = [name for name, _ in runs]

    def label(record: Record) -> str:
        return record.run if names.count(record.run) == 1 else f"{record.run}, seed {record.seed}"

    pictures = [
        plot.intervals(measure, {label(r): Interval(r.value, r.low, r.high) for r in found}, floors[measure])
        for measure, found in by_measure.items()
    ]
    head = ["run", *by_measure, "time", "device", "seed", "step"]
    return Table(name, head, rows, [f"{note}." for note in notes(protocols)], pictures)


def _cell(record: Record) -> str:
    return f"{record.value:.4g}<br><small>{record.low:.4g} … {record.high:.4g}</small>"


def _floor(records: Sequence[Record]) -> float | None:
    return next((record.floor for record in records if record.floor is not None), None)


def published(path: Path) -> Table:
    """What others report, by protocols of their own. The file: [{"model", "value", "protocol", "source"}, …]."""
    try:
        rows = [
            [entry[key] for key in ("model", "value", "protocol", "source")]
            for entry in json.loads(path.read_text("utf-8"))
        ]
    except (ValueError, TypeError, KeyError) as error:
        raise UserError(f"{path} is no list of published figures ({error!r}): mend it.") from error
    return Table("Published, by other protocols", ["model", "FID as published", "protocol", "source"], rows, [APART])


def markdown(tables: Sequence[Table], command: str) -> str:
    """The page, whose `small` is HTML, as Markdown has it."""
    lines = ["# Board", "", f"Written by `{command}`. {INTRO}"]
    for table in tables:
        lines += ["", f"## {table.title}", ""]
        lines += [f"| {' | '.join(row)} |" for row in (table.head, ["---"] * len(table.head), *table.rows)]
        lines += [f"\n{note}" for note in table.notes]
    return "\n".join(lines) + "\n"


def hypertext(tables: Sequence[Table], command: str) -> str:
    """The page with its pictures, in one file."""
    parts = [f"<h1>Board</h1><p>Written by <code>{html.escape(command)}</code>. {INTRO}</p>"]
    for table in tables:
        head = "".join(f"<th>{html.escape(cell)}" for cell in table.head)
        rows = "".join(f"<tr>{''.join(f'<td>{_hypertext(cell)}' for cell in row)}" for row in table.rows)
        items = "".join(f"<li>{html.escape(note)}" for note in table.notes)
        pictures = "".join(f"<figure>{picture}</figure>" for picture in table.pictures)
        parts.append(f"<h2>{html.escape(table.title)}</h2><table><tr>{head}{rows}</table>")
        parts.append(f"<small><ul>{items}</ul></small>{pictures}")
    head = '<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Board</title>'
    return f'<!doctype html><html lang="en">{head}<style>{STYLE}{WIDE}</style>{"".join(parts)}</html>\n'


def _hypertext(cell: str) -> str:
    """A cell's text; its marks in Markdown or HTML are kept."""
    escaped = re.sub(r"&lt;(br|small|/small)&gt;", r"<\1>", html.escape(cell))
    return f"<em>{escaped.strip('*')}</em>" if escaped.startswith("*") else escaped
