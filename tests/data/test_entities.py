"""Tags: which words have which, beside which tokens they stand, and what the help's marks become."""

import json

import numpy as np
import pytest
from small.entities import write_pages

from aigc_jax.data import catalogue
from aigc_jax.data.fields import tags as module
from aigc_jax.data.fields.tags import IGNORED, Tags, beginnings, names_of, tagged, words
from aigc_jax.data.fields.texts import Text
from aigc_jax.data.meaning import Meaning, recalled, under
from aigc_jax.data.sets import entities
from aigc_jax.data.tokenizers import learnt
from aigc_jax.errors import UserError

TEXTS = [
    "Choose Format - Character, then press Ctrl+F1.",
    "The  function ISNUMBER() returns  TRUE.",
    "选择「格式 - 字符」，然后按 Ctrl+Shift+P。",
    "Naïve café: 100% œuvre_2 🙂 done",
    "",
]
TAGS = names_of(("menu", "key"))


def test_words_and_their_tags():
    text = "按 Ctrl+F1, choose Tools - Options."
    found = words(text)
    assert " ".join(text[start:stop] for start, stop in found) == "按 Ctrl + F1 , choose Tools - Options ."
    spans = [(2, 9, "key"), (text.index("Tools"), len(text) - 1, "menu")]
    assert tagged(found, spans) == ["O", "B-key", "I-key", "I-key", "O", "O", "B-menu", "I-menu", "I-menu", "O"]
    assert tagged(words("ab cd"), [(0, 2, "key"), (3, 5, "key")]) == ["B-key", "B-key"]  # two of a kind stay two
    assert TAGS == ("O", "B-menu", "I-menu", "B-key", "I-key")


@pytest.fixture(scope="module", params=["characters", "bytes", "bpe", "wordpiece", "unigram"])
def text(request):
    """A field of texts with a tokenizer of each kind. Its vocabulary lacks some of `TEXTS`, where it can."""
    made = learnt(
        request.param, lambda: TEXTS[:2] * 3, {"characters": 0, "bytes": 0, "bpe": 300}.get(request.param, 60)
    )
    return Text(made.model, 120, made.kind)


def test_words_begin_where_the_library_says(text):
    for whole in TEXTS:
        if text.tokenizer == "library":
            from tokenizers import Tokenizer

            found = Tokenizer.from_str(json.loads(text.model)["tokenizer"]).encode(whole, add_special_tokens=False)
            starts = [
                a + len(whole[a:b]) - len(whole[a:b].lstrip()) if whole[a:b].strip() else -1 for a, b in found.offsets
            ]
        else:
            starts = [
                i
                for i, character in enumerate(whole)
                for _ in range(1 if text.tokenizer == "characters" else len(character.encode()))
            ]
        expected = [starts.index(word.start) if word.start in starts else None for word in words(whole)]
        assert beginnings(text, whole) == expected


def test_tags_of_every_token_are_told_of_the_words(text):
    """As a model says them. What is unknown to a tokenizer is told otherwise."""
    field, known = Tags(TAGS, text.length), [each for each in TEXTS[:2] if text.special.unk not in text.encode(each)]
    named = [[TAGS[i % len(TAGS)] for i, _ in enumerate(words(whole))] for whole in known]
    stored, _ = field.rows(text, known, named)
    rows = {"text": text.rows(known)[0], "tags": np.where(stored == IGNORED, 1, stored)}
    found = field.among(rows, "tags", {"text": text, "tags": field})
    for row, whole, tags in zip(found, known, named, strict=True):
        places = beginnings(text, whole)
        assert row.split() == ["O" if place is None else tag for place, tag in zip(places, tags, strict=True)]


def test_rows_of_tags_stand_beside_rows_of_text(text):
    field = Tags(TAGS, text.length)
    named = [["B-key", *["I-key"] * (len(words(each)) - 1)] if words(each) else [] for each in TEXTS]
    rows, missing = field.rows(text, TEXTS, named)
    tokens, _ = text.rows(TEXTS)
    assert rows.shape == tokens.shape and rows.dtype == np.int16
    assert np.all(rows[np.isin(tokens, (text.special.pad, text.special.bos, text.special.eos))] == IGNORED)
    assert np.sum(rows != IGNORED) == sum(map(len, named)) - missing
    assert [rows[i][rows[i] != IGNORED][0] for i in range(4)] == [TAGS.index("B-key")] * 4
    if text.tokenizer in ("characters", "bytes"):
        assert missing == 0 and field.values(rows)[0] == " ".join(named[0])
        ends = Tags(TAGS, 10)
        assert ends.rows(Text(text.model, 10, text.tokenizer), TEXTS[:1], named[:1])[1] == len(named[0]) - 2
    again = field.stored(np.asarray(field.prepare(None, rows, False)))
    assert np.array_equal(again, rows) and field.facts == dict(classes=5, ignored=-1)


def test_a_tokenizer_that_rewrites_texts_is_refused():
    class Rewriting:
        special, spells, unit, size = Text("ab", 5).special, (b"", b"", b"", b"", b"x"), "tokens", 5

        def encode(self, _):
            return np.array([4])

    field = Text("ab", 5)
    field.__dict__["inner"] = Rewriting()
    with pytest.raises(UserError, match="do not spell"):
        module.beginnings(field, "ab")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_pages(tmp_path_factory.mktemp("help"))


def test_marks_of_the_help_are_tags(folder):
    splits, counts = entities.read_splits(str(folder), "en")
    records = [record for records in splits.values() for record in records]
    assert len(records) == 81 and all(splits.values())
    assert (counts["others"], counts["few"], counts["one"]) == (160, 80, 80)
    assert counts["repeated"] + counts["seen"] == 79
    own = [record for record in records if record["text"].startswith("Choose")]
    assert {record["tags"] for record in own} == {"O B-menuitem I-menuitem I-menuitem O B-emph O O"}
    assert "O B-keycode I-keycode I-keycode O O O O" not in {r["tags"] for r in splits["test"]}
    assert entities.entities(records) == dict(emph=80, menuitem=80, keycode=1, literal=0, input=0)


def test_the_set_loads_and_is_recalled(folder, tmp_path):
    section = dict(name="entities", path=str(folder), language="en", length=60, vocabulary_size=0)
    data = catalogue.load(section, tmp_path)
    row = data.splits["test"][np.arange(1)]
    assert data.target == "tags" and set(row) == {"text", "tags"} and row["tags"].shape == row["text"].shape
    assert data.fields["tags"].values(row["tags"])[0] == "O B-menuitem I-menuitem I-menuitem O B-emph O O"
    assert "B-keycode 1" in data.fields["tags"].describe(data.splits["train"], "tags")
    assert "token: 0 of" in data.notes[-2]
    back = recalled(Meaning.of(data))
    assert back.fields["tags"] == data.fields["tags"] and back.target == "tags"
    short = catalogue.load({**section, "length": 12}, tmp_path)
    assert short.splits["test"].arrays["tags"].shape[1] == 13 and "token: 0 of" not in short.notes[-2]


def test_tags_beside_pieces_of_words_are_not_laid_beside_others(folder, tmp_path):
    section = dict(name="entities", path=str(folder), language="en", length=60, vocabulary_size=0)
    data, other = (catalogue.load({**section, "vocabulary_size": size}, tmp_path) for size in (0, 12))
    moved = under(data, Meaning.of(other))  # a character is a token in any vocabulary
    assert np.array_equal(moved.splits["test"].arrays["tags"], data.splits["test"].arrays["tags"])
    assert moved.fields["text"].vocabulary == 16 and "token: 0 of" in moved.notes[-2]
    pieces, fewer = (
        catalogue.load({**section, "tokenizer": "wordpiece", "vocabulary_size": size}, tmp_path) for size in (80, 60)
    )
    assert under(pieces, Meaning.of(pieces)).changed == ()
    with pytest.raises(UserError, match="entities changed since training"):
        under(pieces, Meaning.of(fewer))
