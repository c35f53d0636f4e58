"""Images that come as files: folders of pictures, or arrays of NumPy."""

from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from PIL import Image

from aigc_jax.data.images import read_image
from aigc_jax.errors import UserError

SUFFIXES = frozenset(Image.registered_extensions())


def read(path: Path, size: int, grey: bool) -> np.ndarray:
    """uint8 [N, H, W, C], in the order of the files' names.

    path: a folder of images, with its subfolders, or a .npy or .npz file of uint8 [N, H, W, C].
    size: of the side that images are cut and resized to; 0 = they have one size. grey: C is 1, else 3.
    Raises UserError, naming the file that is damaged or does not fit.
    """
    if path.is_dir():
        return _folder(path, size, grey)
    if path.suffix in (".npy", ".npz"):
        return _array(path, grey)
    raise UserError(f"{path} is neither a folder of images nor a .npy or .npz file: check the path.")


def _folder(path: Path, size: int, grey: bool) -> np.ndarray:
    files = sorted(file for file in path.rglob("*") if file.suffix.lower() in SUFFIXES)
    if not files:
        raise UserError(f"There are no images in {path}: give a folder that holds some.")
    images: list[np.ndarray] = []
    for file in files:
        image = read_image(file, size, 1 if grey else 3)
        if images and image.shape != images[0].shape:
            raise UserError(
                f"{file} is {image.shape[1]} × {image.shape[0]} and {files[0]} is {images[0].shape[1]} × "
                f"{images[0].shape[0]}: give --size to bring them to one."
            )
        images.append(image)
    return np.stack(images)


def _array(path: Path, grey: bool) -> np.ndarray:
    try:
        found = np.load(path, allow_pickle=False)
        images = found[found.files[0]] if isinstance(found, np.lib.npyio.NpzFile) else found
    except (OSError, ValueError, EOFError, IndexError, BadZipFile) as error:
        raise UserError(f"{path} cannot be read as an array of images ({error}): repair it.") from error
    channels = 1 if grey else 3
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[-1] != channels:
        raise UserError(
            f"{path} holds {images.dtype} {list(images.shape)}, and uint8 [N, H, W, {channels}] is needed: "
            f"{'leave --grey out, or ' if grey else 'give --grey, or '}convert it."
        )
    return images
