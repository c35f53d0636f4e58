"""Entities of tagged sentences, in cases that can be counted by hand."""

import pytest

from aigc_jax.errors import UserError
from aigc_jax.metrics.bootstrap import interval
from aigc_jax.metrics.entities import Span, entity_scores, spans


def test_spans():
    assert spans([]) == spans(["O", "O"]) == set()
    assert spans(["B-PER", "I-PER", "O", "B-LOC"]) == {Span("PER", 0, 2), Span("LOC", 3, 4)}
    assert spans(["B-PER", "B-PER"]) == {Span("PER", 0, 1), Span("PER", 1, 2)}
    assert spans(["B-PER", "I-LOC"]) == {Span("PER", 0, 1), Span("LOC", 1, 2)}, "of another type"
    assert spans(["I-ORG", "I-ORG", "O", "I-ORG"]) == {Span("ORG", 0, 2), Span("ORG", 3, 4)}, "without a B-"
    assert spans(["B-MISC-X", "I-MISC-X"]) == {Span("MISC-X", 0, 2)}
    for wrong in ("PER", "B-", "B", "S-PER", "O-PER", ""):
        with pytest.raises(UserError, match="is no tag of an entity"):
            spans([wrong])


TRUE = [["B-PER", "I-PER", "O", "B-LOC"], ["O", "B-ORG", "I-ORG"], ["O"]]
SAID = [
    ["B-PER", "I-PER", "O", "B-ORG"],  # one right, one of the wrong type
    ["O", "B-ORG", "O"],  # too short
    ["B-LOC"],  # there is none
]


def test_scores():
    precision, recall, f1 = entity_scores(SAID, TRUE)
    assert precision.value == 1 / 4 and recall.value == pytest.approx(1 / 3)
    assert f1.value == pytest.approx(2 * (1 / 4) * (1 / 3) / (1 / 4 + 1 / 3))
    for estimate in (precision, recall, f1):
        value, low, high = interval(estimate, 0)
        assert 0 <= low <= value <= high <= 1 and low < high
    assert [each.value for each in entity_scores(TRUE, TRUE)] == [1, 1, 1]


def test_nothing_said_and_nothing_there():
    silent = [["O"] * len(tags) for tags in TRUE]
    assert [each.value for each in entity_scores(silent, TRUE)] == [0, 0, 0]
    assert [each.value for each in entity_scores(TRUE, silent)] == [0, 0, 0]
    assert interval(entity_scores(silent, silent).f1, 0) == (0, 0, 0)


def test_what_is_refused():
    with pytest.raises(UserError, match="there are 0 and 0"):
        entity_scores([], [])
    with pytest.raises(UserError, match="Sentence 0 has 1 tags and 2 words"):
        entity_scores([["O"]], [["O", "O"]])
