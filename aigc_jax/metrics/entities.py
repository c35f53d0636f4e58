"""Precision, recall and F1 of named entities (CoNLL 2003: Tjong Kim Sang & De Meulder, W03-0419).

An entity is found where its type, its first and its last word are all right. Tags are of the scheme BIO: B-PER begins
an entity and I-PER goes on with one. As in the task's own scoring, an I- after O or after another type begins one too.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from aigc_jax.errors import UserError
from aigc_jax.metrics.bootstrap import Estimate, ratio


class Span(NamedTuple):
    """An entity: words start … end - 1."""

    kind: str
    start: int
    end: int


class Scores(NamedTuple):
    precision: Estimate  # of the entities that are said, the share that is right
    recall: Estimate  # of the entities that there are, the share that is said
    f1: Estimate  # their harmonic mean


def spans(tags: Sequence[str]) -> set[Span]:
    """The entities of a sentence. Raises UserError for a tag that is none."""
    found: set[Span] = set()
    kind, start = "", 0  # of the entity that is open
    for i, tag in enumerate([*tags, "O"]):
        mark, _, now = tag.partition("-")
        if not (tag == "O" or (mark in ("B", "I") and now)):
            raise UserError(f'"{tag}" is no tag of an entity: they are O, B-TYPE and I-TYPE.')
        if mark == "I" and now == kind:
            continue
        if kind:
            found.add(Span(kind, start, i))
        kind, start = now, i
    return found


def entity_scores(said: Sequence[Sequence[str]], true: Sequence[Sequence[str]]) -> Scores:
    """Over all sentences together, 0 … 1 each, with the influence of each sentence.

    said, true: the tags of each sentence, a tag a word. Where nothing is said the precision is 0, and where there is
    nothing the recall is.
    Raises UserError for sentences that differ in length, and where there are no sentences.
    """
    if not true or len(said) != len(true):
        raise UserError(f"Tags have to be of the same sentences, and there are {len(said)} and {len(true)}.")
    for number, (one, other) in enumerate(zip(said, true, strict=True)):
        if len(one) != len(other):
            raise UserError(f"Sentence {number} has {len(one)} tags and {len(other)} words: give a tag for each word.")
    pairs = [(spans(one), spans(other)) for one, other in zip(said, true, strict=True)]
    right = np.array([len(one & other) for one, other in pairs])
    found, there = (np.array([len(pair[side]) for pair in pairs]) for side in (0, 1))
    # F1 = 2 P R / (P + R) is twice the right ones over all that are said and all that there are.
    return Scores(_share(right, found), _share(right, there), _share(2 * right, found + there))


def _share(right: np.ndarray, of: np.ndarray) -> Estimate:
    found = ratio(right, of) if of.any() else Estimate(0.0, np.zeros(len(of)))
    return found._replace(least=0, most=1)
