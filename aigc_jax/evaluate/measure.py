"""What a medium's module of this package has: `images`, `texts`, `points`, …, each named by the medium's `kind`.

    MEASURES                    what a configuration may name under `evaluate.measures`
    judging(medium, asked)      the measures that it names, and how samples are looked at for them

A measure is one or more figures of the same computation over what was seen of real and of made samples.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from aigc_jax.config import nearest
from aigc_jax.errors import ConfigError
from aigc_jax.metrics.bootstrap import Estimate
from aigc_jax.metrics.features.extractor import Extractor


class Measure(NamedTuple):
    """`real` and `made` are what the medium's module has of a set of samples: features of images, or texts."""

    names: tuple[str, ...]
    settings: Mapping[str, Any]  # what the figures depend on besides, for their protocol
    estimate: Callable[[Any, Any], tuple[Estimate, ...]]  # (real, made) -> one for each name
    least: int = 1  # samples that it needs of either side, and where it is by class of each class
    by_class: bool = False  # it needs to know which classes the samples were asked to be


class Sight(NamedTuple):
    """How samples of a medium are looked at. Rows and samples are as the data set stores them."""

    field: str  # of a stored row, that holds the sample
    see: Callable[[np.ndarray, np.ndarray | None, bool], Any]
    """(samples, labels or None, whether they are real) -> what measures read."""
    join: Callable[[Sequence[Any]], Any]
    using: Extractor | None


class Asked(NamedTuple):
    """What a configuration asks for."""

    samples: int
    measures: Sequence[str]
    extractor: str  # of images' features
    weights: Path  # folder of the extractors' files
    cache: Path | None  # folder of their answers about real images


def named(names: Sequence[str], there: Mapping[str, Any]) -> list[Any]:
    """Those of `there`. Raises ConfigError for a name that it does not have."""
    for name in names:
        if name not in there:
            raise ConfigError(f'evaluate.measures: there is no "{name}".{nearest(name, there)}')
    return [there[name] for name in names]
