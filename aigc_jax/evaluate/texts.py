"""Generated texts held against real ones: the measures that a configuration may name under `evals.<name>.measures`."""

from collections.abc import Mapping, Sequence

from aigc_jax.data.fields.texts import Text
from aigc_jax.evaluate.measure import Measure, Sight, Wanted, named
from aigc_jax.metrics import texts as of


def _distinct(n: int) -> Measure:
    return Measure((f"distinct_{n}",), {"unit": "character"}, lambda training, made: (of.distinct(made, n),))


def _copied(n: int) -> Measure:
    return Measure((f"copied_{n}",), {"unit": "character"}, lambda training, made: (of.copy_rate(made, training, n),))


MEASURES: Mapping[str, Measure] = {
    "distinct_1": _distinct(1),
    "distinct_2": _distinct(2),
    "distinct_4": _distinct(4),
    "copied_5": _copied(5),
    "copied_10": _copied(10),
    "self_bleu": Measure(
        ("self_bleu",), {"tokens": "characters"}, lambda training, made: (of.self_bleu(made, "char"),)
    ),
}


def measures_of(field: Text, name: str, wanted: Wanted) -> tuple[list[Measure], Sight]:
    """See `measure`."""
    return named(wanted.measures, MEASURES), Sight(
        lambda rows, real: field.values(rows[name]).tolist(), _together, None
    )


def of_strings() -> Sight:
    """Texts as strings, in the field "text"."""
    return Sight(lambda rows, real: rows["text"].tolist(), _together, None)


def _together(parts: Sequence[Sequence[str]]) -> list[str]:
    return [text for part in parts for text in part]
