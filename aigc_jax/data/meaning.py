"""What the numbers of a data set mean to the networks trained on it: kept with a run, and held against the data later.

A network knows classes and characters as numbers alone. So a run keeps, in `data.json` of its work directory, which
number meant what. A later start reads changed texts in the kept vocabulary, and refuses other classes by name. What is
kept suffices to sample without the data: `recalled` makes the fields again.
"""

import dataclasses
import importlib
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from aigc_jax.data import fields as package
from aigc_jax.data.dataset import ArraySource, DataSet, Field, content_sha256
from aigc_jax.data.fields.tags import Tags
from aigc_jax.data.fields.texts import Text
from aigc_jax.data.files import some
from aigc_jax.errors import UserError

NAMED = 8  # classes that a message names


class Meaning(NamedTuple):
    """Of a data set, in what JSON can hold.

    name: the data set's; fields: each field's class, as `file.Class` under aigc_jax/data/fields, and its own fields,
    among them the class names or the characters; target: the one that is generated; example: field -> (dtype, shape)
    as it is stored; splits: split -> "examples", their number, and "sha256", of those in memory, else "".
    """

    name: str
    fields: dict[str, Any]
    target: str
    example: dict[str, Any]
    splits: dict[str, Any]

    @classmethod
    def of(cls, data: DataSet) -> "Meaning":
        """What the numbers of these data mean. Reads the splits that are in memory, for their SHA-256."""
        row = data.splits["train"][np.zeros(1, np.int64)]
        example = {name: (array.dtype.str, array.shape[1:]) for name, array in row.items()}
        splits = {
            name: {"examples": len(split), "sha256": content_sha256(split)} for name, split in data.splits.items()
        }
        fields = {name: described(field) for name, field in data.fields.items()}
        return cls.read(json.dumps(cls(data.name, fields, data.target, example, splits)._asdict()))

    @classmethod
    def read(cls, text: str) -> "Meaning":
        """The inverse of `written`. Raises ValueError, KeyError or TypeError for another text."""
        found = json.loads(text)
        parts = (dict(found[key]) for key in ("fields", "example", "splits"))
        fields, example, splits = parts
        return cls(str(found["name"]), fields, str(found["target"]), example, splits)

    def written(self) -> str:
        """As indented JSON."""
        return json.dumps(self._asdict(), indent=2, ensure_ascii=False) + "\n"


def described(field: Field) -> dict[str, Any]:
    """A field's class and its own fields."""
    own = {each.name: getattr(field, each.name) for each in dataclasses.fields(field) if each.init}  # type: ignore[arg-type]
    return {"name": f"{type(field).__module__.rpartition('.')[2]}.{type(field).__name__}", **own}


def _made(described: Mapping[str, Any]) -> Field:
    """The field that `described` described."""
    file, _, name = described["name"].partition(".")
    own = {key: tuple(value) if isinstance(value, list) else value for key, value in described.items() if key != "name"}
    return getattr(importlib.import_module(f"{package.__name__}.{file}"), name)(**own)


def recalled(kept: Meaning) -> DataSet:
    """The data set without its examples, of which each split has one that is all 0: for sampling without the data."""
    arrays = {name: np.zeros((1, *shape), dtype) for name, (dtype, shape) in kept.example.items()}
    fields = {name: _made(field) for name, field in kept.fields.items()}
    return DataSet(kept.name, dict.fromkeys(kept.splits, ArraySource(arrays)), fields, kept.target, at_hand=False)


def under(data: DataSet, kept: Meaning) -> DataSet:
    """The data with the meaning that the networks of a run know; its `changed` says what is new since then.

    Texts are read in the run's vocabulary. Raises UserError where classes are others.
    """
    if not _alike(data, kept):
        return data  # the configuration is another one, which is refused by its own keys
    said = []
    others = {
        name: replace(field, **known)
        for name, field in data.fields.items()
        if isinstance(field, Text) and (known := _tokenizer(kept.fields[name])) != _tokenizer(described(field))
    }
    if others:
        _movable(data)
        from aigc_jax.data.text_sets import recoded  # brings TFDS, which reading a run's folder alone does without

        data = recoded(data, others)
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


def _movable(data: DataSet) -> None:
    """Raises UserError where something lies beside tokens, which other tokens would be: those of pieces of words."""
    beside = [name for name, field in data.fields.items() if isinstance(field, Tags)]
    if beside and any(isinstance(field, Text) and field.inner.unit == "tokens" for field in data.fields.values()):
        raise UserError(
            f"{data.name} changed since training, and so would the tokens beside which its {some(beside)} lie: "
            "give the data of training again, or choose another --workdir."
        )


def _tokenizer(described: Mapping[str, Any]) -> dict[str, Any]:
    """What makes a text's tokens, of a described field."""
    return {key: described[key] for key in ("tokenizer", "model", "extra")}


def _examples(kept: Meaning, split: str) -> str:
    return f"{kept.splits.get(split, {}).get('examples', 0):,}"


def check(data: DataSet, kept: Meaning) -> None:
    """Raises UserError where numbers of the data mean something else than they did to a run."""
    differ = difference(data, kept) if _alike(data, kept) else ""
    if not differ:
        return
    if isinstance(data.made, Text):
        raise UserError(f"The run was trained on {differ}: build it with kept=Workdir(…).kept(), which reads them so.")
    raise UserError(
        f"The run was trained on {differ}: give it the classes of training again, or choose another --workdir."
    )


def difference(data: DataSet, kept: Meaning) -> str:
    """What tells the classes or characters of training from these, for a message; "" where nothing does.

    Fields of one name are compared: a frozen network may be trained on others.
    """
    for name, field in data.fields.items():
        if name not in kept.fields:
            continue
        now, then = field.meanings, _made(kept.fields[name]).meanings
        if now == then:
            continue
        if isinstance(field, Text):
            return f"another vocabulary ({len(then):,} tokens) than that of {data.name}"
        new, gone = [each for each in now if each not in then], [each for each in then if each not in now]
        parts = [f"has {some(new, NAMED)} besides" if new else "", f"lacks {some(gone, NAMED)}" if gone else ""]
        differ = " and ".join(filter(None, parts)) or f"has them in another order ({some(now, NAMED)})"
        return f"the classes {some(then, NAMED)}, and {data.name} {differ}"
    return ""


def _alike(data: DataSet, kept: Meaning) -> bool:
    kinds = {name: described(field)["name"] for name, field in data.fields.items()}
    return data.name == kept.name and kinds == {name: field["name"] for name, field in kept.fields.items()}
