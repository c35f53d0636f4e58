"""A folder of images of one's own.

Subfolders named train, validation and test are the splits; without them images are split by
their content, about 90 / 5 / 5. Within that, each subfolder is a class; a folder without
subfolders is one class. Images are cropped to their central square and resized.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tensorflow_datasets as tfds

from aigc_jax.data.dataset import DataSet
from aigc_jax.data.images import Augmentation, image_dataset, png, read_image
from aigc_jax.data.store import LocalInfo, fingerprint, image_sources, local_builder, split_by_content
from aigc_jax.errors import UserError
from aigc_jax.ranges import Size

SPLITS = ("train", "validation", "test")
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff")


@dataclass
class FolderConfig(tfds.core.BuilderConfig):
    """Which images, and how large they become."""

    path: Path = Path()
    files: tuple[Path, ...] = ()
    shape: tuple[int, int, int] = (0, 0, 0)
    class_names: tuple[str, ...] = ()


class FolderImages(tfds.core.GeneratorBasedBuilder):
    """The images of a folder, square and of one size."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self) -> tfds.core.DatasetInfo:
        config = self.builder_config
        return LocalInfo(
            builder=self,
            description=f"Images of a folder, resized to {config.shape[0]} pixels.",
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Image(shape=config.shape),
                    "label": tfds.features.ClassLabel(names=list(config.class_names)),
                }
            ),
            supervised_keys=("image", "label"),
            disable_shuffling=True,
            license="that of the images; not known here",
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Iterator]:
        config = self.builder_config
        if _named_splits(config.path, config.files):
            groups = {s: [f for f in config.files if f.relative_to(config.path).parts[0] == s] for s in SPLITS}
        else:
            digests = [hashlib.sha256(file.read_bytes()).digest() for file in config.files]
            groups = {s: [config.files[i] for i in numbers] for s, numbers in split_by_content(digests).items()}
        return {split: self._generate_examples(files) for split, files in groups.items() if files}

    def _generate_examples(self, files: list[Path]) -> Iterator[tuple[int, dict[str, Any]]]:
        config = self.builder_config
        named = _named_splits(config.path, config.files)
        for key, file in enumerate(files):
            image = read_image(file, config.shape[0], config.shape[2])
            yield key, {"image": png(image), "label": _class(config.path, file, named)}


def _named_splits(folder: Path, files: tuple[Path, ...]) -> bool:
    return all(len(parts := f.relative_to(folder).parts) > 1 and parts[0] in SPLITS for f in files)


def _class(folder: Path, file: Path, named: bool) -> str:
    directories = file.relative_to(folder).parts[named:-1]
    return directories[0] if directories else "image"


def load(*, data_dir: Path, path: str, image_size: Size, colour: bool, augment: tuple[Augmentation, ...]) -> DataSet:
    """The folder's images.

    path: the folder; image_size: side of the squares; colour: RGB, else grey; augment: what is
    done to training images.
    """
    folder = Path(path).expanduser()
    if not folder.is_dir():
        raise UserError(f'There is no folder "{folder}" (key "data.path").')
    files = tuple(sorted(f for f in folder.rglob("*") if f.suffix.lower() in SUFFIXES and f.is_file()))
    if not files:
        raise UserError(f'There is no image in "{folder}" (key "data.path"): {", ".join(SUFFIXES)} are read.')
    named = _named_splits(folder, files)
    shape = (image_size, image_size, 3 if colour else 1)
    # Reading every byte at every start would be slow: a file that changed has another time or size.
    stamps = [f"{f.relative_to(folder)} {f.stat().st_size} {f.stat().st_mtime_ns}".encode() for f in files]
    config = FolderConfig(
        name=fingerprint([repr(shape).encode(), *stamps]),
        version="1.0.0",
        path=folder,
        files=files,
        shape=shape,
        class_names=tuple(sorted({_class(folder, f, named) for f in files})),
    )
    builder = local_builder(FolderImages, config, data_dir, examples=len(files))
    splits = image_sources(builder, shape)
    return image_dataset("image_folder", splits, shape, config.class_names, Path(builder.data_dir), augment=augment)
