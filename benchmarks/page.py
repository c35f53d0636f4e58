"""docs/performance.md and docs/performance-pieces.md, made of what benchmarks/results/ keeps.

    python -m benchmarks.page

A folder of results for each device. The pages' other text is in this file and in what-is-done.md.
"""

import json
from pathlib import Path
from statistics import median
from types import ModuleType

from benchmarks import figures, pieces
from benchmarks.figures import RESULTS, Record, ratios, spread, table
from benchmarks.scale import page as scale
from benchmarks.turns import ROOT

PAGE, PIECES = ROOT / "docs/performance.md", ROOT / "docs/performance-pieces.md"
DONE = ROOT / "benchmarks/what-is-done.md"
HEAD = """# Performance

Made by `python -m benchmarks.page` from the files in [benchmarks/results](../benchmarks/results): change those.

How fast this project is, beside what people would use instead. Each row is one command. It runs ours and the peers in
turn (A B A B …), in processes of their own, with the same model, batch, precision and device. A ratio is our rate over
the peer's in the same round: above 1, ours is faster. Figures are medians of the rounds, with the least and the most in
brackets. Peers run as their packages do by default. Rows named tcmalloc have that allocator on all sides
(`launch/tcmalloc.sh`), the others that of the system. "Before" is this project at the commit that the command names.

Commands, memory and times of compiling: [performance-pieces.md](performance-pieces.md). What was tried and left:
[performance-log.md](performance-log.md).

```shell
make peers                                   # an environment for PyTorch, diffusers and transformers
python -m benchmarks list                    # the pieces of work
python -m benchmarks ddpm_step --write       # measures one, and keeps the figures
python -m benchmarks.page                    # makes this page of them
```
"""
HEAD_OF_PIECES = """# Performance, piece by piece

Made by `python -m benchmarks.page`, as [performance.md](performance.md) is, which says how it is measured.

* **% of ceiling**: FLOPs of the piece (counted once for all sides, by PyTorch's counter, GPT's by a formula) a second,
  over the best rate that any side reached on this device with a large matrix product or convolution. An algorithm that
  needs fewer multiplications can pass 100 %.
* **compile**: by how much the first run took longer than the second. Ours has no program cached, PyTorch may. Empty
  where many sides were made ready at once.
* **memory**: the process's peak on a CPU, which includes compiling; the device's peak on a GPU; a whole job's process.
"""


def ceilings(records: dict[str, list[Record]]) -> dict[str, float]:
    """The best rate of each ceiling, in its unit a second."""
    best: dict[str, float] = {}
    for name, found in records.items():
        for record in found:
            for facts in record["sides"].values():
                if facts["cost"] and not pieces.find(name).CEILING:
                    rate = facts["cost"] / facts["items"] * max(facts["rates"])
                    best[name] = max(best.get(name, 0.0), rate)
    return best


def whose(piece: ModuleType, side: str) -> str:
    """How tables name a side."""
    return "ours before" if side == "before" else piece.SIDES[side].whose


def summary(records: dict[str, list[Record]]) -> str:
    """A row for each piece and size: our rate, and its ratios."""
    rows = []
    for name, found in records.items():
        piece = pieces.find(name)
        for record in found:
            others = [side for side in record["sides"] if side not in ("ours", "before")]
            if "ours" not in record["sides"] or not others:
                continue
            before = spread(ratios(record, "ours", "before")) if "before" in record["sides"] else ""
            rows.append(
                [
                    name, figures.called(record),
                    f"{median(record['sides']['ours']['rates']):.4g} {piece.UNIT}/s",
                    "<br>".join(f"{whose(piece, side)}: **{spread(ratios(record, 'ours', side))}**" for side in others),
                    before,
                ]
            )  # fmt: skip
    return table(["piece", "size", "ours", "ours over the peer", "ours over before"], rows)


def details(name: str, found: list[Record], best: dict[str, float]) -> str:
    """The section of a piece."""
    piece, parts = pieces.find(name), []
    for record in found:
        rows = []
        for side, facts in record["sides"].items():
            work = figures.cost(record) * median(facts["rates"])
            ceiling = best.get(piece.CEILING)
            rows.append(
                [
                    whose(piece, side),
                    f"{spread(facts['rates'], '.4g')}",
                    f"{work / ceiling:.0%}" if work and ceiling else "",
                    f"{facts['parameters']:,}" if facts["parameters"] else "",
                    f"{facts['peak_bytes'] / 2**20:,.0f} MiB",
                    figures.compiling(facts),
                ]
            )
        settings = ", ".join(f"{key} {value}" for key, value in record["settings"].items())
        head = ["side", f"{piece.UNIT} a second", "% of ceiling", "parameters", "memory", "compile"]
        lines = [f"**{figures.called(record)}**: {settings}", "", table(head, rows), "", f"`{record['command']}`"]
        lines += [f"* Not measured: {whose(piece, side)}: {why}" for side, why in record["absent"].items()]
        parts.append("\n".join(lines))
    return "\n\n".join([f"### {name}", " ".join(piece.__doc__.split()), *parts])


def versions(records: dict[str, list[Record]]) -> str:
    """What ran, of every package all its versions."""
    found: dict[str, set[str]] = {}
    for each in (facts for many in records.values() for record in many for facts in record["sides"].values()):
        for package, version in each["versions"].items():
            found.setdefault(package, set()).add(version)
    return ", ".join(f"{package} {' and '.join(sorted(some))}" for package, some in found.items())


def of_device(folder: Path) -> tuple[str, str]:
    """The part of one device: (its summary, its pieces)."""
    records = figures.read(folder)
    best = ceilings(records)
    head = f"## {next(iter(records.values()))[0]['device']}"
    top = ", ".join(
        f"{name} {rate / 1e9:,.0f} G{'B' if name == 'bandwidth' else 'FLOP'}/s" for name, rate in best.items()
    )
    pieces_of_it = [details(name, found, best) for name, found in records.items()]
    return "\n\n".join([head, summary(records)]), "\n\n".join(
        [head, f"Measured ceilings: {top}. {versions(records)}.", *pieces_of_it]
    )


def pages() -> dict[Path, str]:
    """The text of each page."""
    summaries, of_pieces = zip(*(of_device(path) for path in sorted(RESULTS.iterdir()) if path.is_dir()), strict=True)
    of_scale = scale.page(json.loads((RESULTS / "scale.json").read_text("utf-8")))
    done = f"## What is done for speed\n\n{DONE.read_text('utf-8').strip()}"
    return {
        PAGE: "\n\n".join([HEAD.strip(), *summaries, done, of_scale]),
        PIECES: "\n\n".join([HEAD_OF_PIECES.strip(), *of_pieces]) + "\n",
    }


if __name__ == "__main__":
    for path, text in pages().items():
        path.write_text(text, "utf-8")
        print(f"Written: {path}")
