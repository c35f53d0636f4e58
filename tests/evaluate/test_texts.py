"""Generated texts held against real ones, and against what they should be."""

import numpy as np
import pytest

from aigc_jax.data.dataset import ArraySource, DataSet
from aigc_jax.data.fields.texts import Text
from aigc_jax.data.given import Asked
from aigc_jax.data.rows import TRUTH
from aigc_jax.errors import ConfigError
from aigc_jax.evaluate.judge import build_judge
from aigc_jax.evaluate.measure import Wanted
from aigc_jax.evaluate.texts import measures_of

POEMS = [
    "登鸛雀樓\n白日依山盡，黃河入海流。\n欲窮千里目，更上一層樓。",
    "相思\n紅豆生南國，春來發幾枝。\n願君多採擷，此物最相思。",
    "春曉\n春眠不覺曉，處處聞啼鳥。\n夜來風雨聲，花落知多少。",
]
SENTENCES = ["It isn't far to the old station.", "She reads the paper every morning.", "Nobody knows what happened."]


def data(texts, length, heldout=None):
    field = Text("".join(sorted(set("".join(texts + (heldout or []))))), length)
    splits = {"train": ArraySource({"text": field.windows(texts)})}
    if heldout:
        splits["test"] = ArraySource({"text": field.windows(heldout)})
    return DataSet("texts", splits, {"text": field}, "text")


def measured(data, measures, rows):
    count = len(rows["text"])
    judge = build_judge(data, "train", "test", count, measures, "", None, None)
    looks = [judge.look({name: each[part] for name, each in rows.items()}) for part in (slice(0, 1), slice(1, count))]
    return {figure.protocol.measure: figure for figure in judge.figures(looks, 0)}, judge


def test_texts_are_held_against_their_true_targets():
    found = data(SENTENCES, 48)
    true = found.splits["train"].arrays["text"]
    made = true.copy()
    made[0, 1:3] = found.made.encode("Sh")  # "Sh isn't": one word is wrong
    names = ("bleu", "chrf", "em")
    figures, judge = measured(found, names, {"text": made, TRUTH: true})
    assert tuple(figures) == judge.names == ("BLEU", "chrF", "exact_match")
    assert figures["exact_match"].interval.value == pytest.approx(2 / 3)
    assert 50 < figures["BLEU"].interval.value < 100 > figures["chrF"].interval.value > 50
    assert "tok:13a" in figures["BLEU"].protocol.settings["signature"]
    assert "nc:6" in figures["chrF"].protocol.settings["signature"]
    assert all(figure.floor is None for figure in figures.values())
    with pytest.raises(ConfigError, match="BLEU needs the true targets.*given=split:test"):
        judge.check(Asked({}, None, []))
    judge.check(Asked({}, true, []))
    figures, judge = measured(found, names, {"text": made})
    assert not figures and "BLEU needs the true targets" in judge.left_out[0]


def test_the_language_is_that_of_the_targets():
    found = data(POEMS, 40)
    rows = found.splits["train"].arrays["text"]
    figures, _ = measured(found, ("bleu",), {"text": rows, TRUTH: rows})
    assert "tok:zh" in figures["BLEU"].protocol.settings["signature"]
    assert figures["BLEU"].interval.value == pytest.approx(100)


def test_verse_is_judged_beside_real_poems():
    found = data(POEMS, 40, heldout=POEMS)
    rows = found.splits["train"].arrays["text"]
    measures = ("verse_form", "verse_rhyme", "verse_tones")
    figures, _ = measured(found, measures, {"text": rows})
    values = {name: figure.interval.value for name, figure in figures.items()}
    assert values == {name: figure.floor for name, figure in figures.items()}
    assert (values["verse_form"], values["verse_rhyme"], values["verse_unknown"]) == (1, 1, 0)
    assert values["verse_regulated"] == pytest.approx(2 / 3) and 2 / 3 < values["verse_tones"] < 1
    reversed_rows = found.made.windows(["題\n" + poem.partition("\n")[2][::-1] for poem in POEMS])
    figures, _ = measured(found, measures, {"text": reversed_rows})
    assert figures["verse_rhyme"].interval.value < 0.5 < figures["verse_rhyme"].floor == 1


def test_real_poems_are_those_that_begin_in_their_window():
    """Of the windows of long texts; samples count, whatever their first token."""
    found = data(POEMS, 20, heldout=POEMS)
    windows = found.splits["test"].arrays["text"]
    assert len(windows) == 6, "two of each poem"
    half = "\n".join(POEMS[0].split("\n")[:2])
    made = np.repeat(found.made.windows([half]), 6, 0)
    figures, _ = measured(found, ("verse_form",), {"text": made})
    assert figures["verse_form"].interval.value == 1
    _, sight = measures_of(found.made, "text", Wanted(6, ("verse_form",), "", None, None, {}))
    seen = sight.join([sight.see({"text": windows}, True), sight.see({"text": windows}, False)])
    assert seen.begins.tolist() == [True, False] * 3 + [True] * 6
    assert seen.whole[:2] == seen.texts[:4:2] and len(seen.whole) == 9


def test_words_that_differ():
    found = data(["To be, or not to be?"], 24)
    rows = found.splits["train"].arrays["text"]
    figures, _ = measured(found, ("distinct_words_1", "distinct_words_2"), {"text": np.repeat(rows, 2, 0)})
    assert figures["distinct_words_1"].interval.value == 4 / 12
    assert figures["distinct_words_2"].interval.value == 4 / 10
