"""What a measure is: one or more figures of the same computation over what was seen of real and of made samples."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from aigc_jax.metrics.bootstrap import Estimate


class Measure(NamedTuple):
    """`real` and `made` are what the medium's module has of a set of samples: features of images, or texts."""

    names: tuple[str, ...]
    settings: Mapping[str, Any]  # what the figures depend on besides, for their protocol
    estimate: Callable[[Any, Any], tuple[Estimate, ...]]  # (real, made) -> one for each name
