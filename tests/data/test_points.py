"""Points as families read them, as they are stored, and as a person sees them."""

import jax
import numpy as np
import pytest
from PIL import Image

from aigc_jax.data import catalogue, scatter
from aigc_jax.data.__main__ import main
from aigc_jax.data.fields.points import Point
from aigc_jax.errors import ConfigError, UserError
from aigc_jax.ops.densities import density

KEY = jax.random.key(0)


def load(**changes):
    return catalogue.load({"name": "points", "density": "ring", "examples": 500, **changes}, None)


def test_the_set_is_drawn_anew_for_each_split():
    data = load()
    assert {split: len(source) for split, source in data.splits.items()} == {"train": 500, "test": 10_000}
    assert data.facts == dict(shape=(1, 1, 2), levels=256, label_classes=8)
    for source in data.splits.values():
        rows = source[np.arange(len(source))]
        assert rows["point"].dtype == np.uint8 and rows["point"].shape == (len(source), 2)
    train, test = (data.splits[split].arrays["point"] for split in ("train", "test"))
    assert not np.array_equal(train, test[:500])


def test_what_networks_see_goes_back_to_the_same_cells():
    points = np.stack(np.meshgrid(np.arange(256), np.arange(256)), -1).reshape(-1, 2).astype(np.uint8)
    field = Point("ring")
    seen = np.asarray(field.prepare(KEY, points, True))
    assert seen.dtype == np.float32 and seen.shape == (len(points), 1, 1, 2) and np.abs(seen).max() == 1
    np.testing.assert_array_equal(field.stored(seen), points)


def test_samples_that_are_no_points_are_refused():
    samples = np.zeros((3, 1, 1, 2), np.float32)
    samples[1] = np.nan
    with pytest.raises(UserError, match="1 of 3 samples hold NaN"):
        Point("ring").stored(samples)


@pytest.mark.parametrize(
    ("changes", "said"), [({"density": "rings"}, "'ring'"), ({"examples": 0}, "data.examples"), ({"form": 1}, "form")]
)
def test_mistakes_name_the_key(changes, said):
    with pytest.raises(ConfigError, match=said):
        load(**changes)


def test_the_picture_has_dots_where_the_points_are(tmp_path):
    """Dark ones on the data, red ones elsewhere, y upwards."""
    truth = density("ring")
    on, off = np.unravel_index(truth.masses.argmax(), (256, 256)), (5, 250)
    path = Point("ring").show(np.array([on, on, on, off], np.uint8)).write(tmp_path / "sub" / "points")
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
    command = ["show", "points", "density=moons", "examples=50", f"--out={tmp_path}"]
    assert main(command) == 0
    assert f"train: 50 examples of a density of {density('moons').entropy:.4f} bits" in capsys.readouterr().out
    assert (tmp_path / "points_moons.png").is_file()
