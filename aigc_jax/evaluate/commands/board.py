"""Write the board: the figures of committed records, one table for each data set.

    python -m aigc_jax.evaluate board docs/records --out docs/board.md

A table is sorted by its first measure, from low to high. `published.json` beside the records has what papers report:
those figures follow another protocol, and stand apart.
"""

import argparse
import json
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from aigc_jax.errors import UserError
from aigc_jax.metrics.record import Record, latest, read, same_protocol
from aigc_jax.train.journal import duration

PUBLISHED = "published.json"
HEAD = """# Board

Written by `python -m aigc_jax.evaluate board docs/records --out docs/board.md` from the records that runs left; a cell
has the value and its 95 % interval by the bootstrap over samples. Figures of one table were measured alike, or this
page could not be written.
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("records", metavar="FOLDER", type=Path, help="of records, as .jsonl files")
    parser.add_argument("--out", type=Path, required=True, help="the page")


def run(options: argparse.Namespace) -> None:
    """Writes the page. Raises UserError where there are no records, or some were not measured alike."""
    paths = sorted(options.records.glob("*.jsonl"))
    records = [record for path in paths for record in latest(read(path))]
    if not records:
        raise UserError(f"There are no records in {options.records}: add a run's records.jsonl.")
    tables: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        tables[record.protocol.data].append(record)
    sections = [HEAD, *(table(name, found) for name, found in sorted(tables.items()))]
    if (path := options.records / PUBLISHED).is_file():
        sections.append(published(path))
    options.out.write_text("\n".join(sections), "utf-8")
    print(f"board: {options.out}")


def table(name: str, records: list[Record]) -> str:
    """A data set's section, in Markdown."""
    measures = list(dict.fromkeys(record.protocol.measure for record in records))
    by_measure = {measure: [r for r in records if r.protocol.measure == measure] for measure in measures}
    protocols = {measure: same_protocol(found) for measure, found in by_measure.items()}
    runs: dict[str, dict[str, Record]] = defaultdict(dict)
    for record in records:
        runs[record.run][record.protocol.measure] = record
    ranked = sorted(runs, key=lambda run: runs[run][measures[0]].value if measures[0] in runs[run] else float("inf"))
    rows = []
    for run_name in ranked:
        found = runs[run_name]
        one = next(iter(found.values()))
        cells = [_cell(found[measure]) if measure in found else "" for measure in measures]
        rows.append([run_name, *cells, duration(one.seconds), one.device, str(one.seed), f"{one.step:,}"])
    floors = {measure: {r.floor for r in found if r.floor is not None} for measure, found in by_measure.items()}
    rows.append(["*real samples*", *(f"{min(floors[m]):.4g}" if floors[m] else "" for m in measures), "", "", "", ""])
    first = protocols[measures[0]]
    extractor = f", features of {first.extractor} (weights {first.extractor_sha256[:12]})" if first.extractor else ""
    return "\n".join(
        [
            f"## {name}\n",
            *_markdown(["run", *measures, "training", "device", "seed", "step"], rows),
            f"\n{first.samples:,} samples against {first.references:,} of the split {first.split} (data "
            f"{first.data_sha256[:12]}){extractor}{f'; {first.pixels}' if first.pixels else ''}.\n",
        ]
    )


def _cell(record: Record) -> str:
    return f"{record.value:.4g} <small>{record.low:.4g} … {record.high:.4g}</small>"


def published(path: Path) -> str:
    """What others report, by protocols of their own. The file: [{"model", "value", "protocol", "source"}, …]."""
    try:
        rows = [
            [entry[key] for key in ("model", "value", "protocol", "source")]
            for entry in json.loads(path.read_text("utf-8"))
        ]
    except (ValueError, TypeError, KeyError) as error:
        raise UserError(f"{path} is no list of published figures ({error!r}): mend it.") from error
    head = ["model", "FID as published", "protocol", "source"]
    intro = "## Published, by other protocols\n\nNot to be compared with the tables above, nor with each other.\n"
    return "\n".join([intro, *_markdown(head, rows), ""])


def _markdown(head: Iterable[str], rows: Iterable[Iterable[str]]) -> list[str]:
    head = list(head)
    return [f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows)]
