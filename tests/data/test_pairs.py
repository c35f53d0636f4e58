"""Pairs and kinds of images: derived ones, and people's own folders."""

import numpy as np
import pytest
from PIL import Image
from support import write_images

from aigc_jax.data import catalogue
from aigc_jax.data.images import beside
from aigc_jax.data.reduction import REDUCTIONS, edges, grey, quarter, small
from aigc_jax.data.rows import TRUTH, shown
from aigc_jax.data.sets import derived_pairs
from aigc_jax.errors import ConfigError, UserError

DIGITS = {"name": "digits"}


def load(name, path, data_dir, **keys):
    usual = {"unpaired_folders": {"rounds": 3}}
    section = {"name": name, "path": str(path), "kinds": ("A", "B"), "image_size": 8, "colour": True, "augment": ()}
    return catalogue.load({**section, **usual.get(name, {}), **keys}, data_dir)


def all_of(source):
    return source[np.arange(len(source))]


def write(path, level, size=(8, 8)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (level, level, level)).save(path)


def level_of(image):
    assert np.ptp(image) == 0
    return int(image.flat[0])


def test_edges_are_dark_where_a_channel_steps_and_nowhere_else():
    image = np.zeros((2, 6, 6, 3), np.uint8)
    image[0, :, 3:, 1] = 255  # a step in green alone, which is no step of the second image
    found = edges(image)
    assert found.shape == image.shape and found.dtype == np.uint8
    np.testing.assert_array_equal(found[0, :, :, 0], np.tile([255, 255, 0, 0, 255, 255], (6, 1)))
    assert np.all(found[1] == 255)
    half = edges((image / 255 * 100).astype(np.uint8))
    assert half[0, 0, 2, 0] == 155


def test_grey_is_luminance_and_small_is_the_mean_of_blocks():
    colours = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]], np.uint8).reshape(1, 2, 2, 3)
    np.testing.assert_array_equal(grey(colours)[..., 0].ravel(), [76, 150, 29, 255])
    random = np.random.RandomState(0).randint(0, 256, (2, 8, 8, 3)).astype(np.uint8)
    np.testing.assert_array_equal(grey(random[..., :1]), random[..., :1])
    found = small(random)
    assert found.shape == random.shape
    np.testing.assert_allclose(
        found[1, 4:, :4], random[1, 4:, :4].mean((0, 1), keepdims=True) + np.zeros((4, 4, 3)), atol=0.5
    )
    np.testing.assert_array_equal(quarter(random), found[:, ::4, ::4])


@pytest.mark.parametrize("derive", ["edges", "small", "quarter"])
def test_what_is_derived_stands_beside_its_image(tmp_path, derive):
    whole = catalogue.load(DIGITS, tmp_path)
    data = catalogue.load({"name": "derived_pairs", "of": DIGITS, "derive": derive}, tmp_path)
    assert list(data.fields) == [derive, "image", "label"] and data.target == "image"
    for split, source in data.splits.items():
        rows, original = all_of(source), whole.splits[split].arrays
        np.testing.assert_array_equal(rows["image"], original["image"])
        np.testing.assert_array_equal(rows[derive], REDUCTIONS[derive](original["image"]))
    streamed = derived_pairs.Derived(whole.splits["test"], "image", derive)
    rows = streamed[np.array([7, 3])]
    np.testing.assert_array_equal(rows[derive], data.splits["test"][np.array([7, 3])][derive])
    assert streamed.arrays is None and len(streamed) == 360


def test_damage_is_the_same_always_and_another_one_in_each_round(tmp_path):
    def loaded(**keys):
        return catalogue.load({"name": "derived_pairs", "of": DIGITS, "derive": "mixed", **keys}, tmp_path).splits

    once, often, other = loaded(), loaded(rounds=3), loaded(seed=1)
    whole = catalogue.load(DIGITS, tmp_path).splits["train"]
    size, numbers = len(whole), np.array([4, 0, 17])
    assert len(once["train"]) == size and len(often["train"]) == 3 * size and often["train"].arrays is None
    rounds = [often["train"][numbers + turn * size] for turn in range(3)]
    for rows in rounds:
        np.testing.assert_array_equal(rows["image"], whole[numbers]["image"])
        np.testing.assert_array_equal(rows["label"], whole[numbers]["label"])
    np.testing.assert_array_equal(rounds[0]["mixed"], once["train"][numbers]["mixed"])
    assert all(np.any(rounds[i]["mixed"] != rounds[i - 1]["mixed"]) for i in range(3))
    np.testing.assert_array_equal(all_of(once["test"])["mixed"], all_of(often["test"])["mixed"])
    np.testing.assert_array_equal(all_of(once["test"])["mixed"], all_of(loaded()["test"])["mixed"])
    assert np.any(all_of(once["test"])["mixed"] != all_of(other["test"])["mixed"])


def test_a_small_image_is_shown_at_the_size_of_the_large_one(tmp_path):
    data = catalogue.load({"name": "derived_pairs", "of": DIGITS, "derive": "quarter"}, tmp_path)
    assert data.facts["quarter_shape"] == (2, 2, 1) and data.facts["shape"] == (8, 8, 1)
    rows = data.splits["test"][np.array([0])]
    page = shown(data, {"quarter": rows["quarter"], "image": rows["image"], TRUTH: rows["image"]})
    coarse = shown(data, {"quarter": quarter(rows["image"]).repeat(4, 1).repeat(4, 2), "image": rows["image"],
                          TRUTH: rows["image"]})  # fmt: skip
    alone = shown(data, {"image": rows["image"]})
    assert page == coarse and page != alone


def test_what_cannot_be_derived_is_refused(tmp_path):
    points = dict(name="points", density="ring", examples=64)
    for keys, named in (
        (dict(of={**DIGITS, "target": "label"}, derive="grey"), "holds no images"),
        (dict(of=points, derive="grey"), "holds no images"),
        (dict(of=DIGITS, derive="depth"), "data.derive"),
        (dict(of={"name": "digit"}, derive="grey"), "digit"),
        (dict(of=DIGITS, derive="grey", rounds=2), 'data.rounds" is 2, and grey'),
    ):
        with pytest.raises(ConfigError, match=named):
            catalogue.load({"name": "derived_pairs", **keys}, tmp_path)
    folder = write_images(tmp_path / "images", 8)
    odd = dict(name="image_folder", path=str(folder), image_size=10, colour=True, augment=())
    with pytest.raises(ConfigError, match="blocks of 4 pixels.*10 × 10"):
        catalogue.load({"name": "derived_pairs", "of": odd, "derive": "small"}, tmp_path)


@pytest.mark.parametrize("splits", [True, False])
def test_pairs_of_folders_have_one_name(tmp_path, splits):
    for i in range(40):
        split = ("test/" if i % 4 == 0 else "train/") if splits else ""
        write(tmp_path / f"images/A/{split}{i:02d}.png", i)
        write(tmp_path / f"images/B/{split}{i:02d}.bmp", i + 100)
    write(tmp_path / f"images/B/{'train/' * splits}alone.png", 7)
    data = load("paired_folders", tmp_path / "images", tmp_path / "data")
    assert list(data.fields) == ["A", "B"] and data.target == "B" and not data.unpaired
    sizes = {"train": 30, "test": 10} if splits else {"train": 36, "validation": 2, "test": 2}
    assert {split: len(source) for split, source in data.splits.items()} == sizes
    seen = []
    for split, source in data.splits.items():
        rows = all_of(source)
        levels = [level_of(image) for image in rows["A"]]
        assert [level_of(image) for image in rows["B"]] == [level + 100 for level in levels]
        assert not splits or all((level % 4 == 0) == (split == "test") for level in levels)
        seen += levels
    assert sorted(seen) == list(range(40))
    assert "without a partner: 1 image" in data.notes[1] and "alone.png" in data.notes[1]


def test_pairs_that_changed_are_prepared_anew_and_odd_ones_said(tmp_path):
    for i in range(6):
        write(tmp_path / f"images/A/{i}.png", i)
        write(tmp_path / f"images/B/{i}.png", i, (8, 8) if i else (12, 8))
    data = load("paired_folders", tmp_path / "images", tmp_path / "data")
    assert "different proportions" in data.notes[-1] and "1 pair" in data.notes[-1]
    assert load("paired_folders", tmp_path / "images", tmp_path / "data").folder == data.folder
    write(tmp_path / "images/B/3.png", 200)
    again = load("paired_folders", tmp_path / "images", tmp_path / "data")
    assert again.folder != data.folder
    assert 200 in {level_of(image) for source in again.splits.values() for image in all_of(source)["B"]}


def test_kinds_of_images_that_do_not_belong_together(tmp_path):
    for i in range(12):
        write(tmp_path / f"images/A/{'test' if i < 2 else 'train'}/{i}.png", i)
        if i < 9:
            write(tmp_path / f"images/B/{'test' if i < 2 else 'train'}/x{i}.png", i + 100)
    data = load("unpaired_folders", tmp_path / "images", tmp_path / "data")
    assert data.unpaired == ("train", "test") and data.target == "B"
    rows = all_of(data.splits["train"])
    ones, others = ([level_of(image) for image in rows[kind]] for kind in ("A", "B"))
    assert sorted(set(ones)) == list(range(2, 12)) and sorted(set(others)) == list(range(102, 109))
    meetings = {}
    for one, other in zip(ones, others, strict=True):
        meetings.setdefault(one, []).append(other)
    assert all(len(set(met)) == 3 for met in meetings.values()), "another one in each of three rounds"
    assert len(data.splits["test"]) == 2
    assert any(note.startswith("B: Read from") for note in data.notes)


def test_sources_that_stream_stand_side_by_side_too(tmp_path):
    class Streaming:
        arrays = None

        def __len__(self):
            return 5

        def __getitem__(self, indices):
            return {"image": indices * 10, "label": indices}

    rows = beside({"one": Streaming(), "other": Streaming()})
    assert rows.arrays is None and len(rows) == 5
    found = rows[np.array([4, 1])]
    assert found.keys() == {"one", "other"} and found["other"].tolist() == [40, 10]


def test_folders_that_do_not_work(tmp_path):
    write(tmp_path / "images/A/1.png", 1)
    for keys, error, named in (
        ({}, UserError, r"There is no folder .*B.*data\.kinds"),
        ({"kinds": ("A", "A")}, ConfigError, "two names"),
        ({"kinds": ("A", "B-side")}, ConfigError, "two names"),
    ):
        for name in ("paired_folders", "unpaired_folders"):
            with pytest.raises(error, match=named):
                load(name, tmp_path / "images", tmp_path / "data", **keys)
    (tmp_path / "images/B").mkdir()
    with pytest.raises(UserError, match="no image in .*B"):
        load("paired_folders", tmp_path / "images", tmp_path / "data")
    write(tmp_path / "images/B/2.png", 1)
    with pytest.raises(UserError, match=r"No two images of A \(1\) and B \(2\) have one name"):
        load("paired_folders", tmp_path / "images", tmp_path / "data")
    write(tmp_path / "images/A/1.bmp", 1)
    with pytest.raises(UserError, match=r"1\.bmp and .*1\.png have one name"):
        load("paired_folders", tmp_path / "images", tmp_path / "data")
