"""Points of a density in the plane whose every mass is known (`ops.densities`): models are held to the truth itself.

Drawn here from the masses with fixed seeds, in well under a second; nothing is kept on disk.
"""

import numpy as np

from aigc_jax.data.dataset import ArraySource, DataSet
from aigc_jax.data.fields.labels import Label
from aigc_jax.data.fields.points import Point
from aigc_jax.ops import densities
from aigc_jax.ranges import Size

TEST = 10_000  # points
SEEDS = {"train": 0, "test": 1}  # of the draws


def load(*, density: densities.Name, examples: Size) -> DataSet:
    """The points, in memory, and the components that they are of.

    density: its name. examples: of the training split.
    """
    truth = densities.density(density)
    splits = {}
    for (split, seed), count in zip(SEEDS.items(), (examples, TEST), strict=True):
        points, components = truth.sample(np.random.RandomState(seed), count)
        splits[split] = ArraySource({"point": points, "label": components})
    fields = {"point": Point(density), "label": Label(tuple(map(str, range(truth.components))))}
    return DataSet(f"points/{density}", splits, fields, "point")
