"""Chat: what answers what, whose turns are together, what is left out."""

from collections import Counter

import numpy as np
import pytest
from small.chitchat import CHATS, write_chats

from aigc_jax.data import catalogue
from aigc_jax.data.sets import chitchat
from aigc_jax.errors import UserError


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_chats(tmp_path_factory.mktemp("chat"))


@pytest.mark.parametrize(
    "text, kind",
    [
        ("write to jo.doe@mail.example.org, please", "mail"),
        ("it is jo at home, jo@gmail", "mail"),
        ("see https://a.example/b", "web"),
        ("look at Example.com!", "web"),
        ("I am @jo_doe there", "account"),
        ("801-555-0199", "telephone"),
        ("(801) 555 0199", "telephone"),
        ("555-0199", "telephone"),
        ("+18015550199", "telephone"),
        ("we met @ noon in 2018, at 10.30", ""),
        ("3.14159265 or 1,000,000 or 2018-05-02", ""),
        ("done.commonly mistaken etc. and so on", ""),
    ],
)
def test_contacts_are_known_by_their_form(text, kind):
    assert chitchat.contact(text) == kind


def test_a_reply_is_what_follows_the_turns_before_it():
    counts = Counter()
    found = list(chitchat.replies("a", ["1", "2", "3", "me@x.org", "5", "6", "7"], 2, counts))
    assert [(record["source"], record["target"]) for record in found] == [("1", "2"), ("2\n1", "3"), ("6\n5", "7")]
    assert counts == {"pairs": 6, "mail": 3} and {record["conversation"] for record in found} == {"a"}


def test_conversations_are_on_one_side_and_held_out_replies_new(folder):
    splits, counts = chitchat.read_splits(str(folder), 1)
    names = [{record["conversation"] for record in records} for records in splits.values()]
    assert all(names) and sum(map(len, names)) == len(set.union(*names)) == CHATS
    assert counts["pairs"] == 5 * CHATS and counts["telephone"] == 2 * CHATS
    held = len(names[1]) + len(names[2])
    assert counts["seen"] == held  # "Hello" to "Hi" is in training, too
    assert sum(map(len, splits.values())) == 3 * CHATS - held
    assert splits["test"][0]["source"] == "Hello" and splits["test"][0]["target"].endswith(". And you?")
    assert all("555" not in record["source"] + record["target"] for records in splits.values() for record in records)


def test_the_set_loads(folder, tmp_path):
    section = dict(name="chitchat", path=str(folder), turns=2, length=30, source_length=40, vocabulary_size=0)
    data = catalogue.load(section, tmp_path / "prepared")
    row = data.splits["train"][np.arange(3)]
    assert data.fields["source"].values(row["source"])[1] == "Hello\nHi" and row["source"].shape == (3, 41)
    assert data.target == "target" and "100 conversations with 500 replies" in data.notes[0]
    with pytest.raises(UserError, match=r"no dataset.json .*pip download --no-deps chitchat-dataset==0.9.0"):
        catalogue.load({**section, "path": str(tmp_path)}, tmp_path / "prepared")
    (tmp_path / "dataset.json").write_text("[]")
    with pytest.raises(UserError, match=r"dataset.json is no list of conversations"):
        catalogue.load({**section, "path": str(tmp_path)}, tmp_path / "prepared")
