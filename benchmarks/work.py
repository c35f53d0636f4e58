"""The contract between a piece of work and the measurement."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple


class Work(NamedTuple):
    """A piece of work, made ready by one side."""

    run: Callable[[], float | None]  # once; returns when it is done: None, or the seconds of it that count
    items: float  # that a run makes, in the piece's unit
    parameters: int = 0  # numbers that are trained
    cost: float | Callable[[], float] = 0.0  # of a run, in the unit of the piece's ceiling (FLOPs, bytes); 0 = unknown
    memory: Callable[[], int] | None = None  # peak bytes on the device; None: the process's peak is what counts


class Side(NamedTuple):
    """Who does the work."""

    environment: str  # "aigc_jax", or a file requirements-<environment>.txt beside this one
    prepare: Callable[[Mapping[str, Any]], Work]  # from a size's settings
    whose: str  # as tables name it
