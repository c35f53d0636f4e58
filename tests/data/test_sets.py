"""The data sets themselves: what is stored is what was given, and damage is named in one line."""

import gzip
import hashlib
import json
import os
import socket
import struct
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from aigc_jax.data import catalogue, sets
from aigc_jax.data.poems import EDITED
from aigc_jax.data.sets import digits, idx
from aigc_jax.data.sets import tfds as tfds_set
from aigc_jax.data.store import prepared
from aigc_jax.errors import ConfigError, UserError

FASHION = Path("/usr/share/datasets/fashion-mnist")
FASHION_DIGESTS = {
    ("train", "images"): "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    ("train", "labels"): "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    ("test", "images"): "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    ("test", "labels"): "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
}


def write_idx(folder, train=20, test=6, packed=False, seed=0):
    """An MNIST-like folder of 5 x 4 images. -> {split: (images, labels)}."""
    folder.mkdir(parents=True, exist_ok=True)
    rng, given = np.random.RandomState(seed), {}
    for prefix, split, n in (("train", "train", train), ("t10k", "test", test)):
        images, labels = rng.randint(0, 256, (n, 5, 4)).astype(np.uint8), (np.arange(n) % 3).astype(np.uint8)
        for content, header, array in (
            ("images-idx3", struct.pack(">IIII", 2051, n, 5, 4), images),
            ("labels-idx1", struct.pack(">II", 2049, n), labels),
        ):
            data = header + array.tobytes()
            path = folder / f"{prefix}-{content}-ubyte{'.gz' if packed else ''}"
            path.write_bytes(gzip.compress(data, mtime=0) if packed else data)
        given[split] = (images[..., None], labels)
    return given


def load_idx(folder, data_dir, validation=0):
    section = dict(name="idx", path=str(folder), validation=validation, pad=0, augment=())
    return catalogue.load(section, data_dir)


def test_catalogue_finds_by_file_and_says_what_it_lacks(tmp_path):
    every = {path.stem for path in Path(sets.__file__).parent.glob("[!_]*.py")}
    assert {"digits", "idx", "tfds"} <= set(catalogue.names()) == every
    with pytest.raises(ConfigError, match='Did you mean "digits"'):
        catalogue.load({"name": "digit"}, tmp_path)
    with pytest.raises(ConfigError, match="data.name"):
        catalogue.load({}, tmp_path)
    with pytest.raises(ConfigError, match="data.length"):
        catalogue.load({"name": "sentences"}, tmp_path)


def test_default_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    assert catalogue.default_data_dir() == tmp_path
    monkeypatch.delenv("TFDS_DATA_DIR")
    assert catalogue.default_data_dir() == Path.home() / "tensorflow_datasets"


def test_digits_are_scikit_learns():
    data = catalogue.load({"name": "digits"}, None)
    assert {split: len(source) for split, source in data.splits.items()} == {"train": 1437, "test": 360}
    assert data.facts == dict(shape=(8, 8, 1), levels=256, label_classes=10)

    from sklearn.datasets import load_digits

    original = load_digits()
    stored = np.concatenate([source.arrays["image"] for source in data.splits.values()])
    labels = np.concatenate([source.arrays["label"] for source in data.splits.values()])
    assert stored.dtype == np.uint8 and stored.max() == 255
    expected = sorted((image.tobytes(), int(y)) for image, y in zip(
        np.round(original.images * 255 / 16).astype(np.uint8), original.target, strict=True))  # fmt: skip
    assert sorted((image.tobytes(), int(y)) for image, y in zip(stored, labels, strict=True)) == expected


def test_another_process_prepares_first(tmp_path):
    late = digits.Digits(data_dir=str(tmp_path), file_format="array_record")
    catalogue.load({"name": "digits"}, tmp_path)
    assert not late.info.splits
    assert prepared(late).info.splits["train"].num_examples == 1437


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="Cannot prepare digits"):
        catalogue.load({"name": "digits"}, tmp_path / "file")


@pytest.mark.parametrize("packed", [False, True])
def test_idx_round_trip(tmp_path, packed):
    given = write_idx(tmp_path / "raw", packed=packed)
    data = load_idx(tmp_path / "raw", tmp_path / "data")
    for split, (images, labels) in given.items():
        np.testing.assert_array_equal(data.splits[split].arrays["image"], images)
        np.testing.assert_array_equal(data.splits[split].arrays["label"], labels)
    assert data.facts == dict(shape=(5, 4, 1), levels=256, label_classes=3)
    assert data.fields["label"].names == ("0", "1", "2")


def test_idx_holds_out_the_end_of_training(tmp_path):
    images, _ = write_idx(tmp_path / "raw")["train"]
    data = load_idx(tmp_path / "raw", tmp_path / "data", validation=5)
    np.testing.assert_array_equal(data.splits["train"].arrays["image"], images[:-5])
    np.testing.assert_array_equal(data.splits["validation"].arrays["image"], images[-5:])
    assert len(data.splits["test"]) == 6
    with pytest.raises(ConfigError, match="data.validation"):
        load_idx(tmp_path / "raw", tmp_path / "data", validation=20)


def test_idx_folders_do_not_collide(tmp_path):
    first, second = write_idx(tmp_path / "a", seed=1), write_idx(tmp_path / "b", seed=2)
    for folder, given in (("a", first), ("b", second), ("a", first)):
        data = load_idx(tmp_path / folder, tmp_path / "data")
        np.testing.assert_array_equal(data.splits["train"].arrays["image"], given["train"][0])


def test_the_cache_is_equal_and_mended(tmp_path):
    given = write_idx(tmp_path / "raw")
    folder = load_idx(tmp_path / "raw", tmp_path / "data").folder
    (cache,) = folder.glob("arrays_*")
    again = load_idx(tmp_path / "raw", tmp_path / "data").splits["train"]
    np.testing.assert_array_equal(again.arrays["image"], given["train"][0])
    for damage in (
        lambda file: os.truncate(file, file.stat().st_size - 7),
        lambda file: os.truncate(file, 0),
        os.remove,
    ):
        damage(cache / "train.image.npy")
        mended = load_idx(tmp_path / "raw", tmp_path / "data").splits["train"]
        np.testing.assert_array_equal(mended.arrays["image"], given["train"][0])


@pytest.mark.parametrize(
    "name, spoil, says",
    [
        ("train-images-idx3-ubyte", lambda b: b[:-3], "400 bytes of images, 397 were found"),
        ("train-images-idx3-ubyte", lambda b: b + b"x", "more than 400"),
        ("t10k-labels-idx1-ubyte", lambda b: b[:5], "ends in its header"),
        ("t10k-images-idx3-ubyte", lambda b: b"\0\0\x08\x01" + b[4:], "magic 0x00000803 expected, 0x00000801 found"),
        ("train-labels-idx1-ubyte", lambda b: struct.pack(">II", 2049, 19) + b[8:-1], "20 images .* 19 labels"),
    ],
)
def test_damaged_idx_is_named(tmp_path, name, spoil, says):
    write_idx(tmp_path / "raw")
    path = tmp_path / "raw" / name
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(UserError, match=says) as error:
        load_idx(tmp_path / "raw", tmp_path / "data")
    assert name in str(error.value) and "\n" not in str(error.value)
    write_idx(tmp_path / "raw")  # what failed leaves nothing that stands in the way
    assert len(load_idx(tmp_path / "raw", tmp_path / "data").splits["train"]) == 20


@pytest.mark.parametrize("spoil", [lambda b: b[: len(b) // 2], lambda b: b"no gzip", lambda b: b[:-9] + b"\0" * 9])
def test_damaged_gz_is_named(tmp_path, spoil):
    write_idx(tmp_path / "raw", packed=True)
    path = tmp_path / "raw" / "train-images-idx3-ubyte.gz"
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(UserError, match="train-images-idx3-ubyte.gz is damaged"):
        load_idx(tmp_path / "raw", tmp_path / "data")


def test_missing_idx_is_named(tmp_path):
    with pytest.raises(UserError, match="train-images-idx3-ubyte"):
        load_idx(tmp_path, tmp_path / "data")


@pytest.mark.skipif(not FASHION.is_dir(), reason="Fashion-MNIST is not installed")
def test_fashion_mnist_is_the_real_one():
    for (split, content), digest in FASHION_DIGESTS.items():
        with gzip.open(idx.find(FASHION, split, content)) as file:
            assert hashlib.sha256(file.read()).hexdigest() == digest
    config = idx.config_of(FASHION)
    assert config.shape == (28, 28, 1) and config.class_names[9] == "Ankle boot"
    images, labels = idx.read_split(FASHION, "test")
    assert images.shape == (10_000, 28, 28, 1) and (np.bincount(labels) == 1000).all()


def load_folder(folder, data_dir, colour=True):
    section = dict(name="image_folder", path=str(folder), image_size=4, colour=colour, augment=())
    return catalogue.load(section, data_dir)


def write_images(folder, n=30):
    rng = np.random.RandomState(0)
    for i in range(n):
        path = folder / ("cats", "dogs")[i % 2] / f"{i:03}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.randint(0, 256, (4, 4, 3)).astype(np.uint8)).save(path)


def test_folder_of_images(tmp_path):
    write_images(tmp_path / "raw")
    data = load_folder(tmp_path / "raw", tmp_path / "data")
    assert data.facts == dict(shape=(4, 4, 3), levels=256, label_classes=2) and data.fields["label"].names == (
        "cats",
        "dogs",
    )
    assert {split: len(source) for split, source in data.splits.items()} == {"train": 26, "validation": 2, "test": 2}
    given = sorted(
        (np.asarray(Image.open(path)).tobytes(), path.parent.name == "dogs") for path in tmp_path.glob("raw/*/*.png")
    )
    stored = [
        (image.tobytes(), bool(label))
        for source in data.splits.values()
        for image, label in zip(source.arrays["image"], source.arrays["label"], strict=True)
    ]
    assert sorted(stored) == given
    assert load_folder(tmp_path / "raw", tmp_path / "data", colour=False).facts["shape"] == (4, 4, 1)


def test_duplicates_fall_on_one_side(tmp_path):
    write_images(tmp_path / "raw", 20)
    for path in list((tmp_path / "raw").glob("*/*.png")):
        path.with_stem(path.stem + "_copy").write_bytes(path.read_bytes())
    data = load_folder(tmp_path / "raw", tmp_path / "data")
    seen = [{image.tobytes() for image in source.arrays["image"]} for source in data.splits.values()]
    assert sum(map(len, seen)) == len(set().union(*seen)) == 20


def test_named_splits_are_kept(tmp_path):
    write_images(tmp_path / "raw/train", 6)
    write_images(tmp_path / "raw/test", 4)
    data = load_folder(tmp_path / "raw", tmp_path / "data")
    assert {split: len(source) for split, source in data.splits.items()} == {"train": 6, "test": 4}
    assert data.fields["label"].names == ("cats", "dogs")


def test_bad_image_in_a_folder(tmp_path):
    write_images(tmp_path / "raw", 4)
    (tmp_path / "raw/cats/broken.jpg").write_bytes(b"nonsense")
    with pytest.raises(UserError, match="broken.jpg"):
        load_folder(tmp_path / "raw", tmp_path / "data")
    with pytest.raises(UserError, match="no folder"):
        load_folder(tmp_path / "nowhere", tmp_path / "data")


def write_poems(folder, extra=()):
    folder.mkdir(parents=True, exist_ok=True)
    poems = [{"title": "詩", "paragraphs": ["床前明月光，", f"疑是地上霜{chr(0x4E00 + i)}。"]} for i in range(40)]
    (folder / "poet.tang.0.json").write_text(json.dumps([*poems, *extra], ensure_ascii=False), "utf-8")


def load_poems(folder, data_dir, length=8, size=12):
    section = dict(name="tang_poems", path=str(folder), length=length, vocabulary_size=size)
    return catalogue.load(section, data_dir)


def test_poems_are_split_and_cut(tmp_path):
    lacuna, twin = (
        {"title": "缺", "paragraphs": ["床□。"]},
        {"title": "又", "paragraphs": ["床前明月光，", "疑是地上霜一。"]},
    )
    write_poems(tmp_path / "raw", [lacuna, twin])
    data = load_poems(tmp_path / "raw", tmp_path / "data")
    texts = {split: source.texts() for split, source in data.splits.items()}
    assert sum(map(len, texts.values())) == 41
    assert {split: len(set(t.split("\n", 1)[1] for t in texts[split])) for split in texts} == {
        "train": 36, "validation": 2, "test": 2}  # fmt: skip
    sides = [split for split in texts for text in texts[split] if text.endswith("疑是地上霜一。")]
    assert len(sides) == 2 and len(set(sides)) == 1  # one poem under two titles
    assert json.loads((data.folder / "metadata.json").read_text()) == {"found": 42, "left_out": 1}
    assert {key: data.facts[key] for key in ("vocabulary", "length", "pad", "bos", "eos")} == {
        "vocabulary": 16, "length": 8, "pad": 0, "bos": 1, "eos": 2}  # fmt: skip
    for split, source in data.splits.items():
        np.testing.assert_array_equal(source.arrays["text"], data.made.windows(texts[split]))
    known = set(data.made.model)
    assert known <= set("".join(texts["train"]))


def test_a_folder_of_texts(tmp_path):
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw/a.txt").write_bytes(b"one\r\n\r\ntwo\nlines\n \n\n")
    (tmp_path / "raw/b.txt").write_bytes(b"\xef\xbb\xbf" + "三".encode())
    data = load_poems(tmp_path / "raw", tmp_path / "data")
    assert sorted(text for source in data.splits.values() for text in source.texts()) == ["one", "two\nlines", "三"]


def test_text_that_is_not_utf8_is_named(tmp_path):
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw/gbk.txt").write_bytes(b"abc" + "诗歌".encode("gbk"))
    with pytest.raises(UserError, match=r"gbk.txt is not UTF-8 \(byte 0xb8 at offset 5\)"):
        load_poems(tmp_path / "raw", tmp_path / "data")
    (tmp_path / "raw/poet.tang.0.json").write_text('[{"title": 3}]')
    with pytest.raises(UserError, match="poet.tang.0.json is no list of poems"):
        load_poems(tmp_path / "raw", tmp_path / "data")
    with pytest.raises(UserError, match="no folder"):
        load_poems(tmp_path / "nowhere", tmp_path / "data")


def test_editors_marks():
    assert all(EDITED.search(text) for text in ("冰□", "（一作「木」）", "[爽]節", "銅柱○", "一1", "⿰氵"))
    assert not EDITED.search("《長恨曲》「琵琶」，。？！、：；·")


def test_sentences():
    data = catalogue.load({"name": "sentences", "length": 32}, None)
    assert set(data.splits) == {"train", "validation", "test"}
    for source in data.splits.values():
        shown = [data.made.decode(row) for row in source[np.arange(4)]["text"]]
        assert shown == source.texts() and shown[0] == "今天天气很好，适合出去散步。"


def tfds_section(name):
    return dict(name="tfds", dataset=name, image="image", label="label", image_size=0, pad=0, augment=())


def test_a_prepared_set_of_tfds(tmp_path):
    ours = catalogue.load({"name": "digits"}, tmp_path)
    theirs = catalogue.load(tfds_section("digits"), tmp_path)
    assert theirs.facts == ours.facts
    for split in ours.splits:
        np.testing.assert_array_equal(theirs.splits[split].arrays["image"], ours.splits[split].arrays["image"])
    small = catalogue.load({**tfds_section("digits"), "image_size": 4}, tmp_path)
    assert small.facts["shape"] == (4, 4, 1)


def test_streaming_equals_memory(tmp_path, monkeypatch):
    memory = catalogue.load({"name": "digits"}, tmp_path).splits["test"]
    monkeypatch.setattr("aigc_jax.data.store.SMALL", 0)
    stream = catalogue.load({"name": "digits"}, tmp_path).splits["test"]
    assert stream.arrays is None and len(stream) == len(memory)
    indices = np.array([5, 359, 0, 5, 77])
    for key, rows in stream[indices].items():
        np.testing.assert_array_equal(rows, memory[indices][key])
        assert rows.dtype == memory[indices][key].dtype


def test_no_network_is_said_at_once(tmp_path, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")  # nothing answers there
    began = time.monotonic()
    with pytest.raises(UserError, match="aigc_jax.data prepare cifar10") as error:
        catalogue.load(tfds_section("cifar10"), tmp_path)
    assert time.monotonic() - began < 5
    assert str(tmp_path / "downloads" / "manual") in str(error.value)


def test_a_silent_network_is_given_up(monkeypatch):
    monkeypatch.setattr(socket, "create_connection", lambda *args, **kwargs: time.sleep(30) or socket.socket())
    began = time.monotonic()
    assert not tfds_set.connects()
    assert time.monotonic() - began < 4


def test_a_proxy_is_asked(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{server.getsockname()[1]}")
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        assert tfds_set.connects()


def test_unknown_name_of_tfds(tmp_path):
    with pytest.raises(ConfigError, match='Did you mean "cifar10"'):
        catalogue.load(tfds_section("cifa10"), tmp_path)
