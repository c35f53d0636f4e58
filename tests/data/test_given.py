"""What `sample.given` understands, and that what is written of it asks for the same again."""

import dataclasses
import json

import numpy as np
import pytest

from aigc_jax.data import catalogue
from aigc_jax.data.dataset import ArraySource, DataSet
from aigc_jax.data.fields.labels import Label
from aigc_jax.data.fields.pixels import Pixels
from aigc_jax.data.given import asked
from aigc_jax.errors import NotAtHand, UserError
from aigc_jax.method import KNOWN

SIZE = (4, 4, 1)
READS = ("label", "source")


def split(count: int, seed: int) -> ArraySource:
    random = np.random.RandomState(seed)
    images = {name: random.randint(0, 256, (count, *SIZE), np.uint8) for name in ("image", "source")}
    return ArraySource({**images, "label": random.randint(0, 3, count).astype(np.int32)})


@pytest.fixture(scope="module")
def pairs():
    fields = {"image": Pixels(SIZE), "source": Pixels(SIZE), "label": Label(("cat", "dog", "owl"))}
    return DataSet("pairs", {"train": split(9, 0), "test": split(5, 1)}, fields, "image")


def found(data, text, n=7, reads=READS, seed=0):
    return asked(data, reads, text, n, seed, "test")


def test_a_class_is_asked_for_by_name_by_number_and_in_turn(pairs):
    def labels(text):
        return found(pairs, text, reads=("label",)).rows["label"].tolist()

    assert labels("dog") == labels("1") == labels("label=dog") == [1] * 7
    assert labels("each") == [0, 1, 2, 0, 1, 2, 0]
    drawn = labels("")
    assert found(pairs, "", 3, ("label",)).rows["label"].tolist() == drawn[:3], "the first ones are the same for any n"
    assert found(pairs, "", reads=("label",), seed=1).rows["label"].tolist() != drawn


def test_rows_of_the_data_bring_their_true_targets(pairs):
    of_split, rows = found(pairs, "split:test"), pairs.splits["test"].arrays
    for name in READS:
        np.testing.assert_array_equal(of_split.rows[name][:5], rows[name])
        np.testing.assert_array_equal(of_split.rows[name][5:], rows[name][:2], "from the first again")
    np.testing.assert_array_equal(of_split.truth[:5], rows["image"])
    left = found(pairs, "", reads=("source",))
    np.testing.assert_array_equal(left.rows["source"][:5], rows["source"], "what cannot be drawn is of the data")
    np.testing.assert_array_equal(left.truth[:5], rows["image"])


def test_several_fields_are_asked_for_by_name(pairs):
    both = found(pairs, "label=owl;source=train:3")
    assert both.rows["label"].tolist() == [2] * 7 and both.truth is None
    np.testing.assert_array_equal(both.rows["source"], np.stack([pairs.splits["train"].arrays["source"][3]] * 7))
    mixed = found(pairs, "label=owl")
    assert mixed.truth is None, "the true target is of another class"


def test_a_prompt_may_hold_what_elsewhere_separates_fields():
    texts = catalogue.load({"name": "sentences", "length": 24}, None)
    rows = asked(texts, (KNOWN,), "今天", 2, 0, "test").rows[KNOWN]
    assert [texts.made.decode(row) for row in rows] == ["今天", "今天"]
    assert not asked(texts, (KNOWN,), "", 2, 0, "test").rows


ASKED = ["dog", "each", "", "split:test", "label=dog", "label=each;source=test:2", "source=train:1"]


@pytest.mark.parametrize("text", ASKED)
def test_what_is_written_asks_for_the_same_again(pairs, tmp_path, text):
    reads = READS if "source" in text or "split" in text else ("label",)
    first = found(pairs, text, reads=reads)
    path = tmp_path / "asked.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in first.lines), "utf-8")
    again = found(pairs, str(path), reads=reads)
    assert first.rows.keys() == again.rows.keys() == set(reads)
    for name in reads:
        np.testing.assert_array_equal(again.rows[name], first.rows[name])


def test_prompts_of_a_file_are_as_long_as_each_is(tmp_path):
    texts = catalogue.load({"name": "sentences", "length": 24}, None)
    path = tmp_path / "prompts.jsonl"
    path.write_text('{"known": "今天"}\n\n{"known": "机器学习是"}\n', "utf-8")
    rows = asked(texts, (KNOWN,), str(path), 3, 0, "test").rows[KNOWN]
    assert [texts.made.decode(row) for row in rows] == ["今天", "机器学习是", "今天"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("cat", 'could be any of label, source: write --config.sample.given="label=cat"'),
        ("label=cow", 'There is no class "cow"'),
        ("label=cat;colour=red", 'does not read "colour": it reads label, source'),
        ("source=none.png", 'There is no image "none.png"'),
        ("split:dev", r'no split "dev" of pairs \(there is train, test\)'),
        ("lines.jsonl", "line 2 lacks .source."),
        ("wrong.jsonl", r"wrong.jsonl, line 1: give texts for label, source, as {.label.: .….}"),
        ("none.jsonl", "none.jsonl cannot be read"),
        ("empty.jsonl", "empty.jsonl is empty"),
    ],
)
def test_what_cannot_be_understood_is_refused_in_one_line(pairs, tmp_path, monkeypatch, text, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lines.jsonl").write_text('{"label": "cat", "source": "test:0"}\n{"label": "dog"}\n')
    (tmp_path / "wrong.jsonl").write_text('{"colour": "red"}\n')
    (tmp_path / "empty.jsonl").write_text("\n")
    with pytest.raises(UserError, match=said) as refused:
        found(pairs, text)
    assert refused.value.code == 2
    with pytest.raises(UserError, match="is given nothing"):
        found(pairs, text, reads=())


def test_rows_need_the_data_themselves(pairs):
    with pytest.raises(NotAtHand):
        found(dataclasses.replace(pairs, at_hand=False), "split:test")
