"""The audit as a user meets it: verdicts, the page and the record, and one line for what is wrong."""

import json

import numpy as np
import pytest
from PIL import Image

from aigc_jax.errors import UserError
from aigc_jax.evaluate.__main__ import main
from aigc_jax.evaluate.audit import BESIDE, SHOWN, audit
from aigc_jax.metrics.features.extractor import Extractor

RANDOM = np.random.RandomState(0)


def images(count, side=8, channels=1):
    return RANDOM.randint(0, 256, (count, side, side, channels)).astype(np.uint8)


@pytest.fixture
def files(tmp_path):
    """Paths of training, unseen and made images; 9 of the 60 made ones are copies of the first 9 training images."""
    train, unseen, made = images(80), images(60), images(60)
    made[:9] = train[:9]
    for name, array in (("train", train), ("unseen", unseen), ("made", made)):
        np.save(tmp_path / f"{name}.npy", array)
    return [str(tmp_path / f"{name}.npy") for name in ("train", "unseen", "made")]


def test_copies_are_named_and_shown(files, tmp_path, capsys):
    main(["audit", *files, "--grey", "--out", str(tmp_path / "out")])
    printed = capsys.readouterr().out
    assert "Samples repeat the training set" in printed and "suspicious of 60 samples" in printed
    record = json.loads((tmp_path / "out" / "audit.json").read_text("utf-8"))
    assert record["copies"] and record["p_value"] <= 0.05
    copied = [entry for entry in record["suspicious"] if entry["distance"] == 0]
    assert sorted((entry["sample"], entry["example"]) for entry in copied) == [(i, i) for i in range(9)]
    page = (tmp_path / "out" / "audit.html").read_text("utf-8")
    assert record["verdict"] in page and page.count("<img") == SHOWN * (BESIDE + 1)
    with Image.open(tmp_path / "out" / "closest.png") as grid:
        pixels = np.asarray(grid)
    cell = 66  # 8 pixels enlarged to 64, and a gap
    for row in range(9):  # a sample and the first example beside it look the same
        top = 2 + row * cell
        np.testing.assert_array_equal(pixels[top : top + 64, 2:66], pixels[top : top + 64, 2 + cell : 66 + cell])


def test_no_copies_are_said_with_what_would_have_been_found(files):
    train, unseen, _ = (np.load(path) for path in files)
    found = audit(train, unseen[:30], unseen[30:], None, seed=0)
    assert not found.copies and found.verdict.startswith("No copies found (p = ")
    assert f"though {found.finding.detectable} exact ones among the 30 samples" in found.verdict


def test_too_few_are_said_to_be(files):
    train, unseen, _ = (np.load(path) for path in files)
    found = audit(train, unseen[:1], unseen[1:3], None, seed=0)
    assert found.verdict.startswith("Nothing can be said")


def test_features_stand_in_for_pixels(files):
    def columns(variables, images):
        return images.mean(1).reshape(len(images), -1), images.mean((1, 2))

    train, unseen, made = (np.load(path) for path in files)
    found = audit(train, unseen, made, Extractor("columns", "", (8, 8, 1), "as they are", columns, {}), seed=0)
    assert found.space == "columns"
    assert set(range(9)) <= set(found.closest[:9].tolist())


def test_images_of_other_shapes_are_refused(files, tmp_path):
    with pytest.raises(UserError, match=r"training images are \[8, 8, 1\] and the made ones \[9, 9, 1\]"):
        audit(images(5), images(5), images(5, 9), None, seed=0)
    with pytest.raises(UserError, match="is neither a folder"):
        main(["audit", "nowhere", *files[1:], "--grey", "--out", str(tmp_path / "out")])
