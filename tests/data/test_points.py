"""Points as families read them, as they are stored, and as a person sees them."""

import jax
import numpy as np
import pytest
from PIL import Image

from aigc_jax.data import catalogue, scatter
from aigc_jax.data.__main__ import main
from aigc_jax.data.pixels import BOS
from aigc_jax.data.points import PointImages, PointTokens
from aigc_jax.errors import ConfigError, UserError
from aigc_jax.ops.densities import density

KEY = jax.random.key(0)
IMAGES, TOKENS = PointImages(density("ring")), PointTokens(density("ring"))


def load(form="image", **changes):
    return catalogue.load({"name": "points", "density": "ring", "examples": 500, "form": form, **changes}, None)


def test_both_forms_store_the_same_points():
    images, tokens = load("image"), load("tokens")
    assert {split: len(source) for split, source in images.splits.items()} == {"train": 500, "test": 10_000}
    assert images.facts == dict(image_shape=(1, 1, 2), classes=8)
    assert tokens.facts == dict(vocabulary=257, length=2, pad=256, bos=256, eos=-1, unit="dim")
    for split, source in images.splits.items():
        rows, same = (each.splits[split][np.arange(len(source))] for each in (images, tokens))
        assert rows["image"].dtype == np.uint8 and rows["image"].shape == (len(source), 1, 1, 2)
        np.testing.assert_array_equal(rows["image"], same["image"])
        np.testing.assert_array_equal(rows["label"], same["label"])
    train, test = (images.splits[split].arrays["image"] for split in ("train", "test"))
    assert not np.array_equal(train, test[:500])


def test_what_networks_see_goes_back_to_the_same_cells():
    points = np.stack(np.meshgrid(np.arange(256), np.arange(256)), -1).reshape(-1, 1, 1, 2).astype(np.uint8)
    batch = {"image": points, "label": np.zeros(len(points), np.int32)}
    seen = IMAGES.prepare(KEY, batch, True)
    assert seen["image"].dtype == np.float32 and np.abs(seen["image"]).max() == 1
    np.testing.assert_array_equal(IMAGES.stored(np.asarray(seen["image"])), points)
    tokens = TOKENS.prepare(KEY, batch, True)
    assert tokens["tokens"].dtype == np.int32 and tokens["mask"].shape == (len(points), 3)
    assert (tokens["tokens"][:, 0] == BOS).all() and (tokens["mask"] == 1).all()
    np.testing.assert_array_equal(TOKENS.stored(np.asarray(tokens["tokens"][:, 1:])), points)


def test_samples_that_are_no_points_are_refused_and_still_drawn(tmp_path):
    samples = np.zeros((3, 1, 1, 2), np.float32)
    samples[1] = np.nan
    with pytest.raises(UserError, match="1 of 3 samples hold NaN"):
        IMAGES.stored(samples)
    assert IMAGES.write(samples, tmp_path / "a").is_file()
    with np.load(TOKENS.save(np.array([[3, 200]]), None, tmp_path / "b")) as found:
        np.testing.assert_array_equal(found["point"], [[3, 200]])


def test_conditions():
    assert IMAGES.condition("", 3) is None and TOKENS.condition("", 3) is None
    np.testing.assert_array_equal(IMAGES.condition("each", 10), np.arange(10) % 8)
    with pytest.raises(UserError, match='no prompt such as "spring"'):
        TOKENS.condition("spring", 3)


@pytest.mark.parametrize(
    ("changes", "said"),
    [({"density": "rings"}, "'ring'"), ({"examples": 0}, "data.examples"), ({"form": "text"}, "'tokens'")],
)
def test_mistakes_name_the_key(changes, said):
    with pytest.raises(ConfigError, match=said):
        load(**changes)


def test_the_picture_has_dots_where_the_points_are(tmp_path):
    """Dark ones on the data, red ones elsewhere, y upwards."""
    truth = density("ring")
    on, off = np.unravel_index(truth.masses.argmax(), (256, 256)), (5, 250)
    path = scatter.write(truth, np.array([on, on, on, off], np.uint8), tmp_path / "sub" / "points")
    with Image.open(path) as page:
        assert page.size == (2 * 512 + 3 * 16, 512 + 16 + 34)
        pixels = np.asarray(page)

    def pixel(panel, x, y):
        return pixels[16 + 2 * (255 - y), 16 + panel * (512 + 16) + 2 * x].astype(int)

    assert pixel(1, *on) @ [-1, 0, 1] > 80 and pixel(1, *off) @ [1, 0, -1] > 80
    np.testing.assert_array_equal(pixel(1, 128, 128), scatter.PAPER)
    np.testing.assert_array_equal(pixel(0, 5, 250), scatter.PAPER)
    np.testing.assert_array_equal(pixel(0, *on), scatter.RAMP[-1])


def test_show(tmp_path, capsys):
    command = ["show", "points", "density=moons", "examples=50", "form=tokens", f"--out={tmp_path}"]
    assert main(command) == 0
    assert f"train: 50 examples of a density of {density('moons').entropy:.4f} bits" in capsys.readouterr().out
    assert (tmp_path / "points_moons.png").is_file()
