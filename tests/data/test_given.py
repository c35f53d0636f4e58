"""What `sample.given` asks for: one language for classes, beginnings, rows of the data and files of requests."""

import dataclasses
import json

import numpy as np
import pytest

from aigc_jax.data.dataset import ArraySource, DataSet
from aigc_jax.data.fields.labels import Label
from aigc_jax.data.fields.pixels import Pixels
from aigc_jax.data.fields.texts import Text
from aigc_jax.data.given import NotAtHand, asked
from aigc_jax.data.tokenizers.special import BOS, PAD
from aigc_jax.errors import UserError
from aigc_jax.method import KNOWN

RANDOM = np.random.RandomState(0)
ROWS = {
    "sketch": RANDOM.randint(0, 256, (5, 4, 4, 1)).astype(np.uint8),
    "photo": RANDOM.randint(0, 256, (5, 4, 4, 3)).astype(np.uint8),
    "label": np.array([2, 0, 1, 1, 0], np.int32),
}
FIELDS = {"sketch": Pixels((4, 4, 1)), "photo": Pixels((4, 4, 3)), "label": Label(("cat", "dog", "owl"))}
PAIRS = DataSet("pairs", {"test": ArraySource(ROWS)}, FIELDS, "photo")
TEXTS = DataSet("texts", {"test": ArraySource({"text": np.zeros((2, 9), np.int32)})}, {"text": Text("abc=", 8)}, "text")
BOTH = ("sketch", "label")


def ask(text, reads=("label",), n=4, data=PAIRS, seed=0):
    return asked(data, reads, text, n, seed, "test")


@pytest.mark.parametrize(
    ("text", "expected"),
    [("dog", [1] * 4), ("2", [2] * 4), ("each", [0, 1, 2, 0]), ("label=owl", [2] * 4), ("test:0", [2] * 4)],
)
def test_a_value_of_the_one_field_that_is_read(text, expected):
    found = ask(text)
    assert found.rows["label"].tolist() == expected and found.truth is None
    assert [line["label"] for line in found.lines] == [FIELDS["label"].names[label] for label in expected]


def test_nothing_asked_is_anything_and_the_first_are_the_same_for_any_number():
    many, few = ask("", n=30), ask("", n=3)
    np.testing.assert_array_equal(many.rows["label"][:3], few.rows["label"])
    assert len(set(many.rows["label"])) == 3
    assert not np.array_equal(many.rows["label"], ask("", n=30, seed=1).rows["label"])


def test_rows_of_a_split_come_in_order_with_their_true_targets():
    found = ask("split:test", BOTH, n=7)
    order = np.arange(7) % 5
    for name in BOTH:
        np.testing.assert_array_equal(found.rows[name], ROWS[name][order])
    np.testing.assert_array_equal(found.truth, ROWS["photo"][order])
    assert found.lines[6] == {"sketch": "test:1", "label": "test:1"}


def test_what_cannot_be_drawn_at_random_is_of_the_held_out_rows():
    found = ask("", BOTH)
    for name in BOTH:
        np.testing.assert_array_equal(found.rows[name], ROWS[name][:4])
    np.testing.assert_array_equal(found.truth, ROWS["photo"][:4])
    other = ask("label=cat", BOTH)
    np.testing.assert_array_equal(other.rows["sketch"], ROWS["sketch"][:4])
    assert other.truth is None, "the labels are others than theirs"
    assert other.lines[1] == {"label": "cat", "sketch": "test:1"}


def test_several_fields_are_named():
    found = ask("label=cat;sketch=test:3", BOTH)
    assert found.rows["label"].tolist() == [0] * 4
    np.testing.assert_array_equal(found.rows["sketch"], ROWS["sketch"][[3] * 4])


@pytest.mark.parametrize("text", ["", "each", "dog", "split:test"])
def test_what_was_asked_for_can_be_asked_again(text, tmp_path):
    found = ask(text, BOTH if text in ("", "split:test") else ("label",))
    path = tmp_path / "again.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in found.lines), "utf-8")
    again = ask(str(path), tuple(found.rows))
    for name, rows in found.rows.items():
        np.testing.assert_array_equal(again.rows[name], rows)


def test_beginnings_of_different_lengths_are_padded_to_few_widths(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"known": "ab"}\n\n{"known": "a=b"}\n{"known": ""}\n', "utf-8")
    found = ask(str(path), (KNOWN,), n=4, data=TEXTS).rows[KNOWN]
    assert found.tolist() == [[BOS, 4, 5, PAD], [BOS, 4, 7, 5], [BOS, PAD, PAD, PAD], [BOS, 4, 5, PAD]]
    assert ask("abcab", (KNOWN,), n=1, data=TEXTS).rows[KNOWN].shape == (1, 8)
    assert ask("a=b", (KNOWN,), n=1, data=TEXTS).rows[KNOWN].tolist() == [[BOS, 4, 7, 5]], "an equals sign is a text's"
    assert ask("", (KNOWN,), data=TEXTS).rows == {}


@pytest.mark.parametrize(
    ("text", "reads", "said"),
    [
        ("cat", (), "is given nothing"),
        ("caat", ("label",), 'Did you mean "cat"'),
        ("cat", BOTH, 'could be any of sketch, label: write --config.sample.given="sketch=cat"'),
        ("label=cat;photo=x", BOTH, 'does not read "photo"'),
        ("split:train", ("label",), 'no split "train"'),
        ("nowhere.jsonl", ("label",), "nowhere.jsonl cannot be read"),
        ("split:test", (KNOWN,), "given no field of the data"),
    ],
)
def test_what_cannot_be_understood_is_told_in_a_line(text, reads, said):
    with pytest.raises(UserError, match=said) as error:
        ask(text, reads)
    assert error.value.code == 2


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("", "is empty"),
        ("[1]\n", "line 1: give texts for label"),
        ('{"label": "cat"}\n{"colour": "red"}\n', "line 2: give texts for label"),
        ('{"label": "cat"}\n{}\n', 'line 2 lacks "label"'),
        ("{", "cannot be read as JSON"),
    ],
)
def test_a_file_of_requests_is_checked(lines, said, tmp_path):
    (tmp_path / "a.jsonl").write_text(lines, "utf-8")
    with pytest.raises(UserError, match=said):
        ask(str(tmp_path / "a.jsonl"))


def test_rows_of_the_data_need_the_data_themselves():
    with pytest.raises(NotAtHand):
        ask("split:test", data=dataclasses.replace(PAIRS, at_hand=False))
