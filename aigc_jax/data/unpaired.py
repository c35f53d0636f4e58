"""Two kinds of images that do not belong together."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from aigc_jax.data.dataset import Source

SEED = 0  # of the order in which partners are met


@dataclass(frozen=True)
class Unpaired:
    """Every row of the first source with one of the second, another one in each round.

    sources: two fields -> where they are read from, as many rows or not; rounds: of the first source's rows.
    """

    sources: Mapping[str, Source]
    rounds: int
    arrays: None = None  # a row is made when it is asked for

    def __len__(self) -> int:
        return self.rounds * len(next(iter(self.sources.values())))

    def __getitem__(self, indices: np.ndarray) -> dict[str, np.ndarray]:
        (one, first), (other, second) = self.sources.items()
        turn, mine = np.divmod(indices, len(first))
        order = np.random.RandomState(SEED).permutation(len(second))
        return {one: first[mine][one], other: second[order[(mine + turn) % len(second)]][other]}
