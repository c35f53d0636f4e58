"""What `sample.given` asks for: rows of what samples are generated from."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from aigc_jax.data.dataset import DataSet
from aigc_jax.errors import NotAtHand, UserError
from aigc_jax.method import KNOWN, UNLIKE
from aigc_jax.places import expanded

ROW = re.compile(r"(?P<split>\w+):(?P<number>\d+)$")  # of the data: "test:17"


class Asked(NamedTuple):
    """What n samples are to be generated from, the first ones the same for any n.

    rows: field -> stored rows [n, ...]; KNOWN: the beginnings of targets, stored as they are. truth: the true targets
    of these rows, stored; None = they are not of the data. lines: what was asked for each, field -> text. beside: the
    classes that the data have for them and the model does not read, such as the character that an image shows.
    """

    rows: Mapping[str, np.ndarray]
    truth: np.ndarray | None
    lines: Sequence[Mapping[str, str]]
    beside: Mapping[str, np.ndarray] = {}


def asked(data: DataSet, reads: Sequence[str], text: str, n: int, seed: int, heldout: str) -> Asked:
    """Understands `sample.given`.

        ""                      anything: classes at random, or the rows of the held-out split
        cat    春江花月夜         a value of the one field that the model reads: a class, a file, a beginning
        label=cat;source=…      values of several fields
        split:test              rows of a split, in their order, and their true targets
        requests.jsonl          a line a sample, {"label": "cat"}, from the first again after the last

    reads: `Method.reads`. seed: of what is drawn at random. heldout: the split for what cannot be.
    Raises UserError where it cannot be understood, or the model reads nothing.
    """
    found = _understood(data, reads, text, n, seed, heldout)
    if KNOWN not in found.rows:
        return found
    known = found.rows[KNOWN]  # of few widths: each is another program
    width = min(1 << (known.shape[1] - 1).bit_length(), data.made.facts["length"] + 1)
    return found._replace(rows={**found.rows, KNOWN: padded(known, width, data)})


def unlike(data: DataSet, reads: Sequence[str], text: str, n: int) -> dict[str, np.ndarray]:
    """Understands `sample.negative`, which is a value or values of several fields, as `sample.given` has them.

    Gives rows [n, ...] under the fields' names with UNLIKE before them. Raises UserError where it cannot be understood.
    """
    reads = [name for name in reads if name != KNOWN]
    if text and not reads:
        raise UserError(f'This model is given nothing that "{text}" could be in place of: leave sample.negative empty.')
    return {UNLIKE + name: _parsed(data, name, value, n) for name, value in _values(reads, text, "negative").items()}


def _understood(data: DataSet, reads: Sequence[str], text: str, n: int, seed: int, heldout: str) -> Asked:
    if not reads:
        if text:
            raise UserError(f'This model is given nothing, such as "{text}": leave sample.given empty.', code=2)
        return Asked({}, None, [{}] * n)
    if text.startswith("split:"):
        return _of_split(data, reads, text.removeprefix("split:"), n)
    if text.endswith(".jsonl"):
        lines = _lines(expanded(text), reads)
        lines = [lines[i % len(lines)] for i in range(n)]
        return _rest(data, reads, _each(data, lines), lines, n, seed, heldout)
    values = _values(reads, text)
    rows = {name: _parsed(data, name, value, n) for name, value in values.items()}
    return _rest(data, reads, rows, _said(data, values, rows, n), n, seed, heldout)


def _values(reads: Sequence[str], text: str, key: str = "given") -> dict[str, str]:
    """Field -> what is asked of it. key: of the section `sample`."""
    if not text:
        return {}
    if text.partition("=")[0] in reads:
        parts = [part.partition("=") for part in text.split(";")]
        if unknown := [name for name, _, _ in parts if name not in reads]:
            raise UserError(f'The model does not read "{unknown[0]}": it reads {", ".join(reads)}.', code=2)
        return {name: value for name, _, value in parts}
    if len(reads) > 1:
        raise UserError(
            f'"{text}" could be any of {", ".join(reads)}: write --config.sample.{key}="{reads[0]}={text}".', code=2
        )
    return {reads[0]: text}


def _said(data: DataSet, values: Mapping[str, str], rows: Mapping[str, np.ndarray], n: int) -> list[dict[str, str]]:
    """A line a sample that asks for its rows again: "each" is another class in each of them."""
    found = {name: data.fields[name].values(rows[name]) for name in values if name != KNOWN}
    names = {name: each for name, each in found.items() if each.dtype.kind == "U"}
    return [{**values, **{name: str(each[i]) for name, each in names.items()}} for i in range(n)]


def _parsed(data: DataSet, name: str, value: str, n: int) -> np.ndarray:
    if name == KNOWN:
        return data.made.begin(value, n)
    if (row := ROW.match(value)) and row["split"] in data.splits:
        return np.repeat(_row_numbers(data, row["split"], np.array([int(row["number"])]))[name], n, axis=0)
    return data.fields[name].parse(value, n)


def _row_numbers(data: DataSet, split: str, numbers: np.ndarray) -> dict[str, np.ndarray]:
    if not data.at_hand:
        raise NotAtHand(f'sample.given: rows of "{split}" need the data, and they are not at hand.', code=2)
    if split not in data.splits:
        there = ", ".join(data.splits)
        raise UserError(f'sample.given: there is no split "{split}" of {data.name} (there is {there}).', code=2)
    source = data.splits[split]
    return source[numbers % len(source)]


def _of_split(data: DataSet, reads: Sequence[str], split: str, n: int) -> Asked:
    fields = [name for name in reads if name != KNOWN]
    if not fields:
        raise UserError(f"This model is given no field of the data, such as those of split:{split}.", code=2)
    found = _row_numbers(data, split, np.arange(n))
    truth = None if split in data.unpaired else found[data.target]
    size = len(data.splits[split])
    lines = [{name: f"{split}:{i % size}" for name in fields} for i in range(n)]
    beside = {name: found[name] for name, field in data.given.items() if name not in fields and field.kind == "labels"}
    return Asked({name: found[name] for name in fields}, truth, lines, {} if truth is None else beside)


def _lines(path: Path, reads: Sequence[str]) -> list[dict[str, str]]:
    try:
        found = [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"sample.given: {path} cannot be read as JSON, an object a line ({error}).", code=2) from error
    for number, line in enumerate(found, 1):
        wrong = not isinstance(line, dict) or not all(isinstance(value, str | int) for value in line.values())
        if wrong or not set(line) <= set(reads):
            raise UserError(
                f'{path}, line {number}: give texts for {", ".join(reads)}, as {{"{reads[0]}": "…"}}.', code=2
            )
    if not found:
        raise UserError(f"sample.given: {path} is empty: write a line for each sample.", code=2)
    return [{name: str(value) for name, value in line.items()} for line in found]


def _each(data: DataSet, lines: Sequence[Mapping[str, str]]) -> dict[str, np.ndarray]:
    """Rows of the fields that every line names, parsed once for each text that differs."""
    rows = {}
    for name in lines[0]:
        if lacking := [number for number, line in enumerate(lines, 1) if name not in line]:
            raise UserError(f'sample.given: line {lacking[0]} lacks "{name}", which others have: add it.', code=2)
        known = {value: _parsed(data, name, value, 1) for value in dict.fromkeys(line[name] for line in lines)}
        if name == KNOWN:
            known = {value: padded(row, max(x.shape[1] for x in known.values()), data) for value, row in known.items()}
        rows[name] = np.concatenate([known[line[name]] for line in lines])
    return rows


def padded(known: np.ndarray, width: int, data: DataSet) -> np.ndarray:
    """Beginnings [n, P] filled up to a width by tokens that stand for none."""
    return np.pad(known, ((0, 0), (0, width - known.shape[1])), constant_values=data.made.facts["pad"])


def _rest(
    data: DataSet,
    reads: Sequence[str],
    rows: dict[str, np.ndarray],
    lines: Sequence[Mapping[str, str]],
    n: int,
    seed: int,
    heldout: str,
) -> Asked:
    """With the fields that nothing was asked of: drawn at random, or rows of the data where one of them cannot be."""
    left = [name for name in reads if name != KNOWN and name not in rows]
    drawn = {name: data.fields[name].anything(n, seed) for name in left}
    if any(found is None for found in drawn.values()):
        of_data = _of_split(data, left, heldout, n)
        lines = [{**line, **more} for line, more in zip(lines, of_data.lines, strict=True)]
        if not rows:
            return of_data._replace(lines=lines)
        return Asked({**rows, **of_data.rows}, None, lines)
    found = {name: x for name, x in drawn.items() if x is not None}
    said = {name: data.fields[name].values(x) for name, x in found.items()}
    lines = [{**line, **{name: str(each[i]) for name, each in said.items()}} for i, line in enumerate(lines)]
    return Asked({**rows, **found}, None, lines)
