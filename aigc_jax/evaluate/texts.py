"""Generated texts held against real ones: the measures that a configuration may name under `evals.<name>.measures`."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from aigc_jax.data.fields.texts import Text
from aigc_jax.data.rows import TRUTH
from aigc_jax.errors import UserError
from aigc_jax.evaluate.measure import Measure, Sight, Wanted, named
from aigc_jax.metrics import speech, translation, verse
from aigc_jax.metrics import texts as of
from aigc_jax.metrics.bootstrap import Estimate


class Read(NamedTuple):
    """What measures have of some texts.

    begins: bool [N], false for the later windows of a long real text. truth: what the texts should be, where it is
    known.
    """

    texts: Sequence[str]
    begins: np.ndarray
    truth: Sequence[str] | None

    @property
    def whole(self) -> list[str]:
        """The texts that begin as one."""
        return [text for text, begins in zip(self.texts, self.begins, strict=True) if begins]


def _distinct(n: int) -> Measure:
    return Measure((f"distinct_{n}",), {"unit": "character"}, lambda real, made: (of.distinct(made.texts, n),))


def _distinct_words(n: int) -> Measure:
    def estimate(real: Read, made: Read) -> tuple[Estimate, ...]:
        return (of.distinct([of.words(text) for text in made.texts], n),)

    return Measure((f"distinct_words_{n}",), {"unit": "word"}, estimate)


def _copied(n: int) -> Measure:
    return Measure(
        (f"copied_{n}",), {"unit": "character"}, lambda real, made: (of.copy_rate(made.texts, real.texts, n),)
    )


def _verse(**rates: Callable[[Sequence[str]], Estimate]) -> Measure:
    """Of the texts that begin as one. rates: by the figures' names."""
    return Measure(
        tuple(rates), {"book": "Guangyun"}, lambda real, made: tuple(rate(made.whole) for rate in rates.values())
    )


def _paired(name: str, between: Callable[[Sequence[str], Sequence[str]], Estimate]) -> Measure:
    return Measure((name,), {}, lambda real, made: (between(made.texts, _truth(name, made)),), paired=True)


def _truth(name: str, made: Read) -> Sequence[str]:
    if made.truth is None:
        raise UserError(f"{name} needs the true targets of what texts are generated from.")
    return made.truth


MEASURES: Mapping[str, Measure] = {
    "distinct_1": _distinct(1),
    "distinct_2": _distinct(2),
    "distinct_4": _distinct(4),
    "distinct_words_1": _distinct_words(1),
    "distinct_words_2": _distinct_words(2),
    "copied_5": _copied(5),
    "copied_10": _copied(10),
    "self_bleu": Measure(
        ("self_bleu",), {"tokens": "characters"}, lambda real, made: (of.self_bleu(made.texts, "char"),)
    ),
    "bleu": _paired("BLEU", translation.bleu)._replace(
        follows=lambda made: {"signature": translation.bleu_signature(_truth("BLEU", made))}
    ),
    "chrf": _paired("chrF", translation.chrf)._replace(
        follows=lambda made: {"signature": translation.chrf_signature()}
    ),
    "exact_match": _paired("exact_match", translation.exact),
    "word_error": _paired("word_error", speech.word_error),
    "verse_form": _verse(verse_form=verse.form_rate),
    "verse_rhyme": _verse(verse_rhyme=verse.rhyme_rate, verse_unknown=verse.unknown_rate),
    "verse_tones": _verse(verse_tones=verse.tone_rate, verse_regulated=verse.regulated_rate),
}


def measures_of(field: Text, name: str, wanted: Wanted) -> tuple[list[Measure], Sight]:
    """See `measure`."""

    def see(rows: Mapping[str, np.ndarray], real: bool) -> Read:
        truth = field.values(rows[TRUTH]).tolist() if TRUTH in rows else None
        begins = (rows[name][:, 0] == field.facts["bos"]) | (not real)
        return Read(field.values(rows[name]).tolist(), begins, truth)

    return named(wanted.measures, MEASURES), Sight(see, _together, None)


def of_strings() -> Sight:
    """Texts as strings, in the field "text", and what they should be under TRUTH."""

    def see(rows: Mapping[str, np.ndarray], real: bool) -> Read:
        texts = rows["text"].tolist()
        return Read(texts, np.ones(len(texts), bool), rows[TRUTH].tolist() if TRUTH in rows else None)

    return Sight(see, _together, None)


def _together(parts: Sequence[Read]) -> Read:
    texts, begins, truth = zip(*parts, strict=True)
    known = [text for part in truth if part is not None for text in part]
    return Read([text for part in texts for text in part], np.concatenate(begins), known if None not in truth else None)
