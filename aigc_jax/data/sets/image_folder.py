"""A folder of images of one's own.

    images/cats/1.jpg                 each subfolder is a class; a folder without subfolders is one class
    images/train/cats/1.jpg           subfolders named train, validation and test are the splits

Splits are also found as Train, training, train_set, train2017, val, valid, dev, eval, TEST, testing, …. Without such
names images are split by their content, about 90 / 5 / 5. What cannot be told apart is refused: splits among classes,
splits within classes, images beside classes. Files are read as `data/pictures.py` says, whatever the case of their
suffix; hidden files and other files are passed over. Images are cropped to their central square and resized.
"""

import os
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import tensorflow_datasets as tfds

from aigc_jax.data.dataset import DataSet, Source
from aigc_jax.data.fields.pixels import Augment
from aigc_jax.data.files import counted, listed, passed_over, printable, some
from aigc_jax.data.grid import png
from aigc_jax.data.images import image_dataset
from aigc_jax.data.pictures import SUFFIXES, Picture, read_all, survey
from aigc_jax.data.splits import SPLITS, split_of
from aigc_jax.data.store import LocalInfo, folder_name, image_sources, local_builder, split_by_content
from aigc_jax.errors import UserError
from aigc_jax.places import expanded
from aigc_jax.ranges import between

VERSION = "2.0.0"  # of the rules by which files become pixels, splits and classes
LARGEST = 8192  # side in pixels: no network here takes more, and one larger picture can fill a memory
Side = Annotated[int, between(1, LARGEST)]
UNREAD = {
    "heic": "convert them to JPEG or PNG (the package pillow-heif reads them)",
    "heif": "convert them to JPEG or PNG (the package pillow-heif reads them)",
    "npy": "write the arrays as PNG files",
    "npz": 'write the arrays as PNG files ("aigc_jax unpack FILE FOLDER" does)',
    "zip": "unpack them",
    "tar": "unpack them",
    "gz": "unpack them",
}  # suffix of files that people have instead of images -> what to do
LISTED = 12  # classes whose counts a line gives


class Image(NamedTuple):
    """A file and its place."""

    path: Path
    split: str  # "" = decided by content
    label: str


@dataclass
class FolderConfig(tfds.core.BuilderConfig):
    """Which images, and how large they become."""

    images: tuple[Image, ...] = ()
    shape: tuple[int, int, int] = (0, 0, 0)
    class_names: tuple[str, ...] = ()


class FolderImages(tfds.core.GeneratorBasedBuilder):
    """The images of a folder, square and of one size."""

    VERSION = tfds.core.Version(VERSION)

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
            metadata=tfds.core.MetadataDict(),
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Iterator]:
        images = self.builder_config.images
        found = survey([image.path for image in images])
        if images[0].split:
            groups = {split: [i for i, image in enumerate(images) if image.split == split] for split in SPLITS}
        else:
            groups = split_by_content(found.digests)
        members = {split: {found.digests[i] for i in numbers} for split, numbers in groups.items()}
        self.info.metadata.update(
            white=found.white,
            repeated=len(images) - len(set(found.digests)),
            leaked=sum(len(members["train"] & members.get(split, set())) for split in ("validation", "test")),
        )
        return {
            split: self._generate_examples([images[i] for i in numbers], found.white)
            for split, numbers in groups.items()
            if numbers
        }

    def _generate_examples(self, images: Sequence[Image], white: int) -> Iterator[tuple[int, dict[str, Any]]]:
        size, _, channels = self.builder_config.shape
        pictures = read_all([image.path for image in images], size, channels, white)
        for key, (image, picture) in enumerate(zip(images, pictures, strict=True)):
            _count(self.info.metadata, picture, size)
            yield key, {"image": png(picture.pixels), "label": image.label}


def _count(counts: dict[str, Any], picture: Picture, size: int) -> None:
    """Adds a file to what is kept beside the prepared set, to be said at every start."""
    sides = sorted((picture.width, picture.height))
    counts["shortest"] = min(counts.get("shortest", sides[0]), sides[0])
    counts["longest"] = max(counts.get("longest", sides[1]), sides[1])
    facts = dict(
        resized=sides != [size, size],
        cropped=sides[0] != sides[1],
        enlarged=sides[0] < size,
        grey=picture.grey,
        colour=not picture.grey,
        transparent=picture.transparent,
        deep=picture.deep,
        animated=picture.animated,
    )
    for name, holds in facts.items():
        counts[name] = counts.get(name, 0) + int(holds)


def arrange(folder: Path, files: Sequence[Path], others: Sequence[Path]) -> tuple[list[Image], list[str]]:
    """(the images with their splits and classes, what there is to say about the layout).

    others: files that are no images. Raises UserError where folders are neither splits nor classes, and where nothing
    is left to train on.
    """
    where = f'"{printable(folder)}" (key "data.path")'
    parts = {file: file.relative_to(folder).parts for file in files}
    splits = _splits(where, folder, parts.values())
    deep = 1 if splits else 0  # where the names of classes stand
    kept = {file: names for file, names in parts.items() if len(names) > deep}
    classes = {_class(names[deep]) for names in kept.values() if len(names) > deep + 1}
    loose = ["/".join(names) for names in kept.values() if len(names) == deep + 1]
    if classes and loose:
        raise UserError(
            f"{where} holds images beside the folders of its classes ({some(sorted(classes))}): {some(loose)}. "
            "Move these into a class or elsewhere."
        )
    images = [
        Image(file, splits[names[0]] if splits else "", _class(names[deep]) if classes else "image")
        for file, names in kept.items()
    ]
    said = _said(splits, images)
    if stray := ["/".join(names) for file, names in parts.items() if file not in kept]:
        said.append(f"Left out, beside the folders of the splits: {some(stray)}.")
    held, seen = (
        {names[:depth] for names in found for depth in range(min(deep + 2, len(names)))}
        for found in (kept.values(), (file.relative_to(folder).parts for file in others))
    )
    if bare := sorted("/".join(names) for names in seen - held if names[:-1] in held):
        said.append(f"Folders without images: {some(bare)}.")
    return images, said


def _splits(where: str, folder: Path, found: Collection[tuple[str, ...]]) -> dict[str, str]:
    """Folder at the top -> its split; none where the folders there are classes. found: the files' parts."""
    tops = sorted({names[0] for names in found if len(names) > 1}, key=os.fsencode)
    splits = {top: split for split in SPLITS for top in tops if split_of(top) == split}
    if not splits:
        inner = sorted({"/".join(names[:2]) for names in found if len(names) > 2 and split_of(names[1])})
        if inner:
            wrapped = f'give "{printable(folder / tops[0])}" as the path'
            remedy = wrapped if len(tops) == 1 else "put the splits outside and the classes inside them"
            raise UserError(f"{where} holds its splits inside other folders ({some(inner)}): {remedy}.")
        return {}
    if len(splits) < len(tops):
        raise UserError(
            f"{where} holds folders of splits ({some(splits)}) beside others "
            f"({some(top for top in tops if top not in splits)}): move the others out or into the splits, "
            "or, if all are classes, put them together into a folder named train."
        )
    twice = [top for top in splits if list(splits.values()).count(splits[top]) > 1]
    if twice:
        raise UserError(f"{where} holds one split under several names ({some(twice)}): put them into one folder.")
    if "train" not in splits.values():
        raise UserError(f"{where} holds the splits {some(splits)} and nothing to train on: add a folder named train.")
    return splits


def _class(name: str) -> str:
    """A folder's name as a class's: one line that can be printed and stored, equal on all systems."""
    text = unicodedata.normalize("NFC", printable(name))
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text).strip() or "_"


def overview(folder: Path, images: Sequence[Image], splits: Mapping[str, Source]) -> str:
    """How many images there are, of which classes, in which splits."""
    classes = Counter(image.label for image in images)
    if len(classes) > LISTED:
        told = f" of {len(classes)} classes, with {min(classes.values()):,} to {max(classes.values()):,} each"
    elif len(classes) > 1:
        told = f" ({', '.join(f'{label} {classes[label]:,}' for label in sorted(classes))})"
    else:
        told = ""
    manner = "split by folders" if images[0].split else "split by content, as no folders are named train and test"
    counts = ", ".join(f"{split} {len(splits[split]):,}" for split in SPLITS if split in splits)
    return f"Read from {printable(folder)}: {counted(len(images), 'image')}{told}; {manner}: {counts}."


def _said(splits: Mapping[str, str], images: Sequence[Image]) -> list[str]:
    said = []
    if renamed := [f"{printable(top)} as {split}" for top, split in splits.items() if top != split]:
        said.append(f"Folders taken as splits: {', '.join(renamed)}.")
    for split in splits.values() if len(splits) > 1 else ():
        other = {image.label for image in images if image.split != split}
        if alone := {image.label for image in images if image.split == split} - other:
            said.append(f"Classes in the split {split} alone: {some(sorted(alone))}.")
    return said


def notes(counts: Mapping[str, Any], size: int, colour: bool) -> list[str]:
    """What was made of the files, from what `_count` counted."""
    said = []
    if counts["resized"]:
        shortest, longest = counts["shortest"], counts["longest"]
        sides = f"{shortest} pixels" if shortest == longest else f"{shortest} to {longest} pixels"
        parts = [f"Resized to {size} × {size}: {counted(counts['resized'], 'image')}, with sides of {sides}"]
        parts += [f"{counts['cropped']:,} cropped to their central square"] if counts["cropped"] else []
        parts += [f"{counts['enlarged']:,} enlarged"] if counts["enlarged"] else []
        said.append(f"{', '.join(parts)}.")
    for name, line in (
        ("grey" if colour else "colour", "Grey, given as colour" if colour else "Coloured, turned to grey"),
        ("transparent", "Transparent, laid on white"),
        ("deep", f"Of more than 8 bits, with {counts['white']} as white, or floats from 0 to 1"),
        ("animated", "Of several frames or pages, of which the first is taken"),
        ("repeated", "Repeated, byte for byte"),
        ("leaked", "Of validation and test, also in train"),
    ):
        if counts[name]:
            said.append(f"{line}: {counted(counts[name], 'image')}.")
    return said


def load(*, data_dir: Path, path: str, image_size: Side, colour: bool, augment: tuple[Augment, ...]) -> DataSet:
    """The folder's images.

    path: the folder; image_size: side of the squares; colour: RGB, else grey; augment: what is
    done to training images.
    """
    folder = expanded(path)
    if not folder.is_dir():
        remedy = "give the folder that holds it, unpacked" if folder.is_file() else "check the path"
        raise UserError(f'There is no folder "{printable(folder.absolute())}" (key "data.path"): {remedy}.')
    files, others = listed(folder, SUFFIXES)
    suffixes = Counter(file.suffix.lower().removeprefix(".") or printable(file.name) for file in others)
    if not files:
        raise UserError(_none(folder, suffixes))
    images, said = arrange(folder, files, others)
    if others:
        said.append(passed_over(suffixes))
    shape = (image_size, image_size, 3 if colour else 1)
    builder = local_builder(FolderImages, _config(folder, images, shape), data_dir, examples=len(images))
    splits = image_sources(builder, shape)
    class_names = builder.builder_config.class_names
    arrays = splits["train"].arrays
    if arrays is not None and not images[0].split:  # drawn by content, a class of few images may be elsewhere
        untrained = [name for label, name in enumerate(class_names) if label not in arrays["label"]]
        said += [f"Classes of which no image is in train: {some(untrained)}."] if untrained else []
    said = [overview(folder, images, splits), *said, *notes(builder.info.metadata, image_size, colour)]
    return image_dataset(
        "image_folder", splits, shape, class_names, Path(builder.data_dir), augment=augment, notes=tuple(said)
    )


def _config(folder: Path, images: Sequence[Image], shape: tuple[int, int, int]) -> FolderConfig:
    # Reading every byte at every start would be slow: a file that changed has another time or size.
    parts = [repr(shape).encode()]
    for image in images:
        found = image.path.stat()
        parts.append(os.fsencode(image.path.relative_to(folder)))
        parts.append(f"{found.st_size} {found.st_mtime_ns} {image.split} {image.label}".encode())
    return FolderConfig(
        name=folder_name(parts),
        version=VERSION,
        images=tuple(images),
        shape=shape,
        class_names=tuple(sorted({image.label for image in images})),
    )


def _none(folder: Path, suffixes: Counter[str]) -> str:
    known = ", ".join(sorted(suffix.removeprefix(".") for suffix in SUFFIXES))
    line = f'There is no image in "{printable(folder)}" (key "data.path")'
    for suffix, count in suffixes.most_common():
        if suffix in UNREAD:
            return f"{line}, but {counted(count, f'.{suffix} file')}: {UNREAD[suffix]}."
    return f"{line}: {known} are read."
