"""The medium of images: units, grids, labels, and files that cannot be read."""

import struct
import zlib

import jax
import numpy as np
import pytest
from PIL import Image

from aigc_jax.data.images import ImageMedium, png, read_image, write_grid
from aigc_jax.data.pictures import fit
from aigc_jax.errors import UserError

MEDIUM = ImageMedium(("cat", "7", "dog"), pad=1, augment=("flip",))
KEY = jax.random.key(0)


def batch(n=64):
    rng = np.random.RandomState(0)
    return {
        "image": rng.randint(0, 256, (n, 4, 6, 3)).astype(np.uint8),
        "label": rng.randint(0, 3, n).astype(np.int32),
    }


def test_evaluation_sees_the_image_itself():
    stored = batch()
    seen = jax.jit(MEDIUM.prepare, static_argnums=2)(KEY, stored, False)
    inner = np.asarray(seen["image"])[:, 1:-1, 1:-1]
    np.testing.assert_allclose(inner, stored["image"] / 127.5 - 1, atol=1e-6)
    assert seen["image"].shape == (64, 6, 8, 3) and seen["image"].dtype == np.float32
    assert (np.asarray(seen["image"])[:, 0] == -1).all()
    assert seen["label"].dtype == np.int32


def test_training_mirrors_about_half():
    stored = batch(200)
    seen = np.asarray(MEDIUM.prepare(KEY, stored, True)["image"])[:, 1:-1, 1:-1]
    plain = stored["image"] / 127.5 - 1
    mirrored = np.array([np.allclose(a, b[:, ::-1], atol=1e-6) for a, b in zip(seen, plain, strict=True)])
    kept = np.array([np.allclose(a, b, atol=1e-6) for a, b in zip(seen, plain, strict=True)])
    assert (mirrored ^ kept).all()
    assert 70 < mirrored.sum() < 130


@pytest.mark.parametrize("text, expected", [("dog", [2] * 4), ("7", [1] * 4), ("2", [2] * 4), ("each", [0, 1, 2, 0])])
def test_labels_by_name_number_and_in_turn(text, expected):
    labels = MEDIUM.condition(text, 4)
    assert labels.dtype == np.int32 and labels.tolist() == expected


def test_no_condition():
    assert MEDIUM.condition("", 4) is None


@pytest.mark.parametrize("text", ["3", "-1", "dgo"])
def test_unknown_label(text):
    with pytest.raises(UserError, match=text):
        MEDIUM.condition(text, 4)


def test_a_grid_holds_each_image_enlarged(tmp_path):
    samples = np.linspace(-1, 1, 5)[:, None, None, None] * np.ones((5, 8, 8, 1))
    path = MEDIUM.write(samples, tmp_path / "new" / "step_1.5", columns=3)
    assert path.name == "step_1.5.png"
    page = np.asarray(Image.open(path))
    assert page.shape == (2 * 66 + 2, 3 * 66 + 2)  # 8 pixels times 8, gaps of 2
    centres = [page[34 + 66 * (i // 3), 34 + 66 * (i % 3)] for i in range(5)]
    assert centres == [0, 64, 128, 191, 255]


def test_a_grid_survives_values_out_of_range(tmp_path):
    samples = np.full((2, 8, 8, 3), [np.nan, 9.0, -9.0])
    page = np.asarray(Image.open(MEDIUM.write(samples, tmp_path / "x")))
    assert page[34, 34].tolist() == [128, 255, 0]


def test_samples_are_saved_as_they_are_stored(tmp_path):
    stored = batch(5)
    seen = np.asarray(MEDIUM.prepare(KEY, stored, False)["image"])
    path = MEDIUM.save(seen, stored["label"], tmp_path / "samples")
    with np.load(path) as found:
        np.testing.assert_array_equal(found["image"], stored["image"])
        np.testing.assert_array_equal(found["label"], stored["label"])
    with np.load(MEDIUM.save(seen, None, tmp_path / "unlabelled")) as found:
        assert found.files == ["image"]
    with pytest.raises(UserError, match="1 of 5 samples hold NaN"):
        MEDIUM.save(np.where(np.arange(5)[:, None, None, None] == 3, np.nan, seen), None, tmp_path / "samples")


def test_png_is_lossless():
    image = batch(1)["image"][0]
    np.testing.assert_array_equal(np.asarray(Image.open(png(image))), image)
    np.testing.assert_array_equal(fit(Image.open(png(image[..., :1])), 0, 1), image[..., :1])


def test_fitting_keeps_the_centre(tmp_path):
    wide = np.zeros((4, 8, 3), np.uint8)
    wide[:, 2:6] = 200
    Image.fromarray(wide).save(tmp_path / "a.png")
    assert (read_image(tmp_path / "a.png", 4, 3) == 200).all()
    assert read_image(tmp_path / "a.png", 2, 1).shape == (2, 2, 1)


def test_a_bad_image_is_named(tmp_path):
    whole = tmp_path / "whole.png"
    write_grid(batch(4)["image"], tmp_path / "whole", 2)
    for name, content in [("cut.png", whole.read_bytes()[:200]), ("text.png", b"not an image"), ("empty.png", b"")]:
        (tmp_path / name).write_bytes(content)
        with pytest.raises(UserError, match=name):
            read_image(tmp_path / name, 4, 3)


def test_a_decompression_bomb_is_refused(tmp_path):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 12_000, 9_000, 8, 0, 0, 0, 0)  # 108 million pixels: above PIL's warning
    image = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    (tmp_path / "bomb.png").write_bytes(image)
    with pytest.raises(UserError, match="bomb.png is too large"):
        read_image(tmp_path / "bomb.png", 4, 3)
