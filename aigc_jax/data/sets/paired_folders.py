"""Two folders of images of one's own that belong together by their names, such as maps and aerial photographs.

    images/maps/1.png      images/photographs/1.jpg            a pair: fields `maps` and `photographs`
    images/maps/train/1.png    images/photographs/train/1.jpg  with splits, in both folders alike

Folders are read as `image_folder` reads them. Without splits pairs are split by their content, about 90 / 5 / 5.
Images without a partner are left out, and said. Each image is cropped to its central square and resized: partners
should have the same proportions.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import tensorflow_datasets as tfds

from aigc_jax.data.dataset import DataSet, Field
from aigc_jax.data.fields.pixels import Augment, Pixels
from aigc_jax.data.files import counted, listed, printable, some
from aigc_jax.data.grid import png
from aigc_jax.data.images import columns, kinds_of
from aigc_jax.data.pictures import SUFFIXES, read_all, survey
from aigc_jax.data.sets.image_folder import VERSION, Image, Side, arrange
from aigc_jax.data.splits import SPLITS
from aigc_jax.data.store import LocalInfo, folder_name, local_builder, split_by_content
from aigc_jax.errors import UserError


class Pair(NamedTuple):
    """Two files that belong together."""

    name: str  # of both, without splits and suffix
    split: str  # "" = decided by content
    files: tuple[Path, Path]


@dataclass
class PairedConfig(tfds.core.BuilderConfig):
    """Which pairs, and how large they become."""

    kinds: tuple[str, ...] = ()
    pairs: tuple[Pair, ...] = ()
    shape: tuple[int, int, int] = (0, 0, 0)


class PairedImages(tfds.core.GeneratorBasedBuilder):
    """Pairs of images, square and of one size."""

    VERSION = tfds.core.Version(VERSION)

    def _info(self) -> tfds.core.DatasetInfo:
        config = self.builder_config
        return LocalInfo(
            builder=self,
            description=f"Pairs of images of two folders, resized to {config.shape[0]} pixels.",
            features=tfds.features.FeaturesDict(dict.fromkeys(config.kinds, tfds.features.Image(shape=config.shape))),
            disable_shuffling=True,
            license="that of the images; not known here",
            metadata=tfds.core.MetadataDict(),
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Iterator]:
        pairs = self.builder_config.pairs
        first, second = (survey([pair.files[i] for pair in pairs]) for i in (0, 1))
        if pairs[0].split:
            groups = {split: [i for i, pair in enumerate(pairs) if pair.split == split] for split in SPLITS}
        else:  # by the first image: partners of one that repeats stay together
            groups = split_by_content(first.digests)
        self.info.metadata.update(differ=0)
        whites = first.white, second.white
        return {
            split: self._generate_examples([pairs[i] for i in numbers], whites)
            for split, numbers in groups.items()
            if numbers
        }

    def _generate_examples(
        self, pairs: Sequence[Pair], whites: tuple[int, int]
    ) -> Iterator[tuple[int, dict[str, Any]]]:
        kinds, (size, _, channels) = self.builder_config.kinds, self.builder_config.shape
        one, other = (read_all([pair.files[i] for pair in pairs], size, channels, whites[i]) for i in (0, 1))
        for key, pictures in enumerate(zip(one, other, strict=True)):
            first, second = pictures
            self.info.metadata["differ"] += int(first.width * second.height != second.width * first.height)
            yield key, {kind: png(picture.pixels) for kind, picture in zip(kinds, pictures, strict=True)}


def matched(folders: Mapping[str, Path]) -> tuple[list[Pair], list[str]]:
    """(the pairs of two folders by their files' names without suffix, what there is to say).

    Raises UserError where nothing matches, or one name has several files in a folder.
    """
    sides: list[dict[tuple[str, str], Path]] = []
    for folder in folders.values():
        files, others = listed(folder, SUFFIXES)
        if not files:
            raise UserError(f'There is no image in "{printable(folder)}" (keys "data.path" and "data.kinds").')
        images, _ = arrange(folder, files, others)
        named: dict[tuple[str, str], Path] = {}
        for image in images:
            place = _place(folder, image)
            if place in named:
                raise UserError(f"{printable(named[place])} and {printable(image.path)} have one name: rename one.")
            named[place] = image.path
        sides.append(named)
    one, other = sides
    pairs = [
        Pair(name, split, (path, other[split, name])) for (split, name), path in one.items() if (split, name) in other
    ]
    if not pairs:
        names = " and ".join(
            f"{kind} ({some(name for _, name in side)})" for kind, side in zip(folders, sides, strict=True)
        )
        raise UserError(f"No two images of {names} have one name: name those that belong together alike.")
    alone = [path for side, rest in ((one, other), (other, one)) for place, path in side.items() if place not in rest]
    return pairs, [f"Left out, without a partner: {counted(len(alone), 'image')} ({some(alone)})."] if alone else []


def _place(folder: Path, image: Image) -> tuple[str, str]:
    """(split, name): the path below the folder of the split, without suffix."""
    parts = image.path.relative_to(folder).with_suffix("").parts
    return image.split, "/".join(parts[1:] if image.split else parts)


def load(
    *,
    data_dir: Path,
    path: str,
    kinds: tuple[str, str],
    image_size: Side,
    colour: bool,
    augment: tuple[Augment, ...],
) -> DataSet:
    """The pairs: a field for each of the two folders, of which the second is made from the first.

    path: the folder that holds both; kinds: their names; image_size: side of the squares; colour: RGB, else grey;
    augment: what is done to training pairs.
    """
    folders = kinds_of(path, kinds)
    pairs, said = matched(folders)
    shape = (image_size, image_size, 3 if colour else 1)
    builder = local_builder(PairedImages, _config(kinds, pairs, shape), data_dir, examples=len(pairs))
    splits = columns(builder, kinds, shape)
    manner = "folders" if pairs[0].split else "content"
    counts = ", ".join(f"{split} {len(splits[split]):,}" for split in SPLITS if split in splits)
    notes = [f"Read: {counted(len(pairs), 'pair')} of {' and '.join(kinds)}; split by {manner}: {counts}.", *said]
    if differ := builder.info.metadata["differ"]:
        notes.append(f"Partners of different proportions, which may not fit when cropped: {counted(differ, 'pair')}.")
    fields: dict[str, Field] = {kind: Pixels(shape) for kind in kinds}
    folder = Path(builder.data_dir)
    return DataSet("paired_folders", splits, fields, kinds[1], augment, folder, tuple(notes))


def _config(kinds: Sequence[str], pairs: Sequence[Pair], shape: tuple[int, int, int]) -> PairedConfig:
    # As in image_folder: a file that changed has another time or size.
    digest = hashlib.sha256(repr((kinds, shape)).encode())
    for pair in pairs:
        found = [file.stat() for file in pair.files]
        digest.update(repr((pair.name, pair.split, [(each.st_size, each.st_mtime_ns) for each in found])).encode())
    name = folder_name([digest.digest()])
    return PairedConfig(name=name, version=VERSION, kinds=tuple(kinds), pairs=tuple(pairs), shape=shape)
