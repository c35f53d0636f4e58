"""Texts of one's own: what is read of which files, where books are split, what is said, what is refused."""

import os

import numpy as np
import pytest
from support import load_config

from aigc_jax.build import build
from aigc_jax.data import __main__ as command
from aigc_jax.data import catalogue
from aigc_jax.data.sets import text_folder
from aigc_jax.errors import ConfigError, UserError

BOOK = "".join(f"Chapter {i}\n" + "".join(f"line {j} of chapter {i}.\n" for j in range(40)) + "\n" for i in range(30))


@pytest.fixture
def load(tmp_path):
    """A function: path below tmp_path, settings -> the data set."""

    def function(path="texts", **settings):
        section = dict(name="text_folder", path=str(tmp_path / path), documents="files", length=8, vocabulary_size=0)
        return catalogue.load({**section, **settings}, tmp_path / "prepared")

    return function


@pytest.fixture
def write(tmp_path):
    """A function: name below the folder of texts, content -> the file."""

    def function(name, content):
        path = tmp_path / "texts" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return function


def texts(data):
    return {split: source.texts() for split, source in data.splits.items()}


def test_a_book_is_split_by_position_into_passages_that_are_the_book_again(load, write):
    path = write("book.txt", BOOK)
    data = load("texts/book.txt")
    parts = texts(data)
    assert list(parts) == ["train", "validation", "test"]
    assert "".join("".join(part) for part in parts.values()) == BOOK.strip()
    sizes = {split: len("".join(part)) / len(BOOK) for split, part in parts.items()}
    assert sizes["train"] == pytest.approx(0.9, abs=0.01) and sizes["test"] == pytest.approx(0.05, abs=0.01)
    assert all(len(text) <= text_folder.PASSAGE for part in parts.values() for text in part)
    assert sum(text.startswith("Chapter") for text in parts["train"]) > 10  # they end with paragraphs
    assert "split each by position: its last 5 % are test" in data.notes[0]
    assert texts(load("texts")) == parts  # a folder that holds it alone
    path.unlink()
    with pytest.raises(UserError, match="no folder or file"):
        load("texts/book.txt")


@pytest.mark.parametrize("text", [BOOK, BOOK.replace("\n\n", "\n"), BOOK.replace("\n", " "), "字" * 9001, "", "x"])
def test_passages_put_together_are_the_text(text):
    parts = list(text_folder.passages(text))
    assert "".join(parts) == text
    assert all(0 < len(part) <= text_folder.PASSAGE for part in parts)
    assert all(len(part) > text_folder.PASSAGE // 2 for part in parts[:-1])


@pytest.mark.parametrize("size", [1, 199, 200, 2000, 99_999])
def test_no_character_of_a_book_is_lost(size):
    for book in ("字" * size, ("ab\n" * size)[:size]):
        assert "".join(text_folder.parts_of(book).values()) == book


def test_many_documents_are_split_by_content(load, write):
    for i in range(60):
        write(f"{i}.txt", f"story {i % 50}")  # ten of them twice
    parts = texts(load())
    sets = [set(part) for part in parts.values()]
    assert sum(map(len, parts.values())) == 60 and len(set.union(*sets)) == sum(map(len, sets)) == 50
    assert "60 documents; split by content" in load().notes[0]


def test_blank_lines_part_documents_where_that_is_asked(load, write):
    write("poems.txt", "\n\n".join(f"poem {i}\nverse" for i in range(30)) + "\n \t\n\n")
    assert sum(map(len, texts(load(documents="blank_lines")).values())) == 30
    assert len(texts(load())["train"]) == 1
    with pytest.raises(ConfigError, match="data.documents"):
        load(documents="lines")


def test_what_people_have_in_folders(load, write, tmp_path):
    write("a.TXT", b"\xef\xbb\xbfone\r\ntwo\rthree\0\x1b[1m\tend")
    write("sub/b.Md", "vier\N{LATIN SMALL LETTER U WITH DIAERESIS}".encode("utf-16"))
    write("c.text", "fu\N{COMBINING DIAERESIS}nf")
    write("d.txt", "sechs".encode("utf-32"))
    write("empty.txt", b"")
    write("blank.txt", " \n\r\n\t")
    write("folder.txt/e.txt", "in a folder named like a file")
    for name in ("._a.txt", ".hidden/x.txt", "__MACOSX/a.txt", "photo.jpg", "notes.PDF", "README"):
        write(name, b"\0\x05\x16\x07\xff")
    write(os.fsdecode(b"caf\xe9.txt"), "a name that is no UTF-8")
    data = load(documents="files")
    assert sorted(texts(data)["train"]) == [
        "a name that is no UTF-8",
        "fu\N{COMBINING DIAERESIS}nf",
        "in a folder named like a file",
        "one\ntwo\nthree[1m\tend",
        "sechs",
        "vier\N{LATIN SMALL LETTER U WITH DIAERESIS}",
    ]
    assert list(data.notes[:-1]) == [
        f"Read: 8 files with {sum(map(len, texts(data)['train']))} characters in 6 documents; "
        "split each by position: its last 5 % are test, the 5 % before validation.",
        "Files read as UTF-16 or UTF-32: 2.",
        "Files with carriage returns, read as line ends: 2.",
        "Control characters left out: 2.",
        "Files with letters that are not composed (Unicode's NFC), left as they are: 1.",
        "Files without text: 2.",
        "Other files passed over: 3 (no suffix 1, .pdf 1, .jpg 1).",
    ]
    assert load().notes == data.notes  # said at every start, not only when it is prepared


def test_the_vocabulary_and_what_it_covers_is_said(load, write):
    write("a.txt", ("a" * 90 + "b" * 8 + "xyz") * 8)
    data = load(vocabulary_size=2)
    assert data.made.model == "ab"
    said = data.notes[-1]
    assert "2 characters" in said and "of train" in said and "characters are read as <unk>" in said
    unknown = sum(np.count_nonzero(source.arrays["text"][:, 1:] == 3) for source in data.splits.values())
    assert f"; {unknown} characters are read as <unk>" in said and unknown == 24
    assert load(vocabulary_size=0).notes[-1] == (
        "Vocabulary: 5 characters, which cover 100.00% of train, 100.00% of validation, 100.00% of test."
    )


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("h\xe9llo".encode("latin-1"), r"a.txt is not UTF-8 \(byte 0xe9 at offset 1\).*iconv -f WINDOWS-1252 -t UTF-8"),
        ("ab春江花月夜".encode("gbk"), r"a.txt is not UTF-8 \(byte 0xb4 at offset 2\).*iconv -f GB18030 -t UTF-8"),
        (b"\xef\xbb\xbfab\xff", r"a.txt is not UTF-8 \(byte 0xff at offset 5\)"),
        ("hello".encode("utf-16-le"), "a.txt is not UTF-8 .*iconv -f UTF-16LE"),
        ("hello".encode("utf-16-be"), "a.txt is not UTF-8 .*iconv -f UTF-16BE"),
        ("hello".encode("utf-16")[:-1], r"a.txt is not UTF-16 \(byte"),
        (b"%PDF-1.7\n", "a.txt is PDF, and no plain text"),
        (b"PK\x03\x04", "a.txt is a ZIP archive"),
    ],
)
def test_other_encodings_are_refused_with_the_byte_and_the_remedy(load, write, content, said):
    write("a.txt", content)
    with pytest.raises(UserError, match=said) as error:
        load()
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("content", [{}, {"a.txt": ""}, {"a.txt": "\n \r\n", "b.md": "\a"}, {"a.docx": "x"}])
def test_nothing_to_train_on_is_one_line(load, write, tmp_path, content):
    (tmp_path / "texts").mkdir()
    for name, text in content.items():
        write(name, text)
    with pytest.raises(UserError, match="There is no") as error:
        load()
    assert str(tmp_path / "texts") in str(error.value) and "\n" not in str(error.value)


def test_a_document_longer_than_a_window_gives_several(load, write):
    write("a.txt", "abcdefghij" * 3)
    data = load(length=8)
    assert len(data.splits["train"]) == 4  # 30 characters and an end
    assert "".join(data.made.decode(row[1:]) for row in data.splits["train"].arrays["text"]) == "abcdefghij" * 3


def test_poems_of_another_folder_are_read_by_blank_lines(tmp_path, write):
    write("a.MD", "\n\n".join(f"poem {i}" for i in range(30)))
    section = dict(name="tang_poems", path=str(tmp_path / "texts"), length=8, vocabulary_size=0)
    data = catalogue.load(section, tmp_path / "prepared")
    assert data.name == "tang_poems" and sum(map(len, texts(data).values())) == 30


def test_show_says_it(tmp_path, write, capsys):
    write("book.txt", BOOK)
    assert command.main(["show", "text_folder", f"--path={tmp_path / 'texts'}", f"--out={tmp_path}"]) == 0
    assert "Read: 1 file with" in capsys.readouterr().out


@pytest.mark.parametrize("form", ["{}.txt", "{}/a.txt", "ptb.{}.txt", "{}_texts/b/c.md"])
@pytest.mark.parametrize("validation", ["valid", "Dev"])
def test_names_of_splits_are_the_splits(load, write, form, validation):
    for name in ("train", validation, "test"):
        write(form.format(name), f"{name} " * 100)
    write("README.md", "about")
    data = load()
    assert {split: {*"".join(parts).split()} for split, parts in texts(data).items()} == {
        "train": {"train"},
        "validation": {validation},
        "test": {"test"},
    }
    assert "split as folders or files are named" in data.notes[0]
    assert any("beside the splits" in note and "README.md" in note for note in data.notes)


def test_a_text_may_be_called_test(load, write):
    write("test.txt", BOOK)
    write("contest.txt", BOOK)
    assert "by position" in load().notes[0]
    write("train.txt", "")
    write("validation.txt", BOOK)
    write("test.txt", "")
    with pytest.raises(UserError, match="nothing to train on"):
        load()


@pytest.mark.parametrize(
    "names, message",
    [
        (["a/train.txt", "a/test.txt"], 'splits inside "a"'),
        (["test/a.txt", "val/a.txt"], "of test and validation alone"),
    ],
)
def test_splits_that_cannot_be_taken_are_refused(load, write, names, message):
    for name in names:
        write(name, BOOK)
    with pytest.raises(UserError, match=message):
        load()


def test_a_split_that_too_few_texts_lack_is_said_with_a_remedy(tmp_path, write):
    write("a.txt", "hi")
    config = load_config("gpt_text", "tiny")
    config = {**config, "data": {**config["data"], "path": str(tmp_path / "texts")}}
    with pytest.raises(ConfigError, match="Bring more, or .*--config.evaluate.split=train"):
        build(config, tmp_path / "prepared")
