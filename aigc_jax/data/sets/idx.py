"""IDX files, the format of MNIST and its successors (Fashion-MNIST, KMNIST, ...), plain or .gz.

A folder holds {train,t10k}-images-idx3-ubyte and {train,t10k}-labels-idx1-ubyte. The official
splits are kept; `validation` examples at the end of the training split can be held out.
"""

import gzip
import hashlib
import math
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import tensorflow_datasets as tfds

from aigc_jax.data.dataset import ArraySource, DataSet, Source
from aigc_jax.data.fields.pixels import Augment
from aigc_jax.data.grid import png
from aigc_jax.data.images import image_dataset
from aigc_jax.data.store import LocalInfo, folder_name, image_sources, local_builder
from aigc_jax.errors import ConfigError, UserError
from aigc_jax.places import expanded
from aigc_jax.ranges import Count

FILES = {"train": "train", "test": "t10k"}  # split -> prefix of its files
MAGIC = {"images": 0x00000803, "labels": 0x00000801}  # uint8 in three and in one dimensions
DAMAGED = (EOFError, OSError, zlib.error)  # what a damaged .gz raises
FASHION_NAMES = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip
FASHION_LABELS = {  # sha256 of the decompressed label files of Fashion-MNIST
    "train": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "test": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
}
FASHION_LICENCE = "MIT, (c) 2017 Zalando SE"
FASHION_HOMEPAGE = "https://github.com/zalandoresearch/fashion-mnist"
FASHION_CITATION = "H. Xiao, K. Rasul, R. Vollgraf (2017). Fashion-MNIST. arXiv:1708.07747"
UNKNOWN_LICENCE = "that of the files' publisher; not known here"
IDX_HOMEPAGE = "http://yann.lecun.com/exdb/mnist/"


@dataclass
class IdxConfig(tfds.core.BuilderConfig):
    """Which folder, and what its headers say."""

    path: Path = Path()
    shape: tuple[int, int, int] = (0, 0, 1)
    class_names: tuple[str, ...] = ()
    examples: int = 0


class IdxImages(tfds.core.GeneratorBasedBuilder):
    """Grey images of equal size with one label each, from IDX files."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self) -> tfds.core.DatasetInfo:
        config = self.builder_config
        fashion = config.class_names == FASHION_NAMES
        return LocalInfo(
            builder=self,
            description="Fashion-MNIST." if fashion else "Grey images with labels, from IDX files.",
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Image(shape=config.shape),
                    "label": tfds.features.ClassLabel(names=list(config.class_names)),
                }
            ),
            supervised_keys=("image", "label"),
            disable_shuffling=True,
            homepage=FASHION_HOMEPAGE if fashion else IDX_HOMEPAGE,
            license=FASHION_LICENCE if fashion else UNKNOWN_LICENCE,
            citation=FASHION_CITATION if fashion else "",
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Iterator]:
        return {split: self._generate_examples(*read_split(self.builder_config.path, split)) for split in FILES}

    def _generate_examples(self, images: np.ndarray, labels: np.ndarray) -> Iterator[tuple[int, dict[str, Any]]]:
        for key, (image, label) in enumerate(zip(images, labels, strict=True)):
            yield key, {"image": png(image), "label": int(label)}


def find(folder: Path, split: str, content: str) -> Path:
    """The file of a split's "images" or "labels", under either usual spelling, plain or .gz."""
    stem = f"{FILES[split]}-{content}-idx{MAGIC[content] & 0xFF}-ubyte"
    for name in (stem, stem.replace("-idx", ".idx")):
        for path in (folder / name, folder / f"{name}.gz"):
            if path.is_file():
                return path
    raise UserError(f'There is no {stem}[.gz] in the folder "{folder}" (key "data.path"): put the IDX files there.')


def _open(path: Path) -> IO[bytes]:
    return gzip.open(path) if path.suffix == ".gz" else path.open("rb")  # type: ignore[return-value]


def _header(path: Path, file: IO[bytes], content: str) -> tuple[int, ...]:
    magic, size = MAGIC[content], 4 + 4 * (MAGIC[content] & 0xFF)
    try:
        header = file.read(size)
    except DAMAGED as error:
        raise UserError(f"{path} is damaged ({error}): fetch it again.") from error
    found = int.from_bytes(header[:4], "big")
    if len(header) < size:
        raise UserError(f"{path} ends in its header ({size} bytes expected, {len(header)} found): fetch it again.")
    if found != magic:
        raise UserError(f"{path} is no IDX file of {content} (magic {magic:#010x} expected, {found:#010x} found).")
    return tuple(np.frombuffer(header[4:], ">u4").astype(int).tolist())


def read(path: Path, content: str) -> np.ndarray:
    """An IDX file -> uint8 array. content: "images" or "labels". Raises UserError if it is damaged."""
    with _open(path) as file:
        shape = _header(path, file, content)
        expected, parts, found, problem = math.prod(shape), [], 0, ""
        try:
            while found <= expected and (part := file.read(min(2**20, expected + 1 - found))):
                parts.append(part)
                found += len(part)
        except DAMAGED as error:
            problem = f"; {error}"
    if found != expected or problem:
        amount = f"more than {expected}" if found > expected else str(found)
        raise UserError(
            f"{path} is damaged: its header announces {expected} bytes of {content}, {amount} were found{problem}: "
            "fetch it again."
        )
    return np.frombuffer(b"".join(parts), np.uint8).reshape(shape)


def read_split(folder: Path, split: str) -> tuple[np.ndarray, np.ndarray]:
    """(images uint8 [N, H, W, 1], labels uint8 [N]), as many of the one as of the other."""
    paths = find(folder, split, "images"), find(folder, split, "labels")
    images, labels = read(paths[0], "images"), read(paths[1], "labels")
    if len(images) != len(labels):
        raise UserError(f"{paths[0]} holds {len(images)} images and {paths[1]} {len(labels)} labels: fetch both again.")
    return images[..., None], labels


def config_of(folder: Path) -> IdxConfig:
    """What the folder's headers and labels say; named by the content of all four files."""
    paths = {(split, content): find(folder, split, content) for split in FILES for content in MAGIC}
    shapes: list[tuple[int, int, int]] = []
    for split in FILES:
        with _open(paths[split, "images"]) as file:
            _, height, width = _header(paths[split, "images"], file, "images")
            shapes.append((height, width, 1))
    if shapes[0] != shapes[1]:
        raise UserError(f'The images in "{folder}" differ in size: {shapes[0]} for training, {shapes[1]} for testing.')
    labels = {split: read(paths[split, "labels"], "labels") for split in FILES}
    fashion = all(
        hashlib.sha256(_whole(paths[split, "labels"])).hexdigest() == digest for split, digest in FASHION_LABELS.items()
    )
    classes = 1 + max(int(values.max(initial=0)) for values in labels.values())
    return IdxConfig(
        name=folder_name([path.read_bytes() for path in paths.values()]),
        version="1.0.0",
        path=folder,
        shape=shapes[0],
        class_names=FASHION_NAMES if fashion else tuple(map(str, range(classes))),
        examples=sum(map(len, labels.values())),
    )


def _whole(path: Path) -> bytes:
    with _open(path) as file:
        return file.read()


def load(*, data_dir: Path, path: str, validation: Count, pad: Count, augment: tuple[Augment, ...]) -> DataSet:
    """The images, in memory.

    path: the folder; validation: examples at the end of the training split that are held out
    as the split "validation"; pad: pixels of black added on every side; augment: what is done to training images.
    """
    config = config_of(expanded(path))
    builder = local_builder(IdxImages, config, data_dir, examples=config.examples)
    splits: dict[str, Source] = image_sources(builder, config.shape)
    if validation:
        train = splits["train"]
        if not 0 < validation < len(train):
            raise ConfigError(f'"data.validation" has to lie between 0 and {len(train) - 1}, and is {validation}.')
        splits = {"train": _part(train, slice(None, -validation)), "validation": _part(train, slice(-validation, None)),
                  "test": splits["test"]}  # fmt: skip
    folder = Path(builder.data_dir)
    name = "fashion_mnist" if config.class_names == FASHION_NAMES else "idx"
    return image_dataset(name, splits, config.shape, config.class_names, folder, pad=pad, augment=augment)


def _part(source: Source, rows: slice) -> Source:
    if source.arrays is None:
        raise UserError("These IDX files are too large to hold examples out: set data.validation to 0.")
    return ArraySource({key: array[rows] for key, array in source.arrays.items()})
