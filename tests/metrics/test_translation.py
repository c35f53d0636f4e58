"""Pairs of texts: figures as sacrebleu's own, and intervals as drawing the pairs anew gives them."""

import numpy as np
import pytest

from aigc_jax.errors import UserError
from aigc_jax.metrics import translation
from aigc_jax.metrics.bootstrap import interval

TRUTH = [
    "The cat sat on the mat, and looked at the moon.",
    "It isn't far from here to the old station.",
    "Nobody knows what happened to the other half.",
    "She reads the paper every morning at seven o'clock.",
    "A dog!",
    "They agreed that the committee would meet again in May.",
]
MADE = [
    "The cat sat on a mat and looked at the moon.",
    "It is not far from here to the station.",
    "No one knows what happened to the second half.",
    "She reads the paper every morning at seven o'clock.",
    "Dog",
    "They thought the meeting would be in May.",
]
CHINESE = (
    ["我們明天去北京。", "他在圖書館看書。", "今天天氣很好。"],
    ["我們明天到北京去。", "他在圖書館裡看書。", "今天天氣非常好。"],
)
PAIRS = {"13a": (MADE, TRUTH), "zh": CHINESE}


@pytest.fixture(scope="module")
def peer():
    return pytest.importorskip("sacrebleu.metrics")


@pytest.mark.parametrize("language", PAIRS)
def test_figures_are_sacrebleus(peer, language):
    made, truth = PAIRS[language]
    assert translation.tokenizer(truth) == language
    scorer = peer.BLEU(tokenize=language)
    assert translation.bleu(made, truth).value == pytest.approx(scorer.corpus_score(made, [truth]).score, abs=1e-9)
    assert translation.bleu_signature(truth) == str(scorer.get_signature())
    assert f"tok:{language}" in translation.bleu_signature(truth)
    scorer = peer.CHRF()
    assert translation.chrf(made, truth).value == pytest.approx(scorer.corpus_score(made, [truth]).score, abs=1e-9)
    assert translation.chrf_signature() == str(scorer.get_signature())


@pytest.mark.parametrize(
    "made, truth", [(["a"], ["b"]), ([""], ["a b"]), (["ab"], [""]), (["abc", ""], ["abcdefgh", "x"])]
)
def test_short_and_empty_texts(peer, made, truth):
    for name, scorer in (("bleu", peer.BLEU()), ("chrf", peer.CHRF())):
        expected = scorer.corpus_score(made, [truth]).score
        assert getattr(translation, name)(made, truth).value == pytest.approx(expected, abs=1e-9), name
        value, low, high = interval(getattr(translation, name)(made, truth), 0, 20)
        assert 0 <= low <= value <= high <= 100


def test_equal_texts_are_right():
    for measure in (translation.bleu, translation.chrf):
        assert measure(TRUTH, TRUTH).value == pytest.approx(100)
    assert translation.exact(TRUTH, TRUTH).value == 1
    assert translation.exact(MADE, TRUTH).value == pytest.approx(1 / 6)


@pytest.mark.parametrize("name", ["bleu", "chrf"])
def test_intervals_are_those_of_corpora_drawn_anew(peer, name):
    """Against sacrebleu's score of each corpus drawn with replacement (Koehn 2004, W04-3250)."""
    made, truth = (np.array(each * 10) for each in (MADE, TRUTH))
    value, low, high = interval(getattr(translation, name)(made.tolist(), truth.tolist()), 0)
    scorer, dice, drawn = getattr(peer, name.upper())(), np.random.RandomState(0), []
    for _ in range(200):
        chosen = dice.randint(0, len(made), len(made))
        drawn.append(scorer.corpus_score(made[chosen].tolist(), [truth[chosen].tolist()]).score)
    width = np.quantile(drawn, 0.975) - np.quantile(drawn, 0.025)
    assert low < value < high
    assert high - low == pytest.approx(width, rel=0.2)


def test_what_is_refused():
    for measure in (translation.bleu, translation.chrf, translation.exact):
        with pytest.raises(UserError, match="one text of each side, and there are 1 and 2"):
            measure(["a"], ["a", "b"])
        with pytest.raises(UserError, match="there are 0 and 0"):
            measure([], [])
