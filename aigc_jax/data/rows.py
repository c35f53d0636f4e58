"""Samples as rows of a data set: to look at, and for programs to read."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from aigc_jax.data.dataset import DataSet
from aigc_jax.data.exhibit import Exhibit
from aigc_jax.errors import naming
from aigc_jax.ops.enlarge import fits, repeated

CHARACTER = "character"  # the field of the character that an image shows
TRUTH = "truth"  # in rows of samples: the targets that the data have for what was given


def shown(data: DataSet, rows: Mapping[str, np.ndarray]) -> Exhibit:
    """What there is to look at. rows: stored; the target, and beside it what was given that looks like it, and TRUTH.

    Images that samples are generated from stand to their left, smaller ones with repeated pixels, and the true ones to
    their right.
    """
    made, size = data.made, rows[data.target].shape[1:]

    def alike(name: str) -> bool:
        if name not in rows or data.fields[name].kind != made.kind or rows[name].ndim != len(size) + 1:
            return False
        own = rows[name].shape[1:]
        return own == size or (len(size) == 3 and own[-1] == size[-1] and fits(own, size))

    beside = [*filter(alike, data.given), data.target]
    if len(beside) == 1:
        return made.show(made.among(rows, data.target, data.fields))
    beside += [TRUTH] if TRUTH in rows else []
    large = [rows[name] if rows[name].shape[1:] == size else repeated(rows[name], size) for name in beside]
    table = np.stack(large, axis=1)
    groups = max(1, round((len(table) / len(beside)) ** 0.5))  # so that the page is about square
    return made.show(made.values(table.reshape(-1, *size)), len(beside) * groups)


def save(data: DataSet, rows: Mapping[str, np.ndarray], lines: Sequence[Mapping[str, str]], stem: Path) -> list[Path]:
    """Writes samples where a program can read them, and what was asked for, as `sample.given` takes it.

    Texts are `<stem>.jsonl`, {"text": …} a line; arrays are `<stem>.npz`, each field by its name. What was given is in
    `<stem>.given.jsonl`, a line a sample, where anything was.
    """
    stem.parent.mkdir(parents=True, exist_ok=True)
    target = data.made.among(rows, data.target, data.fields)
    if target.dtype.kind == "U":
        written = [_lines(stem.with_name(f"{stem.name}.jsonl"), [{data.target: str(text)} for text in target])]
    else:
        path = stem.with_name(f"{stem.name}.npz")
        with naming(path):
            np.savez_compressed(path, **{name: rows[name] for name in rows})  # type: ignore[arg-type]
        written = [path]
    return [*written, _lines(stem.with_name(f"{stem.name}.given.jsonl"), lines)] if any(lines) else written


def _lines(path: Path, lines: Sequence[Mapping[str, Any]]) -> Path:
    with naming(path):
        path.write_text("".join(f"{json.dumps(line, ensure_ascii=False)}\n" for line in lines), "utf-8")
    return path
