"""Any image set of TensorFlow Datasets, by its name there: cifar10, oxford_flowers102, ...

A prepared set needs neither network nor TensorFlow. Preparing one that has to be fetched needs
a network, which is tried first: TFDS itself waits for minutes. A set whose files lie in
<data_dir>/downloads/manual is prepared from them. Of several images or labels the configuration
names which.
"""

import socket
import threading
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import tensorflow_datasets as tfds

from aigc_jax.config import nearest
from aigc_jax.data.catalogue import names
from aigc_jax.data.dataset import ArraySource, DataSet, Source
from aigc_jax.data.fields.pixels import Augment
from aigc_jax.data.images import image_dataset
from aigc_jax.data.store import image_sources, is_prepared, prepared, quiet
from aigc_jax.errors import ConfigError, UserError
from aigc_jax.ranges import Count

SERVER = ("storage.googleapis.com", 443)
PATIENCE = 2.0  # seconds to wait for the server: the answer, with the imports before it, is due within 5
FORMAT = "array_record"  # the one format of TFDS with random access and without TensorFlow


def _builder(name: str, data_dir: Path) -> Any:
    try:
        with quiet():
            return tfds.builder(name, data_dir=str(data_dir), file_format=FORMAT)
    except tfds.core.DatasetNotFoundError as error:
        known = [*tfds.list_builders(with_community_datasets=False), *names()]
        raise ConfigError(f'There is no data set "{name}" here or in TFDS.{nearest(name, known)}') from error
    except ImportError as error:
        raise _needs(name, error) from error
    except (ValueError, RuntimeError, AttributeError) as error:  # an unknown version or configuration, another format
        raise UserError(f'TFDS cannot open "{name}" in {data_dir}: {_first_line(error)}') from error


def _needs(name: str, error: ImportError) -> UserError:
    package = "tensorflow" if "tensorflow" in str(error).lower() else error.name or "the package it names"
    return UserError(f'Preparing "{name}" needs {package}: pip install {package} ({_first_line(error)})')


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def connects() -> bool:
    """Whether the server of TFDS, or the proxy that leads there, answers within `PATIENCE`."""
    proxies = urllib.request.getproxies()
    proxy = proxies.get("https") or proxies.get("http")
    address = SERVER
    if proxy and not urllib.request.proxy_bypass(SERVER[0]):
        parts = urlsplit(proxy if "//" in proxy else f"//{proxy}")
        address = (parts.hostname or "", parts.port or 80)
    answered = threading.Event()

    def knock() -> None:
        try:
            socket.create_connection(address, timeout=PATIENCE).close()
            answered.set()
        except OSError:
            pass

    thread = threading.Thread(target=knock, daemon=True)  # looking up a name has no time limit of its own
    thread.start()
    thread.join(PATIENCE)
    return answered.is_set()


def _fetched(builder: Any, manual: Path) -> bool:
    """Whether every file that TFDS would download lies in the folder for files fetched by hand."""
    return all((manual / info.filename).is_file() for info in (builder.url_infos or {}).values())


def _prepare(name: str, builder: Any, data_dir: Path) -> None:
    manual = data_dir / "downloads" / "manual"
    if not _fetched(builder, manual) and not connects():
        raise UserError(
            f'The data set "{name}" is not prepared in {data_dir}, and {SERVER[0]} cannot be reached: run '
            f'"aigc_jax data prepare {name}" on a machine with network and copy {builder.data_dir} here, '
            f"or put its files in {manual}."
        )
    try:
        prepared(builder, progress=True)
    except UserError:
        raise
    except ImportError as error:
        raise _needs(name, error) from error
    except Exception as error:  # a builder may raise anything
        raise UserError(f'TFDS could not prepare "{name}" ({type(error).__name__}: {_first_line(error)}).') from error


def load(
    *,
    data_dir: Path,
    dataset: str,
    image: str,
    label: str,
    image_size: Count,
    pad: Count,
    augment: tuple[Augment, ...],
) -> DataSet:
    """An image set with its own splits.

    dataset: its name, or name/configuration; image, label: the features that hold the image and its class, "" = no
    classes; image_size: side to which images are cropped and resized, 0 = as stored; pad: pixels of black added on
    every side; augment: what is done to training images.
    Where a label is named, images without one (-1) are left out, and said; a set that streams is refused for them.
    """
    builder = _builder(dataset, data_dir)
    features = builder.info.features
    _choose("image", image, dataset, features, tfds.features.Image)
    if label:
        _choose("label", label, dataset, features, tfds.features.ClassLabel)
    height, width, channels = features[image].shape
    if image_size:
        height = width = image_size
    elif None in (height, width):
        raise ConfigError(f'The images of "{dataset}" differ in size: set data.image_size.')
    if not is_prepared(Path(builder.data_dir)):
        _prepare(dataset, builder, data_dir)
    if builder.info.file_format.value != FORMAT:
        raise UserError(
            f"{builder.data_dir} is in the format {builder.info.file_format.value}: prepare it as {FORMAT} "
            f'in another data_dir with "aigc_jax data prepare {dataset} --data_dir=…".'
        )
    shape = (height, width, 1 if channels == 1 else 3)
    found = image_sources(builder, shape, image=image, label=label or None, size=image_size)
    splits, notes = labelled(found)
    class_names = tuple(features[label].names) if label else ("image",)
    folder = Path(builder.data_dir)
    return image_dataset(dataset, splits, shape, class_names, folder, pad=pad, augment=augment, notes=tuple(notes))


def _choose(key: str, wanted: str, name: str, features: Any, kind: type) -> None:
    """Raises where the set has no such feature, or it is of another kind."""
    known = [feature for feature in features if isinstance(features[feature], kind)]
    if wanted not in known:
        choices = ", ".join(f'"{feature}"' for feature in known) or "none"
        without = ', or "" for no classes' if key == "label" else ""
        if not known and key == "image":
            raise UserError(f'The data set "{name}" has no image among its features: {", ".join(features)}.')
        raise ConfigError(f'"{name}" has no {key} "{wanted}" (key "data.{key}"): there are {choices}{without}.')


def labelled(splits: Mapping[str, Source]) -> tuple[dict[str, Source], list[str]]:
    """(the splits without the images whose label is -1, what there is to say about them)."""
    kept: dict[str, Source] = {}
    notes = []
    for split, source in splits.items():
        arrays = source.arrays
        if arrays is not None and (missing := arrays["label"] < 0).any():
            notes.append(
                f"Left out of the split {split}, as without a label (-1): {missing.sum():,} of {len(source):,} "
                'images; data.label="" takes them, without classes.'
            )
            if missing.all():
                continue
            source = ArraySource({key: array[~missing] for key, array in arrays.items()})
        kept[split] = source
    if not kept:
        raise UserError('No image has a label (-1 for all): set data.label="" to read them without classes.')
    return kept, notes
