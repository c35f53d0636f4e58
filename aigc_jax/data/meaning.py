"""What the numbers of a data set mean to the networks trained on it: kept with a run, and held against the data later.

A network knows classes and characters as numbers alone. So a run keeps, in `data.json` of its work directory, which
number meant what. A later start reads changed texts in the kept vocabulary, and refuses other classes by name. What is
kept suffices to sample without the data: `recalled` makes the medium again.
"""

import dataclasses
import importlib
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from aigc_jax import data as package
from aigc_jax.data.dataset import ArraySource, DataSet, fingerprint
from aigc_jax.data.files import some
from aigc_jax.data.text import TextMedium
from aigc_jax.errors import UserError
from aigc_jax.ops import densities

NAMED = 8  # classes that a message names


class Meaning(NamedTuple):
    """Of a data set, in what JSON can hold.

    name: the data set's; medium: its class, as `file.Class` under aigc_jax/data, and its fields, among them the class
    names or the characters; facts: what networks and methods were filled from; example: field -> (dtype, shape) as it
    is stored; splits: split -> "examples", their number, and "sha256", of those in memory, else "".
    """

    name: str
    medium: dict[str, Any]
    facts: dict[str, Any]
    example: dict[str, Any]
    splits: dict[str, Any]

    @classmethod
    def of(cls, data: DataSet) -> "Meaning":
        """What the numbers of these data mean. Reads the splits that are in memory, for their SHA-256."""
        row = data.splits["train"][np.zeros(1, np.int64)]
        example = {name: (array.dtype.str, array.shape[1:]) for name, array in row.items()}
        splits = {name: {"examples": len(split), "sha256": fingerprint(split)} for name, split in data.splits.items()}
        return cls.read(json.dumps(cls(data.name, described(data.medium), dict(data.facts), example, splits)._asdict()))

    @classmethod
    def read(cls, text: str) -> "Meaning":
        """The inverse of `written`. Raises ValueError, KeyError or TypeError for another text."""
        found = json.loads(text)
        return cls(str(found["name"]), *(dict(found[key]) for key in cls._fields[1:]))

    def written(self) -> str:
        """As indented JSON."""
        return json.dumps(self._asdict(), indent=2, ensure_ascii=False) + "\n"


def described(medium: Any) -> dict[str, Any]:
    """A medium's class and fields."""
    fields = {field.name: getattr(medium, field.name) for field in dataclasses.fields(medium) if field.init}
    found: dict[str, Any] = {"name": f"{type(medium).__module__.rpartition('.')[2]}.{type(medium).__name__}"}
    for name, value in fields.items():
        if isinstance(value, densities.Density):
            value = value.name
        found[name] = described(value) if dataclasses.is_dataclass(value) else value
    return found


def _made(fields: Mapping[str, Any]) -> Any:
    """The medium that `described` described."""
    file, _, name = fields["name"].partition(".")
    values = {}
    for key, value in fields.items():
        if key == "density":
            value = densities.density(value)
        values[key] = _made(value) if isinstance(value, dict) else tuple(value) if isinstance(value, list) else value
    del values["name"]
    return getattr(importlib.import_module(f"{package.__name__}.{file}"), name)(**values)


def recalled(kept: Meaning) -> DataSet:
    """The data set without its examples, of which each split has one that is all 0: for sampling without the data."""
    arrays = {name: np.zeros((1, *shape), dtype) for name, (dtype, shape) in kept.example.items()}
    facts = {name: tuple(value) if isinstance(value, list) else value for name, value in kept.facts.items()}
    return DataSet(kept.name, dict.fromkeys(kept.splits, ArraySource(arrays)), _made(kept.medium), facts)


def under(data: DataSet, kept: Meaning) -> DataSet:
    """The data with the meaning that the networks of a run know; its `changed` says what is new since then.

    Texts are read in the run's vocabulary. Raises UserError where classes are others.
    """
    if not _alike(data, kept):
        return data  # the configuration is another one, which is refused by its own keys
    said = []
    if isinstance(data.medium, TextMedium) and data.medium.characters != kept.medium["characters"]:
        from aigc_jax.data.text_sets import (
            recoded,  # brings TFDS, which whoever reads a run's folder alone can do without
        )

        data = recoded(data, replace(data.medium, characters=kept.medium["characters"]))
        said.append(f"The texts are read in the vocabulary that the run was trained with. {data.notes[-1]}")
    check(data, kept)
    now = Meaning.of(data).splits
    if now != kept.splits:
        counts = [
            f"{split} {_examples(kept, split)} then, {now[split]['examples'] if split in now else 0:,} now"
            for split in {**kept.splits, **now}
        ]
        said.append(f"The data changed since training, in examples: {'; '.join(counts)}.")
    return replace(data, changed=tuple(said))


def _examples(kept: Meaning, split: str) -> str:
    return f"{kept.splits.get(split, {}).get('examples', 0):,}"


def check(data: DataSet, kept: Meaning) -> None:
    """Raises UserError where numbers of the data mean something else than they did to a run."""
    differ = difference(data, kept) if _alike(data, kept) else ""
    if not differ:
        return
    if isinstance(data.medium, TextMedium):
        raise UserError(f"The run was trained on {differ}: build it with kept=Workdir(…).kept(), which reads them so.")
    raise UserError(
        f"The run was trained on {differ}: give it the classes of training again, or choose another --workdir."
    )


def difference(data: DataSet, kept: Meaning) -> str:
    """What tells the classes or characters of training from these, for a message; "" where nothing does."""
    medium = described(data.medium)
    if medium.get("characters") != kept.medium.get("characters"):
        return f"another vocabulary ({len(kept.medium.get('characters', '')):,} characters) than that of {data.name}"
    now, then = _classes(medium), _classes(kept.medium)
    if now == then:
        return ""
    new, gone = [name for name in now if name not in then], [name for name in then if name not in now]
    parts = [f"has {some(new, NAMED)} besides" if new else "", f"lacks {some(gone, NAMED)}" if gone else ""]
    differ = " and ".join(filter(None, parts)) or f"has them in another order ({some(now, NAMED)})"
    return f"the classes {some(then, NAMED)}, and {data.name} {differ}"


def _alike(data: DataSet, kept: Meaning) -> bool:
    return data.name == kept.name and described(data.medium)["name"] == kept.medium.get("name")


def _classes(medium: Mapping[str, Any]) -> list[str]:
    return list(medium.get("images", medium).get("class_names", ()))
