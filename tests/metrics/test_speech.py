"""The word error rate: distances by an independent recursion, what counts as the same word, intervals over clips."""

import functools
import random

import numpy as np
import pytest

from aigc_jax.errors import UserError
from aigc_jax.metrics.bootstrap import interval
from aigc_jax.metrics.speech import edits, spelled, word_error, words


@functools.cache
def distance(one, other):
    """Levenshtein's, by its definition."""
    if not one or not other:
        return len(one) + len(other)
    replaced = distance(one[1:], other[1:]) + (one[0] != other[0])
    return min(replaced, distance(one[1:], other) + 1, distance(one, other[1:]) + 1)


def test_edits_are_the_fewest():
    draw = random.Random(0)
    for _ in range(100):
        one, other = (tuple(draw.choices("abc", k=draw.randrange(7))) for _ in range(2))
        assert edits(one, other) == distance(one, other) == edits(other, one)


@pytest.mark.parametrize(
    ("digits", "said"),
    [
        ("0", "zero"),
        ("7", "seven"),
        ("13", "thirteen"),
        ("20", "twenty"),
        ("42", "forty two"),
        ("100", "one hundred"),
        ("162", "one hundred sixty two"),
        ("1000", "one thousand"),
        ("2026", "two thousand twenty six"),
        ("1000021", "one million twenty one"),
        ("007", "zero zero seven"),
        ("1234567890123", "one two three four five six seven eight nine zero one two three"),
    ],
)
def test_numbers_are_spelt(digits, said):
    assert spelled(digits) == said


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("1st 2nd 3rd 4th", "first second third fourth"),
        ("12th, 18th", "twelfth eighteenth"),
        ("20th", "twentieth"),
        ("191st", "one hundred ninety first"),
        ("1,000th", "one thousandth"),
        ("3D 30D", "3d 30d"),
    ],
)
def test_numbers_of_order_are_too(written, said):
    assert " ".join(words(written)) == said


def test_case_punctuation_hyphens_and_digits_do_not_count():
    said = "Press 1 to un-mute yourself; that\u2019s 1,200 seconds."
    heard = "press one, to un mute yourself: that's one thousand two hundred seconds"
    assert words(said) == words(heard)
    assert word_error([heard], [said]).value == 0


def test_the_rate_is_of_all_words_together():
    said = ["one two three four", "five", "six seven"]
    heard = ["one two three", "five six seven", "six eleven"]
    found = word_error(heard, said)
    assert found.value == pytest.approx((1 + 2 + 1) / 7)
    assert word_error(said, said).value == 0 and word_error(["", "", ""], said).value == 1
    low, high = interval(found, 0)[1:]
    assert 0 <= low < found.value < high


def test_its_interval_is_that_of_clips_drawn_anew():
    draw = np.random.RandomState(0)
    said = [" ".join(f"w{i}" for i in range(1 + draw.poisson(5))) for _ in range(200)]
    heard = [" ".join(word for word in text.split() if draw.rand() > 0.1) for text in said]
    rows = np.array([(edits(words(a), words(b)), len(words(b))) for a, b in zip(heard, said, strict=True)])
    sums = np.stack([rows[draw.randint(0, 200, 200)].sum(0) for _ in range(2000)])
    expected = np.quantile(sums[:, 0] / sums[:, 1], [0.025, 0.975])
    np.testing.assert_allclose(interval(word_error(heard, said), 0)[1:], expected, atol=4e-3)


def test_what_are_no_pairs_is_refused():
    for heard, said in (([], []), (["a"], ["a", "b"])):
        with pytest.raises(UserError, match="Pairs have to be one text of each side"):
            word_error(heard, said)
    with pytest.raises(UserError, match="needs words that are said"):
        word_error(["a"], ["..."])
