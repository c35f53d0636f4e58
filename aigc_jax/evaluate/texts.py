"""Generated texts held against real ones: the measures that a configuration may name under `evaluate.measures`."""

from collections.abc import Mapping, Sequence

import numpy as np

from aigc_jax.data.text import TextMedium
from aigc_jax.evaluate.measure import Asked, Measure, Sight, named
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


def judging(medium: TextMedium, asked: Asked) -> tuple[list[Measure], Sight]:
    """See `measure`."""

    def see(samples: np.ndarray, labels: np.ndarray | None, real: bool) -> list[str]:
        return [medium.decode(tokens) for tokens in samples]

    return named(asked.measures, MEASURES), Sight("tokens", see, _together, None)


def of_strings() -> Sight:
    """Texts as strings, in the field "text"."""

    def see(samples: np.ndarray, labels: np.ndarray | None, real: bool) -> list[str]:
        return samples.tolist()

    return Sight("text", see, _together, None)


def _together(parts: Sequence[Sequence[str]]) -> list[str]:
    return [text for part in parts for text in part]
