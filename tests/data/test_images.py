"""Images: units, grids, labels, and files that cannot be read."""

import struct
import zlib

import jax
import numpy as np
import pytest
from PIL import Image

from aigc_jax.data.dataset import DataSet
from aigc_jax.data.fields.labels import Label
from aigc_jax.data.fields.pixels import Pixels
from aigc_jax.data.grid import png, write_grid
from aigc_jax.data.images import read_image
from aigc_jax.data.pictures import fit
from aigc_jax.errors import UserError

FIELD, LABEL = Pixels((4, 6, 3), pad=1), Label(("cat", "7", "dog"))
DATA = DataSet("some", {}, {"image": FIELD, "label": LABEL}, "image", augment=("flip",))
KEY = jax.random.key(0)


def batch(n=64):
    rng = np.random.RandomState(0)
    return {
        "image": rng.randint(0, 256, (n, 4, 6, 3)).astype(np.uint8),
        "label": rng.randint(0, 3, n).astype(np.int32),
    }


def test_evaluation_sees_the_image_itself():
    stored = batch()
    seen = jax.jit(DATA.prepare, static_argnums=2)(KEY, stored, False)
    inner = np.asarray(seen.target)[:, 1:-1, 1:-1]
    np.testing.assert_allclose(inner, stored["image"] / 127.5 - 1, atol=1e-6)
    assert seen.target.shape == (64, 6, 8, 3) and seen.target.dtype == np.float32
    assert (np.asarray(seen.target)[:, 0] == -1).all()
    assert set(seen.given) == {"label"} and seen.given["label"].dtype == np.int32
    assert DATA.facts == dict(shape=(6, 8, 3), levels=256, label_classes=3)


def mirrored(seen, stored):
    plain = stored / 127.5 - 1
    turned = np.array([np.allclose(a, b[:, ::-1], atol=1e-6) for a, b in zip(seen, plain, strict=True)])
    kept = np.array([np.allclose(a, b, atol=1e-6) for a, b in zip(seen, plain, strict=True)])
    assert (turned ^ kept).all()
    return turned


def test_training_mirrors_about_half():
    stored = batch(200)
    seen = np.asarray(DATA.prepare(KEY, stored, True).target)[:, 1:-1, 1:-1]
    assert 70 < mirrored(seen, stored["image"]).sum() < 130


def test_a_pair_of_images_is_mirrored_together():
    first, second = batch(50)["image"], batch(100)["image"][50:]
    pairs = DataSet("pairs", {}, {"sketch": Pixels((4, 6, 3)), "photo": Pixels((4, 6, 3))}, "photo", augment=("flip",))
    seen = pairs.prepare(KEY, {"sketch": first, "photo": second}, True)
    turned = mirrored(np.asarray(seen.given["sketch"]), first)
    assert turned.any() and not turned.all()
    np.testing.assert_array_equal(turned, mirrored(np.asarray(seen.target), second))
    assert pairs.facts == dict(shape=(4, 6, 3), levels=256, sketch_shape=(4, 6, 3), sketch_levels=256)


@pytest.mark.parametrize("text, expected", [("dog", [2] * 4), ("7", [1] * 4), ("2", [2] * 4), ("each", [0, 1, 2, 0])])
def test_labels_by_name_number_and_in_turn(text, expected):
    labels = LABEL.parse(text, 4)
    assert labels.dtype == np.int32 and labels.tolist() == expected


def test_any_label_is_the_same_for_any_number_of_them():
    many, few = LABEL.anything(50, 3), LABEL.anything(5, 3)
    np.testing.assert_array_equal(many[:5], few)
    assert set(many) == {0, 1, 2} and not np.array_equal(many, LABEL.anything(50, 4))


@pytest.mark.parametrize("text", ["3", "-1", "dgo"])
def test_unknown_label(text):
    with pytest.raises(UserError, match=text):
        LABEL.parse(text, 4)


def test_a_grid_holds_each_image_enlarged(tmp_path):
    samples = np.linspace(-1, 1, 5)[:, None, None, None] * np.ones((5, 8, 8, 1))
    field = Pixels((8, 8, 1))
    path = field.show(field.stored(samples), columns=3).write(tmp_path / "new" / "step_1.5")
    assert path.name == "step_1.5.png"
    page = np.asarray(Image.open(path))
    assert page.shape == (2 * 66 + 2, 3 * 66 + 2)  # 8 pixels times 8, gaps of 2
    centres = [page[34 + 66 * (i // 3), 34 + 66 * (i % 3)] for i in range(5)]
    assert centres == [0, 64, 128, 191, 255]


def test_samples_come_back_as_they_are_stored():
    stored = batch(5)["image"]
    seen = np.asarray(FIELD.prepare(KEY, stored, False))
    np.testing.assert_array_equal(FIELD.stored(seen), stored)
    np.testing.assert_array_equal(FIELD.stored(9 * np.sign(seen)), np.where(stored > 127, 255, 0))
    with pytest.raises(UserError, match="1 of 5 samples hold NaN"):
        FIELD.stored(np.where(np.arange(5)[:, None, None, None] == 3, np.nan, seen))


def test_an_image_is_given_as_a_file(tmp_path):
    stored = batch(1)["image"][:, :, :4]
    write = Image.fromarray(stored[0])
    write.save(tmp_path / "a.png")
    np.testing.assert_array_equal(Pixels((4, 4, 3)).parse(str(tmp_path / "a.png"), 2), np.repeat(stored, 2, axis=0))
    with pytest.raises(UserError, match='There is no image "b.png"'):
        Pixels((4, 4, 3)).parse("b.png", 2)


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
