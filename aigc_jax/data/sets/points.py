"""Points of a density in the plane whose every mass is known (`ops.densities`): models are held to the truth itself.

Drawn here from the masses with fixed seeds, in well under a second; nothing is kept on disk.
"""

from typing import Literal

import numpy as np

from aigc_jax.data.dataset import ArraySource, DataSet
from aigc_jax.data.points import SHAPE, PointImages, PointTokens
from aigc_jax.ops import densities
from aigc_jax.ranges import Size

TEST = 10_000  # points
SEEDS = {"train": 0, "test": 1}  # of the draws


def load(*, density: densities.Name, examples: Size, form: Literal["image", "tokens"]) -> DataSet:
    """The points, in memory.

    density: its name. examples: of the training split. form: what the family reads.
    """
    truth = densities.density(density)
    splits = {}
    for (split, seed), count in zip(SEEDS.items(), (examples, TEST), strict=True):
        points, components = truth.sample(np.random.RandomState(seed), count)
        splits[split] = ArraySource({"image": points.reshape(-1, *SHAPE), "label": components})
    medium: PointImages | PointTokens = PointImages(truth) if form == "image" else PointTokens(truth)
    return DataSet(f"points/{density}", splits, medium, medium.facts)
