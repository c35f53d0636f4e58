"""Generated texts held against real ones: the measures that a configuration may name under `evaluate.measures`."""

from collections.abc import Mapping

from aigc_jax.evaluate.measure import Measure
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
