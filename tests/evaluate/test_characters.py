"""The share of images that are read as the character that is meant, with a reader that is known."""

import importlib.util

import numpy as np
import pytest
from support import LETTERS, write_fonts

from aigc_jax.data import catalogue
from aigc_jax.data.fonts import FONTS, glyph
from aigc_jax.data.given import asked
from aigc_jax.errors import UserError
from aigc_jax.evaluate.characters import Written, joined, measure_ocr, written
from aigc_jax.evaluate.images import NOTHING, Seen
from aigc_jax.evaluate.judge import build_judge
from aigc_jax.metrics import ocr

SIZE = 16


class Lazy:
    """A reader that reads the character whose number in the alphabet is an image's first grey level."""

    alphabet = tuple(LETTERS[:-4])

    def read(self, images):
        return np.array([self.alphabet[image.flat[0] % len(self.alphabet)] for image in images])


@pytest.fixture
def lazy(monkeypatch):
    monkeypatch.setattr(ocr, "reader", Lazy)


def seen(levels, meant):
    images = np.array(levels, np.uint8).reshape(-1, 1, 1, 1)
    return Seen(NOTHING, None, None, Written(images, np.array(list(meant))))


def test_it_is_the_share_of_those_that_the_reader_knows(lazy):
    measure = measure_ocr()
    assert measure.names == ("OCR-PP-OCRv4",)
    unknown = LETTERS[-1]
    made = seen([0, 1, 2, 3, 0], f"abcx{unknown}")  # three of four right; the last one counts for nothing
    (found,) = measure.estimate(None, made)
    assert found.value == pytest.approx(0.75) and (found.least, found.most) == (0, 1)
    with pytest.raises(UserError, match="knows none"):
        measure.estimate(None, seen([0], unknown))
    with pytest.raises(UserError, match='a field "character"'):
        measure.estimate(None, Seen(NOTHING, None))


def test_rows_say_what_they_show_and_parts_are_joined():
    rows = {"other": np.zeros((2, 4, 4, 1), np.uint8), "character": np.array([1, 0])}
    found = written(rows, "other", {"character": ("永", "和")})
    assert found.characters.tolist() == ["和", "永"] and found.images.shape == (2, 4, 4, 1)
    assert written({"other": rows["other"]}, "other", {}) is None
    assert joined([found, found]).characters.tolist() == ["和", "永"] * 2
    assert joined([found, None]) is None and joined([]) is None


def test_samples_of_rows_bring_the_character_and_the_ceiling_is_of_true_glyphs(tmp_path, lazy):
    """A model that draws every glyph as the font does reaches the floor; one that draws none, as often by chance."""
    fonts = tuple(map(str, write_fonts(tmp_path / "fonts")))
    section = dict(name="glyphs", fonts=fonts, characters=LETTERS, image_size=SIZE)
    data = catalogue.load(section, tmp_path / "data")
    test = data.splits["test"]
    right = {name: array.copy() for name, array in test.arrays.items()}
    meant = data.fields["character"].values(right["character"])
    known = np.isin(meant, Lazy.alphabet)
    wanted = [Lazy.alphabet.index(each) for each in meant[known]]
    right["other"][known, 0, 0, 0] = wanted
    splits = {**data.splits, "test": type(test)(right)}
    data = type(data)(data.name, splits, data.fields, data.target)
    judge = build_judge(data, "train", "test", len(test), ("ocr",), "", None, None)
    found = asked(data, ("one",), "split:test", len(test), 0, "test")
    assert found.rows.keys() == {"one"} and found.beside.keys() == {"character"}
    judge.check(found)
    (figure,) = judge.figures([judge.look({**found.rows, "other": found.truth, **found.beside})], 0)
    assert figure.interval.value == figure.floor == 1
    wrong = np.full_like(found.truth, 255)
    (figure,) = judge.figures([judge.look({**found.rows, "other": wrong, **found.beside})], 0)
    assert figure.interval.value <= 0.2 < figure.floor


def test_a_lacking_reader_is_named(monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(ocr, "optional", lambda *names: None)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == ocr.PACKAGE else find(name))
    ocr.reader.cache_clear()
    with pytest.raises(UserError, match=r"needs rapidocr-onnxruntime==1\.4\.4: pip install 'aigc_jax\[ocr\]'"):
        ocr.reader()


def test_images_are_enlarged_into_the_middle_of_a_white_line():
    """Of which one place says most: blanks, which are number 0, do not count."""
    lines = []

    def run(batch):
        lines.append(batch)
        probable = np.zeros((len(batch), 5, 5), np.float32)
        probable[:, :, 0] = 0.9
        probable[:, 3, 2], probable[:, 4, 1] = 0.4, 0.3
        return probable

    image = np.zeros((1, 8, 8, 3), np.uint8)
    assert ocr.Reader(("永", "和", "九", "年"), run).read(np.repeat(image, 40, 0)).tolist() == ["和"] * 40
    assert [len(batch) for batch in lines] == [32, 8]
    assert lines[0].shape[1:] == (3, ocr.HEIGHT, ocr.WIDTH)
    left = (ocr.WIDTH - ocr.HEIGHT) // 2
    assert np.all(lines[0][..., left:-left] == -1) and np.all(lines[0][..., :left] == 1)


@pytest.mark.skipif(importlib.util.find_spec(ocr.PACKAGE) is None, reason="pip install 'aigc_jax[ocr]'")
@pytest.mark.skipif(not FONTS["wenkai"].path.is_file(), reason="apt-get install fonts-lxgw-wenkai")
def test_the_reader_reads_a_font():
    ocr.reader.cache_clear()
    text = "天地玄黄宇宙洪荒日月盈昃辰宿列张寒来暑往秋收冬藏"
    images = np.stack([glyph(FONTS["wenkai"], each, 64) for each in text])
    assert np.mean(ocr.reader().read(images) == np.array(list(text))) > 0.8
    assert np.mean(ocr.reader().read(255 - images[::-1]) == np.array(list(text))) < 0.1
