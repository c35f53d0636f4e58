"""A network that turns images into features, with the hash of its weights.

FID is defined with "inception". A Fréchet distance with another extractor is called FD-<name>, and compares only with
others of that name.
"""

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import BadZipFile

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from aigc_jax.errors import UserError
from aigc_jax.ops.platform import program

Array = jax.Array
BATCH = 64  # images a device
ANY = (32, 32, 3)  # a shape for extractors that take images of any shape


class Answers(NamedTuple):
    """Features and logits of N images."""

    features: np.ndarray  # float32 [N, D]
    logits: np.ndarray  # float32 [N, classes]


@dataclass(frozen=True, eq=False)
class Extractor:
    """A network with its weights."""

    name: str
    sha256: str  # of its weights: `weights_sha256`
    shape: tuple[int, int, int] | None  # of the images that it takes (H, W, C); None = any size, grey or colour
    pixels: str  # what becomes of them before its first layer
    apply: Callable[[Any, Array], tuple[Array, Array]]
    """(variables, images float32 [B, H, W, C] in 0 … 255) -> (features [B, D], logits [B, classes]); traceable."""
    variables: Any
    batch: int = 0  # images that a device takes at a time; 0 = BATCH

    @property
    def distance(self) -> str:
        """The name of a Fréchet distance over its features."""
        return "FID" if self.name == "inception" else f"FD-{self.name}"

    @cached_property
    def width(self) -> int:
        """D, the features of an image."""
        image = jax.ShapeDtypeStruct((1, *(self.shape or ANY)), jnp.float32)
        width: int = jax.eval_shape(self.apply, self.variables, image)[0].shape[-1]
        return width

    @cached_property
    def _rows(self) -> NamedSharding:
        """Images are split over all of this process's devices."""
        mesh = Mesh(np.array(jax.local_devices()), ("data",), axis_types=(AxisType.Auto,))
        return NamedSharding(mesh, PartitionSpec("data"))

    @cached_property
    def _compiled(self) -> Callable[[np.ndarray], tuple[Array, Array]]:
        variables = jax.device_put(self.variables, NamedSharding(self._rows.mesh, PartitionSpec()))

        def answer(variables: Any, images: Array) -> tuple[Array, Array]:
            with jax.default_matmul_precision("highest"):  # lower precisions give other features
                return self.apply(variables, images.astype(jnp.float32))

        compiled = program(answer, out_shardings=self._rows)
        return lambda images: compiled(variables, jax.device_put(images, self._rows))

    def __call__(self, images: np.ndarray) -> Answers:
        """Of images [N, H, W, C], uint8 or float in 0 … 255. Raises UserError for images that it does not take."""
        checked(images, self.shape, self.name)
        devices = len(self._rows.device_set)
        size = min(self.batch or BATCH, -(-len(images) // devices)) * devices
        parts = [jax.device_get(self._compiled(batch)) for batch in _padded(images, size)]
        found = Answers(*(np.concatenate(each)[: len(images)] for each in zip(*parts, strict=True)))
        if not np.isfinite(found.features).all():
            raise UserError(f'Features of the extractor "{self.name}" are not finite: its weights are damaged.')
        return found


def for_large_images() -> int:
    """The batch of a network for large images: 1 on a CPU, whose cache more activations would exceed.

    Inception's features of 32 × 32 images took 1.6 times as long on two cores with batches of 64.
    """
    return 1 if jax.default_backend() == "cpu" else 0


def weights_sha256(weights: Mapping[str, np.ndarray]) -> str:
    """SHA-256 of names, shapes, dtypes and values, independent of the file format."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        array = np.ascontiguousarray(weights[name])
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def remembered(using: Extractor, images: np.ndarray, cache: Path | None) -> Answers:
    """using(images), cached in a folder by the hashes of weights and pixels. cache: None = no cache."""
    if cache is None:
        return using(images)
    key = hashlib.sha256(f"{using.sha256} {using.pixels} {images.dtype.str} {images.shape}\n".encode())
    key.update(np.ascontiguousarray(images).tobytes())
    path = cache / f"{using.name}_{key.hexdigest()[:32]}.npz"
    absent = OSError, ValueError, KeyError, EOFError, BadZipFile  # or cut short
    with suppress(*absent), np.load(path, allow_pickle=False) as found:
        return Answers(found["features"], found["logits"])
    answers = using(images)
    part = path.with_suffix(f".{os.getpid()}.npz")
    try:
        cache.mkdir(mode=0o700, parents=True, exist_ok=True)
        np.savez(part, **answers._asdict())
        part.replace(path)
    except OSError:  # on a full or read-only disk nothing is cached
        with suppress(OSError):
            part.unlink()
    return answers


def checked(images: np.ndarray, shape: tuple[int, int, int] | None, name: str) -> None:
    """Raises UserError for anything but finite images in 0 … 255 of the shape that the extractor of this name takes."""
    if images.ndim != 4 or images.shape[-1] not in (1, 3) or not images.size:
        raise UserError(f"Images have to be [N, H, W, 1 or 3], and are {list(images.shape)}.")
    if shape and images.shape[1:] != shape:
        height, width, channels = shape
        colour = "grey" if channels == 1 else "colour"
        raise UserError(
            f'The extractor "{name}" takes {colour} images of {height} × {width}, and these are '
            f'{list(images.shape[1:])}: choose one that takes images of any size, such as "inception".'
        )
    if images.dtype != np.uint8:
        wrong = np.flatnonzero(~np.isfinite(images).all((1, 2, 3)))
        if len(wrong):
            raise UserError(
                f"{len(wrong)} of {len(images)} images hold NaN or infinity, the first is number {wrong[0]}."
            )
        if images.min() < 0 or images.max() > 255:
            raise UserError(f"Pixels have to be in 0 … 255, and are in {images.min():.4g} … {images.max():.4g}.")


def _padded(images: np.ndarray, size: int) -> Iterator[np.ndarray]:
    """Batches of `size` images each, the last one filled with copies of its first."""
    for start in range(0, len(images), size):
        batch = images[start : start + size]
        yield np.concatenate([batch, np.repeat(batch[:1], size - len(batch), 0)])
