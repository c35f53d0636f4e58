"""Predicted tags held against the true ones: what a configuration may name under `evals.<name>.measures`."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from aigc_jax.data.fields.tags import IGNORED, Tags
from aigc_jax.data.rows import TRUTH
from aigc_jax.errors import UserError
from aigc_jax.evaluate.measure import Measure, Sight, Wanted, named
from aigc_jax.metrics.bootstrap import Estimate
from aigc_jax.metrics.entities import entity_scores

OUTSIDE = 0  # the number of the tag "O", which is the first


class Tagged(NamedTuple):
    """The names of the tags of some texts, a tag a word. true: what they should be; None = nobody knows."""

    said: Sequence[Sequence[str]]
    true: Sequence[Sequence[str]] | None


def _scores(real: Tagged, made: Tagged) -> tuple[Estimate, ...]:
    if made.true is None:
        raise UserError("entities needs the true tags of what is given.")
    return tuple(entity_scores(made.said, made.true))


MEASURES: Mapping[str, Measure] = {
    "entities": Measure(("entity_precision", "entity_recall", "entity_f1"), {"tags": "BIO"}, _scores, paired=True),
}


def measures_of(field: Tags, name: str, wanted: Wanted) -> tuple[list[Measure], Sight]:
    """See `measure`."""

    def see(rows: Mapping[str, np.ndarray], real: bool) -> Tagged:
        if TRUTH not in rows:
            return Tagged(field.named(rows[name]), None)
        words = rows[TRUTH] != IGNORED
        said = np.where(rows[name] == IGNORED, OUTSIDE, rows[name])  # of a last word, which is beyond what is read
        return Tagged(field.named(np.where(words, said, IGNORED)), field.named(rows[TRUTH]))

    return named(wanted.measures, MEASURES), Sight(see, _together, None)


def _together(parts: Sequence[Tagged]) -> Tagged:
    said, true = zip(*parts, strict=True)
    known = [tags for part in true if part is not None for tags in part]
    return Tagged([tags for part in said for tags in part], known if None not in true else None)
