"""Pairs of any set of images: each image, and what is left of it when something is taken away or spoilt.

    edges, grey, small, quarter       the same of an image always (`data.reduction`)
    noisy, blurred, masked, mixed     drawn for each image (`data.damage`)

What is drawn is a function of (seed, split, number of the example): the same in every epoch and every run. With
`rounds` a training image comes that many times in an epoch, with another damage in each round. What is derived has the
shape of the image, but for `quarter`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from aigc_jax.data import catalogue, damage, reduction
from aigc_jax.data.dataset import ArraySource, DataSet, Source, content_sha256
from aigc_jax.data.fields.pixels import Pixels
from aigc_jax.data.store import cached, folder_name
from aigc_jax.errors import ConfigError
from aigc_jax.ranges import Seed, Size

BLOCK = reduction.BLOCK
CHUNK = 1024  # images derived at a time
TRAIN = "train"  # the split that has rounds
Derive = Literal["edges", "grey", "small", "quarter", "noisy", "blurred", "masked", "mixed"]


@dataclass(frozen=True)
class Derived:
    """A split that streams, with what is derived.

    image: the field that it is derived from; seed, split: of what is drawn; rounds: times that every image comes in an
    epoch.
    """

    source: Source
    image: str
    derive: str
    seed: int = 0
    split: str = ""
    rounds: int = 1
    arrays: None = None

    def __len__(self) -> int:
        return self.rounds * len(self.source)

    def __getitem__(self, indices: np.ndarray) -> dict[str, np.ndarray]:
        rows = self.source[indices % len(self.source)]
        images = rows[self.image]
        if self.derive in reduction.REDUCTIONS:
            return {self.derive: reduction.REDUCTIONS[self.derive](images), **rows}
        return {self.derive: damage.damaged(self.derive, images, indices.tolist(), self.seed, self.split), **rows}


def load(*, data_dir: Path, of: Mapping[str, Any], derive: Derive, seed: Seed = 0, rounds: Size = 1) -> DataSet:
    """The pairs: the fields of `of`, and one that is named by what is derived, which its image is made from.

    of: a section `data` of images, with its name and keys; derive: edges, grey, small, quarter, noisy, blurred, masked
    or mixed; seed: of what the last four draw; rounds: damages of a training image, another one in each round.
    """
    data = catalogue.load(of, data_dir)
    made = data.made
    if not isinstance(made, Pixels):
        raise ConfigError(f'"data.of" names {data.name}, which holds no images: name a set of images.')
    _check(derive, made, rounds)
    sizes = {split: rounds if split == TRAIN else 1 for split in data.splits}
    streaming = {
        split: Derived(source, data.target, derive, seed, split, sizes[split]) for split, source in data.splits.items()
    }
    fields = {derive: _quarter(made) if derive == "quarter" else made, **data.fields}
    notes = (*data.notes, _note(derive, rounds))
    splits = {**streaming, **_in_memory(data, streaming)}
    return replace(data, name="derived_pairs", splits=splits, fields=fields, notes=notes)


def _check(derive: str, made: Pixels, rounds: int) -> None:
    in_blocks = derive in (*reduction.IN_BLOCKS, "mixed")
    if in_blocks and (made.size[0] % BLOCK or made.size[1] % BLOCK):
        sides = f"{made.size[0]} × {made.size[1]}"
        raise ConfigError(
            f"data.derive: {derive} takes blocks of {BLOCK} pixels, and the images are {sides}: resize them."
        )
    if derive == "quarter" and made.pad % BLOCK:
        raise ConfigError(
            f'"data.of.pad" is {made.pad}, and data.derive "quarter" takes multiples of {BLOCK}: set it to 0, or '
            "derive small."
        )
    if rounds > 1 and derive not in damage.DAMAGES:
        drawn = ", ".join(damage.DAMAGES)
        raise ConfigError(
            f'"data.rounds" is {rounds}, and {derive} is the same in every round: set it to 1, or derive {drawn}.'
        )


def _quarter(made: Pixels) -> Pixels:
    height, width, channels = made.size
    return replace(made, size=(height // BLOCK, width // BLOCK, channels), pad=made.pad // BLOCK)


def _note(derive: str, rounds: int) -> str:
    again = f", {rounds:,} times of each image of {TRAIN}" if rounds > 1 else ""
    return f"Derived from each image: {derive}{again}."


def _in_memory(data: DataSet, streaming: Mapping[str, Derived]) -> Mapping[str, Source]:
    """The splits that stay in memory: of sets that are there, without rounds."""
    if any(source.arrays is None for source in data.splits.values()):
        return {}
    chosen = {split: source for split, source in streaming.items() if source.rounds == 1}
    first = next(iter(streaming.values()))
    derive, seed = first.derive, first.seed

    def make() -> dict[str, np.ndarray]:
        return {split: np.concatenate(_chunks(source)) for split, source in chosen.items()}

    def _chunks(source: Derived) -> list[np.ndarray]:
        starts = range(0, len(source), CHUNK)
        return [source[np.arange(i, min(i + CHUNK, len(source)))][derive] for i in starts]

    if data.folder is None or not chosen:
        arrays = make()
    else:
        rule = derive if derive in reduction.REDUCTIONS else f"{derive} {seed} {damage.VERSION}"
        content = [rule.encode(), *(content_sha256(source).encode() for source in data.splits.values())]
        kept = "" if len(chosen) == len(streaming) else f"_{'_'.join(chosen)}"
        arrays = cached(data.folder / f"derived_{folder_name(content)}{kept}", [*chosen], make)
    return {split: ArraySource({derive: arrays[split], **(data.splits[split].arrays or {})}) for split in chosen}
