"""Texts in files: figures with records, and what is refused in one line."""

import json
import sys

import pytest

from aigc_jax import command
from aigc_jax.evaluate.__main__ import main
from aigc_jax.evaluate.files import load_texts
from aigc_jax.metrics.record import read_records

TRAINING = ["the cat sat on the mat", "the dog sat on the log"]
MADE = ["the cat sat on the log", "a bird flew over"]


def guarded(*arguments):
    return command.guarded(main, ["texts", *map(str, arguments)])


@pytest.fixture
def files(tmp_path):
    (tmp_path / "training.txt").write_text("\n".join(TRAINING) + "\n\n", "utf-8")
    (tmp_path / "heldout.txt").write_text("\n".join(["the cow ate grass", "the hen ate corn", "a"]), "utf-8")
    (tmp_path / "made.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in MADE), "utf-8")
    return tmp_path


def test_figures(files):
    out = files / "records.jsonl"
    wanted = ("--measures", "distinct_1", "copied_10", "self_bleu", "--heldout", files / "heldout.txt", "--out", out)
    assert guarded(files / "training.txt", files / "made.jsonl", *wanted) == 0
    distinct, copied, bleu = read_records(out)
    assert distinct.value == pytest.approx(len(set("".join(MADE))) / len("".join(MADE)))
    pieces = [text[i : i + 10] for text in MADE for i in range(len(text) - 9)]
    expected = sum(any(piece in text for text in TRAINING) for piece in pieces) / len(pieces)
    assert copied.value == pytest.approx(expected) and 0 < expected < 1
    assert 0 <= bleu.value < 1 and bleu.protocol.samples == 2 and bleu.protocol.references == 2
    assert distinct.floor is not None and distinct.run == "made.jsonl"


def test_pairs_keep_their_places(files, capsys):
    """An empty text has its place among the true ones."""
    (files / "said.txt").write_text("the cat\n\nthe hen\n", "utf-8")
    (files / "true.txt").write_text("the cat\nthe cow\nthe hen\n", "utf-8")
    wanted = ("--measures", "exact_match", "bleu", "--out", files / "records.jsonl")
    pairs = (files / "training.txt", files / "said.txt", "--truth")
    assert guarded(*pairs, files / "true.txt", *wanted) == 0
    exact, bleu = read_records(files / "records.jsonl")
    assert exact.value == pytest.approx(2 / 3) and "tok:13a" in bleu.protocol.settings["signature"]
    capsys.readouterr()
    assert guarded(*pairs, files / "made.jsonl") == 1
    assert "said.txt has 3 texts and" in capsys.readouterr().err
    assert guarded(*pairs[:2], *wanted) == 1
    assert "exact_match needs the true targets" in capsys.readouterr().err


def test_a_text_may_hold_what_unicode_calls_a_line_separator(files):
    texts = ["one\u2028two", "three\x85four"]
    lines = [json.dumps({"text": text}, ensure_ascii=False) for text in texts]
    (files / "made.jsonl").write_text("\n".join(lines) + "\n", "utf-8")
    assert load_texts(files / "made.jsonl").tolist() == texts


def test_what_is_refused(files, capsys, monkeypatch):
    def refused(*arguments):
        assert guarded(*arguments) == 1
        (line,) = capsys.readouterr().err.splitlines()
        return line

    training = files / "training.txt"
    (files / "latin.txt").write_bytes("œuvre".encode("iso-8859-15"))
    (files / "empty.txt").write_text("\n")
    (files / "bad.jsonl").write_text('{"text": "a"}\n{"words": "b"}\n')
    assert "latin.txt is not UTF-8 (byte 0xbd at offset 0)" in refused(training, files / "latin.txt")
    assert "absent.txt cannot be read (No such file" in refused(training, files / "absent.txt")
    assert "There is no text in" in refused(training, files / "empty.txt")
    assert "bad.jsonl, line 2, holds no" in refused(training, files / "bad.jsonl")
    monkeypatch.setitem(sys.modules, "sacrebleu.metrics", None)  # as if it were not installed
    assert "pip install 'aigc_jax[evaluate]'" in refused(training, files / "made.jsonl", "--measures", "self_bleu")


def test_texts_are_read_in_the_encodings_that_have_a_mark_and_with_any_line_end(tmp_path):
    for name, encoding in (("a.txt", "utf-8-sig"), ("b.txt", "utf-16"), ("c.txt", "utf-8")):
        (tmp_path / name).write_bytes("eins\r\nzw\N{LATIN SMALL LETTER O WITH DIAERESIS}lf\r\n".encode(encoding))
        assert load_texts(tmp_path / name).tolist() == ["eins", "zw\N{LATIN SMALL LETTER O WITH DIAERESIS}lf"]
