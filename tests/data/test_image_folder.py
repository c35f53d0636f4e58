"""Folders of images as people have them: which folders are splits and classes, and what is said about the rest."""

import json
import os
import shutil
import time
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from support import load_config

from aigc_jax.build import build
from aigc_jax.data import catalogue
from aigc_jax.data.__main__ import main
from aigc_jax.data.splits import split_of
from aigc_jax.errors import ConfigError, UserError
from aigc_jax.train import loop
from aigc_jax.train.workdir import Workdir

RANDOM = np.random.RandomState(0)


def write(folder, *names, size=(6, 6), mode="RGB"):
    """An image of random pixels for each name."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(RANDOM.randint(0, 256, (*size[::-1], 3), np.uint8)).convert(mode).save(path)
    return folder


def load(folder, data_dir, image_size=4, colour=True):
    section = dict(name="image_folder", path=str(folder), image_size=image_size, colour=colour, augment=())
    return catalogue.load(section, data_dir)


def counts(data):
    return {split: len(source) for split, source in data.splits.items()}


@pytest.mark.parametrize(
    "name, split",
    [
        *((name, "train") for name in ("train", "Train", "TRAINING", "train_set", "train2017", "training-images")),
        *((name, "validation") for name in ("val", "Valid", "validation", "dev", "eval", "val_2017", "VAL SET")),
        *((name, "test") for name in ("test", "TEST", "testing", "test_data")),
        *((name, "") for name in ("trains", "value", "device", "contest", "train1", "tests", "cats", "trainer")),
    ],
)
def test_what_a_split_is_called(name, split):
    assert split_of(name) == split


@pytest.mark.parametrize(
    "folders, splits",
    [
        (("train", "val", "test"), ("train", "validation", "test")),
        (("train", "valid"), ("train", "validation")),
        (("Train", "TEST"), ("train", "test")),
        (("training_set", "test_set"), ("train", "test")),
        (("train",), ("train",)),
    ],
)
def test_splits_by_other_names_keep_their_classes(tmp_path, folders, splits):
    for folder in folders:
        write(tmp_path / "raw" / folder, "cats/1.png", "dogs/1.png", "dogs/2.png")
    data = load(tmp_path / "raw", tmp_path / "data")
    assert data.fields["label"].names == ("cats", "dogs")
    assert counts(data) == dict.fromkeys(splits, 3)
    assert "split by folders" in data.notes[0]
    said = [line for line in data.notes if line.startswith("Folders taken as splits")]
    assert bool(said) == any(folder not in splits for folder in folders)


def test_what_lies_beside_splits_does_not_undo_them(tmp_path):
    write(tmp_path / "raw", "train/cats/1.png", "test/cats/1.png", "preview.png", ".cache/1.png", "__MACOSX/1.png")
    (tmp_path / "raw/annotations").mkdir()
    (tmp_path / "raw/annotations/a.csv").touch()
    data = load(tmp_path / "raw", tmp_path / "data")
    assert counts(data) == {"train": 1, "test": 1} and data.fields["label"].names == ("cats",)
    assert "Left out, beside the folders of the splits: preview.png." in data.notes
    assert "Other files passed over: 1 (csv 1)." in data.notes
    assert "Folders without images: annotations." in data.notes


@pytest.mark.parametrize(
    "names, says",
    [
        (("train/1.png", "cats/1.png"), r"splits \(train\) beside others \(cats\): move .*named train"),
        (("train/1.png", "val/1.png", "valid/1.png"), r"one split under several names \(val, valid\)"),
        (("cats/train/1.png", "dogs/test/1.png"), r"inside other folders \(cats/train, dogs/test\): put the splits"),
        (("set/train/1.png", "set/test/1.png"), r'inside other .*: give ".*raw/set" as the path'),
        (("1.png", "2.png", "cats/1.png"), r"beside the folders of its classes \(cats\): 1.png, 2.png"),
        (("train/cats/1.png", "test/1.png"), r"beside the folders of its classes \(cats\): test/1.png"),
        (("test/1.png", "val/1.png"), r"splits val, test and nothing to train on: .*train"),
    ],
)
def test_what_cannot_be_told_apart_is_refused(tmp_path, names, says):
    write(tmp_path / "raw", *names)
    with pytest.raises(UserError, match=says) as caught:
        load(tmp_path / "raw", tmp_path / "data")
    assert "data.path" in str(caught.value) and "\n" not in str(caught.value)


def test_a_class_may_be_called_train(tmp_path):
    write(tmp_path / "raw", "train/bus/1.png", "train/train/1.png")
    assert load(tmp_path / "raw", tmp_path / "data").fields["label"].names == ("bus", "train")


def test_classes_of_one_split_are_said(tmp_path):
    write(tmp_path / "raw", "train/a/1.png", "train/b/1.png", "test/a/2.png", "test/c/1.png")
    data = load(tmp_path / "raw", tmp_path / "data")
    assert data.fields["label"].names == ("a", "b", "c")
    assert {"Classes in the split train alone: b.", "Classes in the split test alone: c."} <= set(data.notes)


def test_folders_whose_images_cannot_be_read_are_said(tmp_path):
    raw = write(tmp_path / "raw", "train/cats/1.png")
    for name in ("train/dogs/1.heic", "train/cats/deeper/1.txt", "val/cats/1.heic", "notes.txt"):
        (raw / name).parent.mkdir(parents=True, exist_ok=True)
        (raw / name).touch()
    assert "Folders without images: train/dogs, val." in load(raw, tmp_path / "data").notes
    (tmp_path / "flat/dogs").mkdir(parents=True)
    (tmp_path / "flat/dogs/1.heic").touch()
    assert "Folders without images: dogs." in load(write(tmp_path / "flat", "cats/1.png"), tmp_path / "data").notes


def test_a_class_of_one_image_that_is_not_in_train_is_said(tmp_path):
    write(tmp_path / "raw", *(f"many/{i}.png" for i in range(3)))
    folders = {}
    for i in range(3):  # each alone in its class: one is drawn for the test split, one for validation
        folders[f"class{i}"] = (tmp_path / "raw/many" / f"{i}.png").read_bytes()
    shutil.rmtree(tmp_path / "raw/many")
    for name, content in folders.items():
        (tmp_path / "raw" / name).mkdir()
        (tmp_path / "raw" / name / "1.png").write_bytes(content)
    data = load(tmp_path / "raw", tmp_path / "data")
    (said,) = (line for line in data.notes if line.startswith("Classes of which no image is in train"))
    label = data.splits["train"].arrays["label"][0]
    assert data.fields["label"].names[label] not in said and said.count("class") == 2


def test_what_was_made_of_the_files_is_said_again_at_the_next_start(tmp_path, monkeypatch):
    raw = tmp_path / "raw"
    write(raw, *(f"{i}.png" for i in range(4)))
    write(raw, "wide.JPG", size=(9, 6))
    write(raw, "small.bmp", size=(2, 2))
    write(raw, "right.png", size=(4, 4))
    write(raw, "grey.png", mode="L")
    clear = Image.fromarray(RANDOM.randint(0, 255, (6, 6, 4), np.uint8))
    clear.save(raw / "clear.png")
    clear.convert("RGB").save(raw / "film.gif", save_all=True, append_images=[clear.rotate(90).convert("RGB")])
    Image.fromarray(np.arange(36, dtype=np.uint16).reshape(6, 6) * 100).save(raw / "deep.png")
    (raw / "copy.png").write_bytes((raw / "0.png").read_bytes())
    for name in ("a.txt", "b.txt", "c.heic", "Thumbs"):
        (raw / name).touch()
    data = load(raw, tmp_path / "data")
    assert data.notes == (
        f"Read from {raw}: 12 images; split by content, as no folders are named train and test: "
        f"{', '.join(f'{split} {count}' for split, count in counts(data).items())}.",
        "Other files passed over: 4 (txt 2, Thumbs 1, heic 1).",
        "Resized to 4 × 4: 11 images, with sides of 2 to 9 pixels, 1 cropped to their central square, 1 enlarged.",
        "Grey, given as colour: 2 images.",
        "Transparent, laid on white: 1 image.",
        "Of more than 8 bits, with 4095 as white, or floats from 0 to 1: 1 image.",
        "Of several frames or pages, of which the first is taken: 1 image.",
        "Repeated, byte for byte: 1 image.",
    )
    monkeypatch.setattr("aigc_jax.data.sets.image_folder.read_all", None)  # nothing is read again
    assert load(raw, tmp_path / "data").notes == data.notes


def test_images_of_test_that_are_also_in_train_are_said(tmp_path):
    write(tmp_path / "raw", "train/1.png", "train/2.png", "test/1.png")
    shutil.copy(tmp_path / "raw/train/2.png", tmp_path / "raw/test/2.png")
    data = load(tmp_path / "raw", tmp_path / "data")
    assert "Of validation and test, also in train: 1 image." in data.notes


def test_many_classes_are_said_in_short(tmp_path):
    write(tmp_path / "raw", *(f"{i}/{j}.png" for i in range(14) for j in range(1 + i % 3)))
    assert "27 images of 14 classes, with 1 to 3 each;" in load(tmp_path / "raw", tmp_path / "data").notes[0]


def test_class_names_survive(tmp_path, capsys):
    names = [os.fsdecode(b"\xb9\xb7"), "new\nline", " blank ", "猫", "cafe\u0301", "[1] *?", "a.png"]
    write(tmp_path / "raw", *(f"{name}/{i}.png" for name in names for i in range(3)))
    data = load(tmp_path / "raw", tmp_path / "data")
    expected = {"\\xb9\\xb7", "new\\nline", "blank", "猫", "caf\u00e9", "[1] *?", "a.png"}
    assert set(data.fields["label"].names) == expected and len(data.fields["label"].names) == 7
    json.dumps(data.fields["label"].names).encode("ascii")
    assert load(tmp_path / "raw", tmp_path / "data").fields["label"].names == data.fields["label"].names  # read back
    shown = ["show", "image_folder", f"--path={tmp_path / 'raw'}", "--image_size=4", f"--data_dir={tmp_path / 'data'}"]
    assert main([*shown, f"--out={tmp_path}"]) == 0
    assert "\\xb9\\xb7 3" in capsys.readouterr().out.encode().decode()


def test_one_class_under_two_spellings_of_its_letters(tmp_path):
    write(tmp_path / "raw", "train/cafe\u0301/1.png", "test/caf\u00e9/1.png")
    assert load(tmp_path / "raw", tmp_path / "data").fields["label"].names == ("caf\u00e9",)


def test_changed_data_is_prepared_again(tmp_path):
    raw = write(tmp_path / "raw", "1.png", "2.png")
    seen = [load(raw, tmp_path / "data").folder, load(raw, tmp_path / "data").folder]
    write(raw, "1.png")
    os.utime(raw / "1.png", (1, 1))
    seen.append(load(raw, tmp_path / "data").folder)
    (raw / "1.png").rename(raw / os.fsdecode(b"\xff.png"))
    seen.append(load(raw, tmp_path / "data").folder)
    (raw / "train").mkdir()
    for path in raw.glob("*.png"):
        path.rename(raw / "train" / path.name)
    seen.append(load(raw, tmp_path / "data").folder)
    seen += [load(raw, tmp_path / "data", colour=False).folder, load(raw, tmp_path / "data", image_size=3).folder]
    assert seen[0] == seen[1] and len(set(seen)) == 6


@pytest.mark.parametrize(
    "name, says",
    [
        ("a.HEIC", r"1 .heic file: convert .*pillow-heif"),
        ("a.npy", r"1 .npy file: write the arrays as PNG"),
        ("a.zip", r"1 .zip file: unpack"),
        ("a.xyz", r"png, .* are read"),
        (".png/1.png", r"are read"),
    ],
)
def test_a_folder_without_images_says_what_it_holds(tmp_path, name, says):
    (tmp_path / "raw" / name).parent.mkdir(parents=True)
    (tmp_path / "raw" / name).touch()
    with pytest.raises(UserError, match=f"no image in .*{says}"):
        load(tmp_path / "raw", tmp_path / "data")


def test_links_and_folders_named_like_files(tmp_path):
    write(tmp_path / "elsewhere", "1.png", "2.png")
    write(tmp_path / "raw", "cats.png/1.PNG")
    (tmp_path / "raw/linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "raw/linked/gone.png").symlink_to(tmp_path / "nowhere")
    data = load(tmp_path / "raw", tmp_path / "data")
    assert data.fields["label"].names == ("cats.png", "linked") and sum(counts(data).values()) == 3


@pytest.mark.parametrize("name", ["a[1]", "b*c?", "d e", "猫{x}", "e:1@2#3", "f%41"])
def test_prepared_in_a_folder_of_any_name(tmp_path, monkeypatch, name):
    write(tmp_path / name / "raw", "1.png", "2.png", "3.png")
    data = load(tmp_path / name / "raw", tmp_path / name / "data")
    assert counts(data) == {"train": 1, "validation": 1, "test": 1}
    monkeypatch.setattr("aigc_jax.data.store.SMALL", 0)
    streamed = load(tmp_path / name / "raw", tmp_path / name / "data")
    np.testing.assert_array_equal(streamed.splits["train"][np.arange(1)]["image"], data.splits["train"].arrays["image"])


def test_a_data_dir_that_is_no_utf8_is_refused_in_one_line(tmp_path):
    write(tmp_path / "raw", "1.png")
    with pytest.raises(ConfigError, match=r"caf\\xe9.* UTF-8.*--data_dir"):
        load(tmp_path / "raw", tmp_path / os.fsdecode(b"caf\xe9"))


def test_a_damaged_image_leaves_nothing_in_the_way(tmp_path):
    raw = write(tmp_path / "raw", "1.png", "2.png", "3.png")
    whole = (raw / "2.png").read_bytes()
    (raw / "2.png").write_bytes(whole[:60])
    with pytest.raises(UserError, match="2.png cannot be read"):
        load(raw, tmp_path / "data")
    (raw / "2.png").rename(raw / ".2.png")
    assert sum(counts(load(raw, tmp_path / "data")).values()) == 2


def test_a_run_begins_with_what_its_data_says(tmp_path, capsys, monkeypatch):
    class Begun(Exception):
        """The first lines are printed."""

    def stop(*_):
        raise Begun

    monkeypatch.setattr(loop, "_describe", stop)
    run = build(load_config("gpt_sentences", "tiny"))
    data = replace(run.data, notes=("Left out: 3 texts.", "Other files passed over: 2."))
    with pytest.raises(Begun):
        loop.train(run._replace(data=data), Workdir(tmp_path / "run"), time.time())
    assert "\nLeft out: 3 texts.\nOther files passed over: 2.\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [("path", " ", '"data.path" is empty'), ("image_size", 100_000, '"data.image_size" has to be an int, 1 to 8,192')],
)
def test_what_would_read_another_folder_or_fill_the_memory_is_refused(tmp_path, key, value, said):
    section = dict(name="image_folder", path=str(tmp_path), image_size=8, colour=True, augment=())
    with pytest.raises(ConfigError, match=said):
        catalogue.load({**section, key: value}, tmp_path / "prepared")


def test_a_path_that_is_no_folder_is_said_in_full(tmp_path, monkeypatch):
    (tmp_path / "photos.zip").write_bytes(b"PK")
    monkeypatch.chdir(tmp_path)
    section = dict(name="image_folder", image_size=8, colour=True, augment=())
    for path, said in (("photos.zip", "the folder that holds it, unpacked"), ("photos", "check the path")):
        with pytest.raises(UserError, match=f'"{tmp_path / path}".*: .*{said}'):
            catalogue.load({**section, "path": path}, tmp_path / "prepared")
