"""Sets of TFDS with several images and labels: the configuration names which, and -1 is no label."""

import io

import numpy as np
import pytest
import tensorflow_datasets as tfds
from PIL import Image
from support import load_config

from aigc_jax.build import build
from aigc_jax.data import catalogue
from aigc_jax.data.grid import png
from aigc_jax.data.store import quiet
from aigc_jax.errors import ConfigError, UserError

COUNT = 6
LABELLED = {"train": COUNT, "half": 4, "bare": 0}  # split -> examples that have a coarse label


class Several(tfds.core.GeneratorBasedBuilder):
    """Two images of 8 bits, one of 16, and two labels."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        features = tfds.features
        return tfds.core.DatasetInfo(
            builder=self,
            features=features.FeaturesDict(
                {
                    "photo": features.Image(shape=(4, 4, 3)),
                    "mask": features.Image(shape=(4, 4, 1)),
                    "deep": features.Image(shape=(4, 4, 1), dtype=np.uint16),
                    "coarse": features.ClassLabel(names=["a", "b"]),
                    "fine": features.ClassLabel(num_classes=4),
                }
            ),
            disable_shuffling=True,
        )

    def _split_generators(self, dl_manager):
        return {split: self._generate_examples(labelled) for split, labelled in LABELLED.items()}

    def _generate_examples(self, labelled):
        for i in range(COUNT):
            deep = io.BytesIO()
            Image.fromarray(np.full((4, 4), 1000 * i, np.uint16)).save(deep, "png")
            deep.seek(0)
            yield (
                i,
                {
                    "photo": png(np.full((4, 4, 3), i, np.uint8)),
                    "mask": png(np.full((4, 4, 1), 10 + i, np.uint8)),
                    "deep": deep,
                    "coarse": i % 2 if i < labelled else -1,
                    "fine": i % 4,
                },
            )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("several")
    with quiet():
        Several(data_dir=str(folder), file_format="array_record").download_and_prepare()
    return folder


def section(image, label):
    return dict(name="tfds", dataset="several", image=image, label=label, image_size=0, pad=0, augment=())


@pytest.mark.parametrize(
    "image, label, pixels, labels, classes",
    [
        ("photo", "fine", range(COUNT), [0, 1, 2, 3, 0, 1], 4),
        ("mask", "coarse", range(10, 10 + COUNT), [0, 1] * 3, 2),
        ("mask", "", range(10, 10 + COUNT), [0] * COUNT, 1),
        ("mask", "fine", range(10, 10 + COUNT), [0, 1, 2, 3, 0, 1], 4),  # beside arrays of other labels
        ("deep", "fine", np.rint(np.arange(COUNT) * 1000 / 257), [0, 1, 2, 3, 0, 1], 4),  # 2^16 - 1 is white
    ],
)
def test_what_is_named_is_read(folder, image, label, pixels, labels, classes):
    data = catalogue.load(section(image, label), folder)
    assert data.splits["train"].arrays["image"][:, 0, 0, 0].tolist() == list(pixels)
    assert data.splits["train"].arrays["label"].tolist() == labels
    assert data.facts["label_classes"] == classes


@pytest.mark.parametrize(
    "image, label, says",
    [
        ("image", "fine", 'no image "image" .*data.image.*"photo", "mask", "deep"'),
        ("coarse", "fine", 'no image "coarse"'),
        ("photo", "label", 'no label "label" .*data.label.*"coarse", "fine", or "" for no classes'),
        ("photo", "mask", 'no label "mask"'),
    ],
)
def test_what_is_not_there_is_refused_with_the_choices(folder, image, label, says):
    with pytest.raises(ConfigError, match=says):
        catalogue.load(section(image, label), folder)


def test_images_without_a_label_are_left_out_and_said(folder):
    data = catalogue.load(section("photo", "coarse"), folder)
    assert {split: len(source) for split, source in data.splits.items()} == {"train": 6, "half": 4}
    assert data.splits["half"].arrays["label"].tolist() == [0, 1, 0, 1]
    assert data.splits["half"].arrays["image"][:, 0, 0, 0].tolist() == [0, 1, 2, 3]
    assert [line.split(":")[1].split()[0] for line in data.notes] == ["2", "6"] and "split half" in data.notes[0]
    assert len(catalogue.load(section("photo", ""), folder).splits["bare"]) == COUNT


def test_a_set_that_streams_is_refused_where_a_label_is_missing(folder, monkeypatch):
    monkeypatch.setattr("aigc_jax.data.store.SMALL", 0)
    data = catalogue.load(section("photo", "coarse"), folder)
    assert data.splits["half"][np.arange(4)]["label"].tolist() == [0, 1, 0, 1]
    with pytest.raises(UserError, match='without a label .*data.label=""'):
        data.splits["half"][np.arange(5)]


def test_a_set_without_a_training_split_ends_in_one_line(folder, monkeypatch):
    monkeypatch.setitem(LABELLED, "train", 0)
    with quiet():
        Several(data_dir=str(folder / "other"), file_format="array_record").download_and_prepare()
    config = load_config("ddpm_cifar", "tiny")
    config["data"] = section("photo", "coarse") | dict(batch_size=4)
    config["evaluate"]["split"] = "half"
    with pytest.raises(ConfigError, match="no split train .*half.*without a label"):
        build(config, folder / "other")
