"""Emoji: who is in which split, what is drawn, and which packages are asked for."""

import json

import numpy as np
import pytest
from support import write_emoji

from aigc_jax.data import catalogue
from aigc_jax.data.emoji import Emoji, Library, by_hash, drawn
from aigc_jax.errors import ConfigError, UserError

SIZE = 16


@pytest.fixture(scope="module")
def packages(tmp_path_factory):
    return write_emoji(tmp_path_factory.mktemp("packages"))


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    return tmp_path_factory.mktemp("prepared")


def load(packages, data_dir, name="emoji", **keys):
    usual = {"emoji": {"styles": ("noto", "fluent")}, "emoji_styles": {"styles": ("noto", "fluent"), "rounds": 3}}
    section = {"name": name, "path": str(packages), "image_size": SIZE, "augment": (), **usual.get(name, {}), **keys}
    return catalogue.load(section, data_dir)


def all_of(source, name):
    return source[np.arange(len(source))][name]


def test_emoji_are_drawn_on_white_in_their_style(packages, data_dir):
    data = load(packages, data_dir)
    assert data.facts == dict(shape=(SIZE, SIZE, 3), levels=256, label_classes=20)
    images, labels = (all_of(data.splits["train"], name) for name in ("image", "label"))
    assert images.dtype == np.uint8 and images.shape[1:] == (SIZE, SIZE, 3)
    corners = images[:, [0, 0, -1, -1], [0, -1, 0, -1]]
    assert np.mean(corners == 255) == 1
    for first, colour in ((0, (255, 136, 0)), (1, (204, 0, 255))):  # `FILLS` of the small packages, one after the other
        of_style = images[first::2]
        assert all((image == colour).all(-1).any() for image in of_style), "each disc has a pixel of its style's colour"
        assert np.array_equal(labels[first::2], labels[0::2])


@pytest.mark.parametrize(("language", "said"), [("en", "disc {}"), ("zh", "第{}个圆")])
def test_a_caption_is_the_name_of_what_is_drawn(packages, data_dir, language, said):
    data = load(packages, data_dir, caption=language)
    field = data.given["caption"]
    named = {emoji.code: i for i, emoji in enumerate(Library(str(packages), ("noto", "fluent")).emoji)}
    splits = by_hash(Library(str(packages), ("noto", "fluent")).emoji, key=lambda each: each.family)
    for split, members in splits.items():
        wanted = [said.format(named[emoji.code]) for emoji in members for _ in range(2)]  # once for each style
        assert field.values(all_of(data.splits[split], "caption")).tolist() == wanted
        np.testing.assert_array_equal(
            all_of(data.splits[split], "image"), all_of(load(packages, data_dir).splits[split], "image")
        )
    assert field.length == len(said.format(99)) + 1 and len(field.describe(data.splits["test"], "caption")) > 0
    assert field.values(field.parse(said.format(7), 2)).tolist() == [said.format(7)] * 2


def test_an_emoji_is_in_one_split_whatever_the_styles(packages, data_dir):
    emoji = Library(str(packages), ("noto", "fluent")).emoji
    splits = by_hash(emoji, key=lambda each: each.family)
    codes = {split: {each.code for each in members} for split, members in splits.items()}
    assert sum(map(len, codes.values())) == len(emoji) == len(set.union(*codes.values())) == 100
    fewer = by_hash(emoji[::2], key=lambda each: each.family)
    assert all({each.code for each in members} <= codes[split] for split, members in fewer.items())
    one, both = (load(packages, data_dir, styles=styles) for styles in (("noto",), ("noto", "fluent")))
    for split in codes:
        assert len(both.splits[split]) == 2 * len(one.splits[split]) == 2 * len(codes[split])
        np.testing.assert_array_equal(all_of(one.splits[split], "image"), all_of(both.splits[split], "image")[::2])


def test_persons_of_either_gender_stay_together():
    person, woman, man, sign = "1f9d1-200d-2695", "1f469-200d-2695", "1f468-200d-2695", "1f481-200d-2640"
    assert len({Emoji(code, "", "", "").family for code in (person, woman, man)}) == 1
    assert Emoji(sign, "", "", "").family == Emoji("1f481", "", "", "").family == "1f481"
    assert Emoji("2640", "", "", "").family == "2640", "the sign alone is an emoji"
    assert Emoji("1f469-200d-1f680", "", "", "").family != Emoji("1f469-200d-2695", "", "", "").family


def test_flags_and_parts_are_left_out(tmp_path):
    folder = write_emoji(tmp_path)
    file, groups = folder / "emojibase-data/en/data.json", folder / "emojibase-data/meta/groups.json"
    entries = json.loads(file.read_text("utf-8"))
    entries[0]["group"], entries[1]["group"] = 9, 2
    del entries[2]["group"], entries[2]["subgroup"]  # as regional indicators are
    file.write_text(json.dumps(entries), "utf-8")
    told = json.loads(groups.read_text("utf-8"))
    groups.write_text(json.dumps({**told, "groups": {**told["groups"], "9": "flags"}}), "utf-8")
    assert [each.en for each in Library(str(folder), ("noto",)).emoji] == [f"disc {i}" for i in range(3, 100)]


def test_a_pair_is_of_one_drawing_and_test_pairs_are_of_other_subgroups(packages, data_dir):
    data = load(packages, data_dir, "emoji_pairs")
    assert list(data.fields) == ["line", "image"] and data.target == "image" and not data.unpaired
    library = Library(str(packages), ("line", "fluent"))
    splits = by_hash(library.emoji, key=lambda each: each.subgroup)
    held = [{each.subgroup for each in members} for members in splits.values()]
    assert len(held) == 3 and not held[0] & held[1] and not held[0] & held[2] and not held[1] & held[2]
    for split, members in splits.items():
        for i, emoji in enumerate(members):
            row = data.splits[split][np.array([i])]
            np.testing.assert_array_equal(row["line"][0], drawn(library.svg("line", emoji), SIZE))
            np.testing.assert_array_equal(row["image"][0], drawn(library.svg("fluent", emoji), SIZE))


def test_styles_are_unpaired_in_training_alone(packages, data_dir):
    data = load(packages, data_dir, "emoji_styles")
    assert list(data.fields) == ["noto", "fluent"] and data.target == "fluent" and data.unpaired == ("train",)
    library = Library(str(packages), ("noto", "fluent"))
    splits = by_hash(library.emoji, key=lambda each: each.family)
    drawings = {
        split: [[drawn(library.svg(style, each), SIZE) for each in members] for style in ("noto", "fluent")]
        for split, members in splits.items()
    }
    for name, wanted in zip(("noto", "fluent"), drawings["test"], strict=True):
        np.testing.assert_array_equal(all_of(data.splits["test"], name), wanted)
    train, (noto, fluent) = data.splits["train"], drawings["train"]
    assert len(train) == 3 * len(noto)
    rounds = all_of(train, "fluent").reshape(3, len(noto), -1)
    for turn in rounds:  # each image of the other style once
        assert {image.tobytes() for image in turn} == {image.tobytes() for image in fluent}
    np.testing.assert_array_equal(all_of(train, "noto"), np.tile(noto, (3, 1, 1, 1)))
    own = np.array([image.ravel() for image in fluent])
    assert np.mean([np.all(turn == own, axis=-1) for turn in rounds]) < 0.1, "few meet their own other self"


def test_without_rounds_training_rows_are_pairs_too(packages, data_dir):
    data = load(packages, data_dir, "emoji_styles", rounds=0)
    assert not data.unpaired and data.notes[1] == "An image stands beside the same emoji."
    for split, source in load(packages, data_dir, "emoji", caption="en").splits.items():
        for offset, style in enumerate(("noto", "fluent")):
            expected = all_of(source, "image")[offset::2]
            np.testing.assert_array_equal(all_of(data.splits[split], style), expected)


def test_other_packages_and_sizes_are_prepared_anew(tmp_path):
    folder = write_emoji(tmp_path / "packages")
    before = load(folder, tmp_path / "data")
    assert load(folder, tmp_path / "data").folder == before.folder
    assert load(folder, tmp_path / "data", image_size=24).folder != before.folder
    path = folder / "@iconify-json/noto/icons.json"
    path.write_text(path.read_text("utf-8").replace("#f80", "#08f"), "utf-8")
    after = load(folder, tmp_path / "data")
    assert after.folder != before.folder
    assert (all_of(after.splits["test"], "image")[0] == (0, 136, 255)).all(-1).any()


def test_the_licence_is_of_the_styles_that_are_read(packages, data_dir):
    said = (load(packages, data_dir).folder / "LICENSE").read_text("utf-8")
    assert "Apache-2.0" in said and "MIT" in said and "CC-BY" not in said


def test_what_is_lacking_is_named_with_the_command(tmp_path):
    with pytest.raises(UserError) as caught:
        load(tmp_path, tmp_path / "data")
    assert "data.path" in str(caught.value)
    wanted = "@iconify-json/noto@1.2.9 @iconify-json/fluent-emoji-flat@1.2.6 emojibase-data@17.0.0"
    assert str(caught.value).endswith(f"npm install {wanted}")
    folder = write_emoji(tmp_path / "packages")
    for file, content, named in (
        ("emojibase-data/en/data.json", "[{}", "npm install emojibase-data@17.0.0"),
        ("emojibase-data/en/data.json", '[{"subgroup": 1}]', "npm install emojibase-data@17.0.0"),
        ("@iconify-json/noto/chars.json", '{"1f300": "gone"}', "lacks drawings.*npm install @iconify-json/noto@1.2.9"),
        ("@iconify-json/noto/icons.json", "", "npm install @iconify-json/noto@1.2.9"),
    ):
        kept = (folder / file).read_text("utf-8")
        (folder / file).write_text(content, "utf-8")
        with pytest.raises(UserError, match=named) as caught:
            load(folder, tmp_path / "data")
        assert "\n" not in str(caught.value)
        (folder / file).write_text(kept, "utf-8")
    (folder / "@iconify-json/noto/chars.json").unlink()
    with pytest.raises(UserError, match=r"chars.json cannot be read \(No such file.*npm install"):
        load(folder, tmp_path / "data")


def test_a_damaged_drawing_and_a_lacking_package_of_pip(monkeypatch):
    with pytest.raises(UserError, match="no SVG"):
        drawn("<svg", SIZE)
    monkeypatch.setitem(__import__("sys").modules, "resvg_py", None)
    with pytest.raises(UserError, match=r"pip install 'aigc_jax\[emoji\]'"):
        drawn("<svg/>", SIZE)


def test_styles_that_do_not_work(packages, data_dir):
    with pytest.raises(ConfigError, match="data.styles"):
        load(packages, data_dir, styles=("noto", "apple"))
    with pytest.raises(ConfigError, match="data.styles"):
        load(packages, data_dir, styles=())
    with pytest.raises(ConfigError, match="twice"):
        load(packages, data_dir, "emoji_styles", styles=("noto", "noto"))
