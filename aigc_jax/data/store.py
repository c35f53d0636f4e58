"""Data sets on disk: prepared once by TFDS as ArrayRecord, then held in memory or streamed.

A prepared data set keeps beside its records the decoded arrays of its splits, so that a later
start maps files instead of decoding them. TensorFlow is not needed for any of this.
"""

import fcntl
import hashlib
import io
import os
import shutil
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext, redirect_stdout, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from absl import logging as absl_logging
from PIL import Image

from aigc_jax.data.dataset import ArraySource, Source
from aigc_jax.data.pictures import FULL, fit, levels
from aigc_jax.errors import UserError

SMALL = 512 * 2**20  # bytes: splits that are smaller when decoded, taken together, are held in memory
WORKERS = min(16, os.cpu_count() or 1)  # threads that decode images
LONG = 20_000  # examples: more than these take long enough to prepare to show progress
DECODING = 2  # of the rules by which stored images become arrays: other rules, other arrays
CHUNK = 1024  # examples decoded at a time when filling memory


class LocalInfo(tfds.core.DatasetInfo):
    """The facts of a data set made from local files, about which TFDS's servers are not asked."""

    def initialize_from_bucket(self) -> None:
        """Does nothing: the bucket of public data sets cannot know this one."""


def local_builder(cls: type, config: Any, data_dir: Path, *, examples: int = 0) -> Any:
    """The builder of one of our data sets, prepared if it was not.

    config: a BuilderConfig or None; examples: about how many, so that long preparations show their progress.
    """
    with quiet():
        builder = cls(data_dir=os.fspath(data_dir), config=config, file_format="array_record")
    return prepared(builder, progress=examples > LONG)


def prepared(builder: Any, progress: bool = False) -> Any:
    """The same builder, its records on disk. One process prepares while others wait.

    progress: show TFDS's bars, for what takes minutes.
    Raises UserError where the folder cannot be written or the files are damaged.
    """
    folder = Path(builder.data_dir)
    try:
        if not is_prepared(folder):
            with _locked(folder), nullcontext() if progress else quiet():
                if not is_prepared(folder):  # another process may have been faster
                    builder.download_and_prepare()
    except OSError as error:
        reason = error.strerror or error
        raise UserError(f"Cannot prepare {builder.name} in {folder} ({reason}): choose another --data_dir.") from error
    if not builder.info.splits:  # that process was, after this builder looked
        builder.info.read_from_directory(builder.data_dir)
    return builder


def is_prepared(folder: Path) -> bool:
    """Whether TFDS finished a data set in this folder: it moves a finished folder into place."""
    return (folder / "dataset_info.json").is_file()


@contextmanager
def quiet() -> Iterator[None]:
    """Without TFDS's progress bars, which it also prints its messages with, and absl's warnings."""
    verbosity = absl_logging.get_verbosity()
    absl_logging.set_verbosity(absl_logging.ERROR)
    tfds.disable_progress_bar()
    try:
        with open(os.devnull, "w", encoding="utf-8", errors="replace") as nowhere, redirect_stdout(nowhere):
            yield
    finally:
        tfds.enable_progress_bar()
        absl_logging.set_verbosity(verbosity)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Holds the lock of a data set's folder, for processes that share the disk."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / f".{folder.name}.lock").open("w") as file:
        with suppress(OSError):  # a file system without locks, as clusters have: what is finished is moved into place
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def cached(folder: Path, keys: Collection[str], make: Callable[[], Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """The arrays `make()` gives, kept in `folder` as one .npy a key and mapped from there later.

    A folder that lacks a key or holds a damaged file is made again.
    """
    found = _all_mapped(folder, keys)
    if found is not None:
        return found
    arrays: dict[str, np.ndarray] = {}
    try:
        with _locked(folder):
            found = _all_mapped(folder, keys)  # another process may have been faster
            if found is not None:
                return found
            arrays = dict(make())
            _replace(folder, arrays)
    except OSError:  # a full or read-only disk costs the next start some time, and nothing else
        return arrays or dict(make())
    return _all_mapped(folder, keys) or arrays


def _all_mapped(folder: Path, keys: Collection[str]) -> dict[str, np.ndarray] | None:
    try:
        return {key: _mapped(folder / f"{key}.npy") for key in keys}
    except (OSError, ValueError, EOFError):  # missing, cut short, or no .npy at all
        return None


def _mapped(path: Path) -> np.ndarray:
    return np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))


def _replace(folder: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Writes the arrays aside and moves them into place: a process that is killed leaves no half of them."""
    fresh = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        for key, array in arrays.items():
            np.save(fresh / f"{key}.npy", array, allow_pickle=False)
        fresh.chmod(0o755)
        shutil.rmtree(folder, ignore_errors=True)
        fresh.rename(folder)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


@dataclass(frozen=True)
class StreamingSource:
    """A split read from disk, decoded by threads. records: a TFDS data source with images still encoded."""

    records: Any
    decode: Callable[[Mapping[str, Any]], dict[str, np.ndarray]]
    arrays: None = None

    @cached_property
    def _pool(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(WORKERS, thread_name_prefix="decode")

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, indices: np.ndarray) -> dict[str, np.ndarray]:
        parts = [part.tolist() for part in np.array_split(indices, min(WORKERS, max(1, len(indices))))]
        rows = [row for part in self._pool.map(self._read, parts) for row in part]
        return {key: np.stack([row[key] for row in rows]) for key in rows[0]}

    def _read(self, numbers: list[int]) -> list[dict[str, np.ndarray]]:
        return [self.decode(record) for record in self.records.__getitems__(numbers)]


def image_sources(
    builder: Any, shape: tuple[int, int, int], *, image: str = "image", label: str | None = "label", size: int = 0
) -> dict[str, Source]:
    """Split -> source of {"image": uint8 [n, H, W, C], "label": int32 [n]}, in memory if small.

    shape: (H, W, C) as given out; image, label: the builder's features (label None = all 0);
    size: the side to which images are cropped and resized; 0 = as stored.
    """

    def decode(record: Mapping[str, Any]) -> dict[str, np.ndarray]:
        with Image.open(io.BytesIO(record[image])) as picture:
            pixels = fit(levels(picture, FULL), size, shape[-1])
        return {"image": pixels, "label": np.array(record[label] if label else 0, np.int32)}

    def decode_labelled(record: Mapping[str, Any]) -> dict[str, np.ndarray]:
        example = decode(record)
        if example["label"] < 0:
            raise UserError(f'{builder.name} holds images without a label (-1): set data.label="" to read them.')
        return example

    features = builder.info.features  # other images would be decoded in vain, and not all can be without OpenCV
    images = [key for key, feature in features.items() if isinstance(feature, tfds.features.Image)]
    encoded = {key: tfds.decode.SkipDecoding() for key in images}
    streams = {
        split: StreamingSource(builder.as_data_source(split, decoders=encoded), decode)
        for split, info in builder.info.splits.items()
        if info.num_examples
    }
    if sum(map(len, streams.values())) * int(np.prod(shape)) > SMALL:
        return {split: StreamingSource(stream.records, decode_labelled) for split, stream in streams.items()}

    def make() -> dict[str, np.ndarray]:
        return {f"{split}.{key}": array for split, stream in streams.items() for key, array in _all(stream).items()}

    keys = [f"{split}.{key}" for split in streams for key in ("image", "label")]
    read = folder_name([repr((image, label, size, DECODING)).encode()])
    arrays = cached(Path(builder.data_dir) / f"arrays_{'x'.join(map(str, shape))}_{read}", keys, make)
    return {split: ArraySource({key: arrays[f"{split}.{key}"] for key in ("image", "label")}) for split in streams}


def _all(source: Source) -> dict[str, np.ndarray]:
    parts = [source[np.arange(i, min(i + CHUNK, len(source)))] for i in range(0, len(source), CHUNK)]
    return {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}


def folder_name(parts: Sequence[bytes]) -> str:
    """A short name of some content, which tells apart folders prepared under one data_dir."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    return digest.hexdigest()[:16]


def split_by_content(digests: Sequence[bytes], share: float = 0.05) -> dict[str, list[int]]:
    """Numbers of the examples in train, validation and test, decided by their content alone.

    digests: a hash of each example. Sorted, the first `share` of the different ones is the test
    split, the next `share` validation (each at least one while there are three), so that
    duplicates fall on one side and neither order nor file names matter.
    """
    ranked = sorted(set(digests))
    held = max(1, round(share * len(ranked))) if len(ranked) >= 3 else 0
    parts = {"test": ranked[:held], "validation": ranked[held : 2 * held], "train": ranked[2 * held :]}
    place = {digest: split for split, members in parts.items() for digest in members}
    splits: dict[str, list[int]] = {"train": [], "validation": [], "test": []}
    for i, digest in enumerate(digests):
        splits[place[digest]].append(i)
    return {split: numbers for split, numbers in splits.items() if numbers}
