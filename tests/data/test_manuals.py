"""The help of LibreOffice: what a page says, which paragraphs are pairs, what is left out, how pages are split."""

from collections import Counter

import numpy as np
import pytest
from small.manuals import COLOURS, PAGES, WORDS, page, paragraph, write, write_manuals

from aigc_jax.data import catalogue
from aigc_jax.data.manuals import Span, read_page
from aigc_jax.data.records import by_hash, once, unseen
from aigc_jax.data.sets import manuals
from aigc_jax.errors import UserError


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_manuals(tmp_path_factory.mktemp("help"))


def test_what_a_page_says_is_its_paragraphs_with_their_marks(tmp_path):
    switch = (
        'Choose <span class="switchinline" id="s"><span hidden="true" id="MACx" class="MAC"><span class="menuitem">'
        'LibreOffice</span></span><span hidden="true" id="defaultx"><span class="menuitem">To&shy;ols</span></span>'
        "</span>"
        '<span class="menuitem"> - Options </span>, or press <span class="avis">the <span class="keycode">F1</span>\n'
        '  &amp; key</span><img src="a.png">.'
    )
    apps = (
        '<span class="switch" id="a"><span id="WRITERa" class="WRITER">text</span><span id="CALCa">cells</span></span>'
    )
    write(
        tmp_path / "a.html", page("A &amp; B", paragraph(1, switch), f"<td>{paragraph(2, apps)}</td>", "<p>no id</p>")
    )
    read = read_page(tmp_path / "a.html", "scalc/a.html")
    assert (
        read.title == "A & B" and read.module == "scalc" and [each.id for each in read.paragraphs] == ["par_1", "par_2"]
    )
    first, second = read.paragraphs
    assert first.text == "Choose Tools - Options , or press the F1 & key." and second.text == "text"
    assert [(first.text[start:stop], mark) for start, stop, mark in first.spans] == [
        ("Tools - Options", "menuitem"),
        ("F1", "keycode"),
    ]
    assert first.spans[1] == Span(38, 40, "keycode")
    write(tmp_path / "b.html", "<html>nothing</html>")
    with pytest.raises(UserError, match="b.html is no page"):
        read_page(tmp_path / "b.html", "b.html")


def test_pairs_are_paragraphs_of_one_id(folder):
    splits, counts = manuals.read_splits(str(folder), "pairs", "en")
    assert counts["pages"] == PAGES and counts["paragraphs"] == 7 * PAGES
    assert (counts["code"], counts["untranslated"], counts["empty"]) == (PAGES, PAGES, 2 * PAGES)
    records = [record for split in splits.values() for record in split]
    assert counts["repeated"] + counts["seen"] == PAGES - 1  # "Related Topics" is left in train alone
    assert len(records) == 2 * PAGES + 1
    for split, members in splits.items():
        assert sum(record["source"] == "Related Topics" for record in members) == (split == "train")
        for record in members:
            if record["source"].startswith("Paint"):
                _, _, _, one, _, two, *_ = record["source"].split()
                assert COLOURS[WORDS.index(one)] + COLOURS[WORDS.index(two)] in record["target"]
    pages = [{record["page"] for record in members} for members in splits.values()]
    assert sum(map(len, pages)) == len(set.union(*pages))  # a page is in one split
    turned, _ = manuals.read_splits(str(folder), "pairs", "zh")
    assert turned["test"][0]["source"] == splits["test"][0]["target"]


def test_titles_and_modules_do_not_read_what_they_are_asked_for(folder):
    titles, _ = manuals.read_splits(str(folder), "titles", "zh")
    assert all(record["target"] not in record["source"].split("\n") for record in titles["train"])
    assert all(record["target"].startswith("颜色") and "明天" in record["source"] for record in titles["train"])
    modules, _ = manuals.read_splits(str(folder), "modules", "en")
    assert Counter(record["label"] for split in modules.values() for record in split) == {"scalc": 27, "swriter": 53}


@pytest.mark.parametrize("what, said", [("english", "PRINT"), ("chinese", "相关主题")])
def test_running_text_has_long_paragraphs_once_and_short_ones_everywhere(folder, what, said):
    splits, _ = manuals.read_splits(str(folder), what, "en")
    texts = [text for split in splits.values() for text in split]
    assert len(texts) == PAGES and all(said in text.split("\n") for text in texts)
    assert all("x = 1" not in text for text in texts)
    counts = Counter()
    twice = {"train": [["a" * 50, "b"], ["b", "c" * 50]], "test": [["a" * 50, "b"], ["b", "d" * 50]]}
    assert manuals.running(twice, "en", counts) == {
        "train": ["a" * 50 + "\nb", "b\n" + "c" * 50],
        "test": ["b\n" + "d" * 50],
    }
    assert counts["repeated"] == 1


def test_held_out_records_repeat_none_of_training():
    def records(*pairs):
        return [dict(zip(("source", "target"), pair, strict=True)) for pair in pairs]

    splits = {"train": records("ab", "ac", "ab"), "validation": [], "test": records("ad", "eb", "fg", "fg", "ab")}
    assert [len(each) for each in once(splits, ("source", "target"))[0].values()] == [2, 0, 4]
    kept, left = unseen(splits, ("source",), ("target",))
    assert kept["test"] == records("fg", "fg") and left == 3 and kept["train"] == splits["train"]
    assert unseen(splits, ("source", "target"))[1] == 1
    parts = by_hash(range(2000), str)
    assert (
        sorted(part for split in parts.values() for part in split) == list(range(2000))
        and 1600 < len(parts["train"]) < 1800
    )
    assert set(by_hash(range(4000), str)["test"]) >= set(parts["test"])  # what is added moves none


def test_the_sets_load(folder, tmp_path):
    def load(**settings):
        section = dict(name="manuals", path=str(folder), length=60, vocabulary_size=0) | settings
        return catalogue.load(section, tmp_path / "prepared")

    data = load(what="pairs", source_length=80)
    assert data.target == "target" and data.fields["source"].length == 80
    row = data.splits["test"][np.arange(1)]
    splits, _ = manuals.read_splits(str(folder), "pairs", "en")
    assert [data.fields[name].values(row[name])[0] for name in row] == [splits["test"][0][name] for name in row]
    assert "80 pages with 560 paragraphs" in data.notes[0] and "80 code" in data.notes[0]
    modules = load(what="modules")
    assert modules.target == "label" and modules.made.names == ("scalc", "swriter")
    assert load(what="chinese", pack=True).made.packed
    with pytest.raises(UserError, match="apt-get download libreoffice-help-zh-cn"):
        load(what="chinese", path=str(tmp_path))
