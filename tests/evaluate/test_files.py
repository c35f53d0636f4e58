"""Folders of images are read by the rules of the data sets: what is hidden, transparent, deep or damaged."""

import os

import numpy as np
import pytest
from PIL import Image

from aigc_jax.data import catalogue
from aigc_jax.errors import UserError
from aigc_jax.evaluate import files


def write(path, pixels, **settings):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(pixels)).save(path, **settings)


def test_a_folder_is_read_as_a_data_set_reads_it(tmp_path):
    random = np.random.RandomState(0)
    write(tmp_path / "raw/b.png", random.randint(0, 256, (6, 6, 4), np.uint8))
    write(tmp_path / "raw/a.TIF", random.randint(0, 4096, (7, 5)).astype(np.uint16), format="tiff")
    write(tmp_path / "raw" / os.fsdecode(b"caf\xe9.png"), random.randint(0, 4096, (9, 9)).astype(np.uint16))
    write(tmp_path / "raw/deep/c.jpg", random.randint(0, 256, (8, 8, 3), np.uint8))
    os.renames(tmp_path / "raw/deep/c.jpg", tmp_path / "raw/c.jpg")
    for name in ("._b.png", ".DS_Store", "notes.txt", "x.pdf"):
        (tmp_path / "raw" / name).write_bytes(b"nothing")
    (tmp_path / "raw/gone.png").symlink_to(tmp_path / "nowhere")
    section = dict(name="image_folder", path=str(tmp_path / "raw"), image_size=4, colour=True, augment=())
    splits = catalogue.load(section, tmp_path / "data").splits.values()
    stored = {image.tobytes() for split in splits for image in split.arrays["image"]}
    found = files.load_images(tmp_path / "raw", 4, grey=False)
    assert len(found) == 4 and {image.tobytes() for image in found} == stored


def test_the_order_is_that_of_the_names(tmp_path):
    for value, name in enumerate(("A.png", "a.png", "b/0.png", "b.png")):
        write(tmp_path / name, np.full((2, 2), value, np.uint8))
    order = files.load_images(tmp_path, 0, grey=True)[:, 0, 0, 0].tolist()
    assert [path.name for path in files.images(tmp_path)] == ["A.png", "a.png", "b.png", "0.png"]
    assert order == [0, 1, 3, 2]


def test_all_damaged_files_are_named_at_once(tmp_path):
    for name in "abc":
        write(tmp_path / f"{name}.png", np.zeros((2, 2), np.uint8))
    for name in "ac":
        (tmp_path / f"{name}.png").write_bytes(b"")
    with pytest.raises(UserError, match="a.png cannot be read .* 1 other cannot be read either: .*c.png"):
        files.load_images(tmp_path, 0, grey=True)


def test_hidden_images_are_none(tmp_path):
    write(tmp_path / ".cache/a.png", np.zeros((2, 2), np.uint8))
    with pytest.raises(UserError, match="no images"):
        files.load_images(tmp_path, 0, grey=True)
