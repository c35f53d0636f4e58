"""What a report shows beside samples: real examples, nearest training examples, and what the run is made of.

It is written into the run's folder while the data are loaded: a report is made of files alone.
"""

import itertools
import json
import platform
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

from aigc_jax import __version__
from aigc_jax.data.dataset import Source, TextSource
from aigc_jax.data.grid import write_grid
from aigc_jax.errors import naming
from aigc_jax.metrics.memorisation import longest_shared, nearest_of
from aigc_jax.metrics.record import commit
from aigc_jax.train.run import SHOWN, Run
from aigc_jax.train.workdir import Workdir, write_whole

BESIDE = 8  # samples whose nearest training examples are looked for
LOOKED_THROUGH = 2**28  # bytes of training examples, at most
CHARACTERS = 2**21  # of training texts, at most
AT_A_TIME = 4096  # examples in memory


def facts(run: Run) -> dict[str, Any]:
    """Versions, devices, numbers of parameters and of examples by split."""
    return {
        "aigc_jax": __version__,
        "jax": jax.__version__,
        "Python": platform.python_version(),
        "device": f"{jax.device_count()} × {jax.devices()[0].device_kind}",
        "parameters": sum(leaf.size for leaf in jax.tree.leaves(run.programs.described.params)),
        "data": run.data.name,
        "examples": {name: len(source) for name, source in run.data.splits.items()},
    }


def describe(workdir: Workdir, run: Run) -> None:
    """Writes about.json, and real training examples, as many as samples are drawn."""
    if jax.process_index():
        return
    train = run.data.splits["train"]
    chosen = _some(train, min(run.sampling.n, SHOWN))
    run.data.made.show(_values(run, train[chosen])).write(workdir.real)
    about = {**facts(run), "commit": commit(), "notes": [*run.data.notes, *run.data.changed]}
    write_whole(workdir.about, json.dumps(about, indent=1, ensure_ascii=False) + "\n")


def compare(workdir: Workdir, run: Run, step: int, rows: Mapping[str, np.ndarray]) -> None:
    """Writes some samples beside the training examples nearest to them. rows: as `Run.samples` gives them.

    For texts it is the longest part that is also in the training texts. For points nothing is written: their density
    is known.
    """
    made = run.data.made
    if jax.process_index() or made.kind not in ("images", "texts"):
        return
    values = _values(run, rows)
    said = _images(workdir, run, values[:BESIDE]) if made.kind == "images" else _texts(workdir, run, values[:BESIDE])
    alike = len(values) > 1 and all(np.array_equal(value, values[0]) for value in values)
    write_whole(Path(f"{workdir.nearest}.json"), json.dumps({"step": step, "said": said, "alike": alike}) + "\n")


def _images(workdir: Workdir, run: Run, samples: np.ndarray) -> str:
    train, heldout = _splits(run)
    numbers, distances = nearest_of(_chunks(run, train), samples)
    with naming(workdir.nearest):
        nearest = _values(run, train[numbers])
        write_grid(np.concatenate([samples, nearest]), workdir.nearest, len(samples))
    said = (
        "Samples (first row) and the training image nearest to each by its pixels (second row). They differ by "
        f"{np.median(distances):.3g} grey levels (root mean square; the median)"
    )
    if heldout is not None:
        _, usual = nearest_of(_chunks(run, train), _values(run, heldout[_some(heldout, BESIDE)]))
        said += (
            f", and images of the {run.evaluation.split} split by {np.median(usual):.3g}: samples that are much nearer "
            "than those may be copies"
        )
    return f"{said}.{_of(_looked_at(train), len(train))}"


def _texts(workdir: Workdir, run: Run, samples: np.ndarray) -> str:
    train, heldout = _splits(run)
    texts = train.texts() if isinstance(train, TextSource) else itertools.chain.from_iterable(_chunks(run, train))
    joined = "\n".join(map(str, texts))
    known = joined[:CHARACTERS]
    found = [longest_shared(str(sample), known) for sample in samples]
    pairs = enumerate(zip(samples, found, strict=True), 1)
    lines = [f"[{number}] {len(stretch)} of {len(text)} characters\n{stretch}\n" for number, (text, stretch) in pairs]
    with naming(workdir.nearest):
        Path(f"{workdir.nearest}.txt").write_text("\n".join(lines), "utf-8")
    said = (
        "Of each sample the longest stretch that stands in the training texts as it is: "
        f"{np.median(list(map(len, found))):.3g} characters (the median)"
    )
    if heldout is not None:
        real = _values(run, heldout[_some(heldout, BESIDE)])
        usual = [len(longest_shared(str(text), known)) for text in real]
        said += (
            f", and {np.median(usual):.3g} of texts of the {run.evaluation.split} split: samples of which much longer "
            "ones do may be copies"
        )
    return f"{said}.{_of(len(known), len(joined))}"


def _splits(run: Run) -> tuple[Source, Source | None]:
    """(the training split, a split that the model is not trained on, if there is one)."""
    splits, name = run.data.splits, run.evaluation.split
    return splits["train"], splits[name] if name != "train" else None


def _some(source: Source, count: int) -> np.ndarray:
    """The same numbers of examples each time."""
    return np.random.default_rng(0).choice(len(source), min(count, len(source)), replace=False)


def _looked_at(source: Source) -> int:
    """How many examples are looked through."""
    one = sum(array.nbytes for array in source[np.zeros(1, np.int64)].values())
    return min(len(source), max(LOOKED_THROUGH // max(one, 1), AT_A_TIME))


def _of(looked_at: int, there: int) -> str:
    return "" if looked_at == there else f" Looked at: the first {looked_at:,} of {there:,}."


def _chunks(run: Run, source: Source) -> Iterator[np.ndarray]:
    """The examples that are looked through, as values."""
    count = _looked_at(source)
    for start in range(0, count, AT_A_TIME):
        yield _values(run, source[np.arange(start, min(start + AT_A_TIME, count))])


def _values(run: Run, rows: Mapping[str, np.ndarray]) -> np.ndarray:
    return run.data.made.values(rows[run.data.target])
