"""Language models of one data set side by side, beside n-grams with Kneser-Ney smoothing: a table in Markdown.

    python benchmarks/text_table.py runs/gpt_tang runs/lstm_tang … [--split=test] [--order=5] [--data_dir=data]

Of each run its last evaluation of the split counts: bits a character and a byte with their 95 % intervals, the time of
training until then, and the parameters. "≤": the measure is a bound. The n-grams, of one token up to --order, are of
the first run's tokens and windows; --order=0 leaves them out.
"""

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from aigc_jax.data import catalogue
from aigc_jax.errors import UserError
from aigc_jax.metrics.bootstrap import Interval, interval, ratio
from aigc_jax.metrics.ngram import ngram_probabilities
from aigc_jax.metrics.record import Record, latest, read_records
from aigc_jax.train.workdir import Workdir

MEASURES = ("bits_per_char", "bits_per_byte")
BOUNDS = ("masked_diffusion", "text_vae")  # methods whose bits are at most what is measured
HEAD = ("model", "network", "trained", "parameters", "bits/char", "bits/byte", "windows")


class Row(NamedTuple):
    """A model's, with its measures by name."""

    model: str
    network: str
    trained: str
    parameters: str
    bits: Mapping[str, Interval]
    bound: bool
    windows: int


def of_run(folder: Path, split: str) -> tuple[Row, Record]:
    """(its row, the record of its bits). Raises UserError where it was not measured."""
    workdir = Workdir(folder)
    config, _ = workdir.recorded()
    about = json.loads(workdir.about.read_text("utf-8"))
    told = [record for record in read_records(workdir.folder) if record.protocol.split == split]
    found = {record.name: record for record in latest(told) if record.name in MEASURES}
    if not found:
        raise UserError(
            f'{folder} has no bits of the split "{split}": python main.py --mode=evaluate --workdir={folder}.'
        )
    record = next(iter(found.values()))
    bits = {name: Interval(each.value, each.low, each.high) for name, each in found.items()}
    method, network = config["method"]["name"], config["networks"]["net"]["name"]
    trained = f"{record.step:,} steps, {record.seconds / 60:.0f} min"
    count = f"{about['parameters']:,}"
    return Row(workdir.name, network, trained, count, bits, method in BOUNDS, record.protocol.samples), record


def of_ngrams(section: Mapping[str, Any], data_dir: Path | None, split: str, order: int) -> Iterator[Row]:
    """n-grams of 1 token, …, `order` tokens. section: `data` of a run."""
    data = catalogue.load({key: value for key, value in section.items() if key != "batch_size"}, data_dir)
    pad, vocabulary, units = (data.facts[name] for name in ("pad", "vocabulary", "units"))
    windows = {
        name: [row[row != pad].astype(np.int64) for row in source.arrays[data.target]]
        for name, source in data.splits.items()
        if name in ("train", split)
    }
    starts = np.cumsum([0, *(len(row) - 1 for row in windows[split])])[:-1]
    for n in range(1, order + 1):
        bits = -np.log2(ngram_probabilities(windows["train"], windows[split], n, vocabulary))
        totals = np.add.reduceat(bits, starts)
        found = {}
        for unit in units:
            counts = np.array([sum(unit.counts[token] for token in row[1:]) for row in windows[split]])
            found[f"bits_per_{unit.name}"] = interval(ratio(totals, counts), 0)
        yield Row(f"{n}-gram", "Kneser-Ney", "", "", found, False, len(windows[split]))


def table(rows: Sequence[Row]) -> str:
    """Markdown, the fewest bits a character first."""

    def told(row: Row, measure: str) -> str:
        if measure not in row.bits:
            return ""
        value, low, high = row.bits[measure]
        return f"{'≤ ' * row.bound}{value:.3f} [{low:.3f}, {high:.3f}]"

    lines = [HEAD, ["---"] * len(HEAD)]
    for row in sorted(rows, key=lambda row: row.bits[MEASURES[0]].value):
        lines.append([*row[:4], *(told(row, measure) for measure in MEASURES), f"{row.windows:,}"])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def page(folders: Sequence[Path], split: str, order: int, data_dir: Path | None) -> str:
    """The table and what stands above it. Raises UserError for runs of other data."""
    found = [of_run(folder, split) for folder in folders]
    sets = {record.protocol.data: record.run for _, record in found}
    if len(sets) > 1:
        told = ", ".join(f"{run} is of {data}" for data, run in sets.items())
        raise UserError(f"These runs are of several data sets, and do not compare: {told}.")
    rows = [row for row, _ in found]
    if order:
        config, _ = Workdir(folders[0]).recorded()
        rows += of_ngrams(config["data"], data_dir, split, order)
    said = f"{next(iter(sets))}, split {split}; 95 % intervals over windows."
    if len({record.protocol.data_sha256 for _, record in found}) > 1:
        said += " Not all runs have the same windows of it, or the same tokens."
    return f"{said}\n\n{table(rows)}"


def main() -> None:
    """Reads the arguments and prints the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN")
    parser.add_argument("--split", default="test")
    parser.add_argument("--order", type=int, default=5)
    parser.add_argument("--data_dir", type=Path)
    arguments = parser.parse_args()
    try:
        print(page(arguments.runs, arguments.split, arguments.order, arguments.data_dir))
    except UserError as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
