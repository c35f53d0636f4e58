"""Put the figures of several runs side by side.

    aigc_jax compare runs/a runs/b

Of each run its latest step counts. Figures of one name that were not measured alike are refused, with the difference.
"""

import argparse
from collections import defaultdict
from pathlib import Path

from aigc_jax.errors import UserError
from aigc_jax.metrics.record import Record, latest, read_records, same_protocol


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("records", metavar="RUN", type=Path, nargs="+", help="folders of runs, or files of records")


def run(options: argparse.Namespace) -> None:
    """Prints a table for each measure, sorted by value. Raises UserError."""
    measures: dict[str, list[Record]] = defaultdict(list)
    for path in options.records:
        for record in latest(read_records(path)):
            measures[record.name].append(record)
    if not measures:
        raise UserError(f"There is no record in {', '.join(map(str, options.records))}: measure something first.")
    for name, records in measures.items():
        protocol = same_protocol(records)
        floors = [record.floor for record in records if record.floor is not None]
        real = f"; real samples {floors[0]:.4g}" if floors else ""
        print(f"{name}, {protocol.samples} samples against {protocol.references} of {protocol.split}{real}")
        for record in sorted(records, key=lambda record: record.value):
            interval = f"[{record.low:.4g}, {record.high:.4g}]"
            print(f"  {record.run:<30} {record.value:>10.4g}  {interval:<24} step {record.step}")
