"""Glyphs: which characters, which fonts, and where a character lies in its square."""

from pathlib import Path

import numpy as np
import pytest
from support import LETTERS, write_fonts

from aigc_jax.data import catalogue, fonts
from aigc_jax.data.fields.labels import Label
from aigc_jax.data.fonts import FONTS, Font, found, glyph, has
from aigc_jax.data.sets.glyphs import characters_of
from aigc_jax.errors import ConfigError, UserError

SIZE = 32


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return write_fonts(tmp_path_factory.mktemp("fonts"))


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    return tmp_path_factory.mktemp("prepared")


def load(files, data_dir, characters=LETTERS, size=SIZE):
    section = dict(name="glyphs", fonts=tuple(map(str, files)), characters=characters, image_size=size)
    return catalogue.load(section, data_dir)


def of_file(path):
    return Font(path, 0, "", "")


def test_gb_2312_has_so_many_characters():
    assert (len(characters_of("gb2312")), len(characters_of("gb2312_1"))) == (6763, 3755)
    assert characters_of("gb2312")[:3] == characters_of("gb2312_1")[:3] == "啊阿埃"
    assert characters_of("gb2312_1")[-1] == "座" and characters_of("gb2312")[-1] == "齄"
    assert characters_of("永 和\n永") == "永和"


def test_a_row_is_one_character_in_all_fonts(files, data_dir):
    data = load(files, data_dir)
    assert list(data.fields) == ["one", "other", "character"] and data.target == "other"
    assert data.facts["character_classes"] == len(LETTERS) and data.facts["shape"] == (SIZE, SIZE, 1)
    seen = []
    for source in data.splits.values():
        rows = source[np.arange(len(source))]
        names = data.fields["character"].values(rows["character"])
        for name, image in zip(names, rows["other"], strict=True):
            np.testing.assert_array_equal(image, glyph(of_file(files[0]), name, SIZE))
        seen += list(names)
    assert sorted(seen) == sorted(LETTERS), "each character is in one split"


def test_a_character_is_where_it_was_with_others_beside_it(files, data_dir):
    all_, some = (load(files, data_dir, characters) for characters in (LETTERS, LETTERS[::2]))
    for split, source in some.splits.items():
        chosen = set(some.fields["character"].values(source.arrays["character"]))
        assert chosen <= set(all_.fields["character"].values(all_.splits[split].arrays["character"]))


@pytest.mark.parametrize("letter", ["A", "g", "."])
def test_a_glyph_lies_in_the_middle_black_on_white(files, letter):
    image = glyph(of_file(files[0]), letter, SIZE)
    assert image.shape == (SIZE, SIZE, 1) and image.dtype == np.uint8
    rows, columns = (np.flatnonzero((image[..., 0] < 128).any(axis)) for axis in (1, 0))
    for inked in (rows, columns):
        assert abs((inked[0] + inked[-1]) / 2 - (SIZE - 1) / 2) <= 1
    assert image.min() < 64 and np.median(image) == 255


def test_what_a_font_lacks_is_left_out_and_said(files, data_dir):
    font = of_file(files[0])
    assert has(font, "A") and not has(font, "永") and not has(font, "\u3000")
    data = load(files, data_dir, LETTERS + "永和")
    assert len(data.fields["character"].names) == len(LETTERS)
    assert "left out, as not all fonts have them: 永, 和." in data.notes[-1]
    with pytest.raises(UserError, match=r"have 0, of which none is in train.*data\.characters"):
        load(files, data_dir, "永和")


def test_other_sizes_and_fonts_are_prepared_anew(files, data_dir, tmp_path):
    folder = load(files, data_dir).folder
    assert load(files, data_dir).folder == folder
    assert load(files, data_dir, size=16).folder != folder
    other = tmp_path / "one.ttf"
    other.write_bytes(files[0].read_bytes() + b"\0")
    assert load([other, files[1]], data_dir).folder != folder


def test_fonts_that_do_not_work(files, data_dir, tmp_path, monkeypatch):
    with pytest.raises(ConfigError, match=r"data\.fonts.*wenkai"):
        found("wenkay")
    with pytest.raises(UserError, match="check the path"):
        found(str(tmp_path / "gone.ttf"))
    (tmp_path / "no.ttf").write_text("no font")
    with pytest.raises(UserError, match=r"no\.ttf cannot be read as a font"):
        found(str(tmp_path / "no.ttf"))
    with pytest.raises(ConfigError, match="twice"):
        load([files[0], files[0]], data_dir)
    monkeypatch.setitem(fonts.FONTS, "wenkai", FONTS["wenkai"]._replace(path=Path("/nowhere/wenkai.ttf")))
    with pytest.raises(UserError, match="apt-get install fonts-lxgw-wenkai"):
        found("wenkai")
    assert found(f"{files[0]}:0")[0] == "one_0"


def test_thousands_of_characters_are_counted_and_not_listed(files, data_dir):
    data = load(files, data_dir)
    assert "A 1" in data.fields["character"].describe(data.splits["train"], "character")
    many = Label((*data.fields["character"].names, *map(str, range(300))))
    wanted = f"; {len(data.splits['train']):,} of {len(LETTERS) + 300:,} classes"
    assert many.describe(data.splits["train"], "character") == wanted


@pytest.mark.skipif(not FONTS["wenkai"].path.is_file(), reason="apt-get install fonts-lxgw-wenkai")
def test_a_font_of_debian_has_what_it_should():
    font = found("wenkai")[1]
    assert all(has(font, each) for each in characters_of("gb2312")[::100]) and not has(font, "\U0002fa1f")
