"""What texts are like among themselves, in cases that can be counted by hand."""

import pytest

from aigc_jax.errors import UserError
from aigc_jax.metrics.texts import copy_rate, distinct, self_bleu, words


def test_distinct():
    assert distinct(["abab"], 1).value == 2 / 4
    assert distinct(["abab", "ab"], 2).value == 2 / 4  # ab ba ab, ab
    assert distinct(["床前明月光"], 2).value == 1
    with pytest.raises(UserError, match="None of the 2 texts has 3 characters"):
        distinct(["ab", ""], 3)


def test_words_are_counted_as_characters_are():
    assert words("It ISN'T far — 3 miles.") == ("it", "isn't", "far", "3", "miles")
    texts = [words("a b a b"), words("b a")]
    assert distinct(texts, 1).value == 2 / 6 and distinct(texts, 2).value == 2 / 4  # ab ba ab, ba
    with pytest.raises(UserError, match="None of the 2 texts has 5 words"):
        distinct(texts, 5)


def test_copy_rate():
    assert copy_rate(["abcd"], ["xxabc"], 2).value == 2 / 3
    assert copy_rate(["abcd"], ["ab", "cd"], 2).value == 2 / 3, "no n-gram spans two texts"
    assert copy_rate(["abc"], ["abc"], 3).value == 1


def test_self_bleu():
    pytest.importorskip("sacrebleu")
    same, different = ["床前明月光疑是地上霜"] * 3, ["床前明月光", "白日依山盡", "春眠不覺曉"]
    assert self_bleu(same, "char").value == pytest.approx(1)
    assert self_bleu(different, "char").value < 0.2
    with pytest.raises(UserError, match="two texts"):
        self_bleu(["a"], "char")
