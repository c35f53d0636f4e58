"""Predicted labels held against the true ones: what a configuration may name under `evals.<name>.measures`."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from aigc_jax.data.fields.labels import Label
from aigc_jax.data.rows import TRUTH
from aigc_jax.errors import UserError
from aigc_jax.evaluate.measure import Measure, Sight, Wanted, named
from aigc_jax.metrics import scores
from aigc_jax.metrics.bootstrap import Estimate


class Answers(NamedTuple):
    """What measures have of some labels, int [N]. true: what they should be; None = nobody knows."""

    said: np.ndarray
    true: np.ndarray | None


def _paired(name: str, between: Callable[[np.ndarray, np.ndarray], Estimate]) -> Measure:
    def estimate(real: Answers, made: Answers) -> tuple[Estimate, ...]:
        if made.true is None:
            raise UserError(f"{name} needs the true labels of what is given.")
        return (between(made.said, made.true),)

    return Measure((name,), {}, estimate, paired=True)


MEASURES: Mapping[str, Measure] = {
    "accuracy": _paired("accuracy", scores.accuracy),
    "macro_f1": _paired("macro_f1", scores.macro_f1),
}


def measures_of(field: Label, name: str, wanted: Wanted) -> tuple[list[Measure], Sight]:
    """See `measure`."""

    def see(rows: Mapping[str, np.ndarray], real: bool) -> Answers:
        return Answers(rows[name], rows.get(TRUTH))

    return named(wanted.measures, MEASURES), Sight(see, _together, None)


def _together(parts: Sequence[Answers]) -> Answers:
    true = [part.true for part in parts if part.true is not None]
    return Answers(
        np.concatenate([part.said for part in parts]), np.concatenate(true) if len(true) == len(parts) else None
    )
