"""What sets of records of texts share: splits by hash, one of each, and none of training's in held-out splits."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

from aigc_jax.data.files import some
from aigc_jax.data.splits import SPLITS, split_by_hash
from aigc_jax.errors import UserError

Record = dict[str, str]  # column -> text
Records = dict[str, list[Record]]  # split -> records
T = TypeVar("T")


def by_hash(items: Iterable[T], key: Callable[[T], str]) -> dict[str, list[T]]:
    """The items in train, validation and test, about 85 / 5 / 10, by the hash of a key alone, in their order."""
    splits: dict[str, list[T]] = {split: [] for split in SPLITS}
    for item in items:
        splits[split_by_hash(key(item))].append(item)
    return splits


def once(splits: Mapping[str, Sequence[Record]], columns: Sequence[str]) -> tuple[Records, int]:
    """The first of those records of a split that are alike in these columns, and how many others there were."""
    kept: Records = {}
    for split, records in splits.items():
        first: dict[tuple[str, ...], Record] = {}
        for record in records:
            first.setdefault(_key(record, columns), record)
        kept[split] = list(first.values())
    return kept, fewer(splits, kept)


def unseen(splits: Mapping[str, Sequence[Record]], *columns: Sequence[str]) -> tuple[Records, int]:
    """The splits without held-out records that repeat one of train, and how many did.

    columns: groups of them. A record repeats another that it is like in all columns of one group.
    """
    seen = [{_key(record, group) for record in splits["train"]} for group in columns]

    def repeats(record: Record) -> bool:
        return any(_key(record, group) in before for group, before in zip(columns, seen, strict=True))

    kept = {
        split: [record for record in records if split == "train" or not repeats(record)]
        for split, records in splits.items()
    }
    return kept, fewer(splits, kept)


def fewer(splits: Mapping[str, Sequence[T]], kept: Mapping[str, Sequence[T]]) -> int:
    """How many were left out of all splits together."""
    return sum(len(items) - len(kept[split]) for split, items in splits.items())


def whole(splits: Mapping[str, Sequence[T]], where: str, remedy: str) -> Mapping[str, Sequence[T]]:
    """The same splits. Raises UserError where one of them is empty."""
    if empty := [split for split, items in splits.items() if not items]:
        raise UserError(f"{where} has too few records: none of them is in {some(empty)}. {remedy}")
    return splits


def sizes(splits: Mapping[str, int]) -> str:
    """'train 1,355, validation 80, test 159'."""
    return ", ".join(f"{split} {count:,}" for split, count in splits.items())


def _key(record: Record, columns: Sequence[str]) -> tuple[str, ...]:
    return tuple(record[column] for column in columns)
