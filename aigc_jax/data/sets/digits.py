"""Handwritten digits of scikit-learn: 1,797 grey images of 8 x 8 pixels, 10 classes.

The set for a first run and for tests: nothing is downloaded. Split by a fixed permutation
into 1,437 training and 360 test images.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from aigc_jax.data.dataset import DataSet
from aigc_jax.data.grid import png
from aigc_jax.data.images import image_dataset
from aigc_jax.data.store import LocalInfo, image_sources, local_builder
from aigc_jax.errors import UserError

SHAPE = (8, 8, 1)
TEST = 360  # images
SPLIT_SEED = 0  # of the permutation whose last TEST images are the test split
BRIGHTEST = 16  # the largest grey level of the original


class Digits(tfds.core.GeneratorBasedBuilder):
    """The test half of the UCI set, as scikit-learn ships it, grey levels scaled to 0..255."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self) -> tfds.core.DatasetInfo:
        return LocalInfo(
            builder=self,
            description="8x8 grey images of handwritten digits, as shipped with scikit-learn.",
            features=tfds.features.FeaturesDict(
                {"image": tfds.features.Image(shape=SHAPE), "label": tfds.features.ClassLabel(num_classes=10)}
            ),
            supervised_keys=("image", "label"),
            disable_shuffling=True,
            homepage="https://archive.ics.uci.edu/dataset/80/optical+recognition+of+handwritten+digits",
            license="CC BY 4.0",
            citation="E. Alpaydin and C. Kaynak (1998). Optical Recognition of Handwritten Digits. UCI.",
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Iterator]:
        try:
            from sklearn.datasets import load_digits  # slow to import, and needed only here
        except ImportError as error:
            raise UserError("Preparing digits needs scikit-learn: pip install scikit-learn") from error
        digits = load_digits()
        images = np.round(digits.images * (255 / BRIGHTEST)).astype(np.uint8)[..., None]
        numbers = np.random.RandomState(SPLIT_SEED).permutation(len(images))
        return {
            "train": self._generate_examples(images, digits.target, numbers[:-TEST]),
            "test": self._generate_examples(images, digits.target, numbers[-TEST:]),
        }

    def _generate_examples(
        self, images: np.ndarray, labels: np.ndarray, numbers: np.ndarray
    ) -> Iterator[tuple[int, dict[str, Any]]]:
        for key, number in enumerate(numbers):
            yield key, {"image": png(images[number]), "label": int(labels[number])}


def load(*, data_dir: Path) -> DataSet:
    """The digits, in memory."""
    builder = local_builder(Digits, None, data_dir)
    names = tuple(builder.info.features["label"].names)
    return image_dataset("digits", image_sources(builder, SHAPE), SHAPE, names, Path(builder.data_dir))
