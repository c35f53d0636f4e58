"""Loads samples from files: images in folders or NumPy arrays, texts in lines."""

import json
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from aigc_jax.data.files import listed, printable
from aigc_jax.data.pictures import SUFFIXES, read_all, survey
from aigc_jax.data.plain_text import decoded
from aigc_jax.errors import ConfigError, UserError


def load_images(path: Path, size: int, grey: bool) -> np.ndarray:
    """uint8 [N, H, W, C], in the order of the files' names.

    path: a folder of images, with its subfolders, read by the rules of `data/pictures.py`, or a .npy or .npz file of
    uint8 [N, H, W, C].
    size: of the side that images are cut and resized to; 0 = they have one size. grey: C is 1, else 3.
    Raises UserError, naming the file that is damaged or does not fit.
    """
    if size < 0:
        raise ConfigError(f"--size={size} is no side of an image: give a number of pixels, or 0.")
    if path.is_dir():
        return _folder(path, size, grey)
    array, channels = load_array(path), 1 if grey else 3
    if array.shape[-1] != channels:
        raise UserError(
            f"{path} holds images {list(array.shape)}, and [N, H, W, {channels}] is needed: "
            f"{'leave --grey out' if grey else 'give --grey'}, or convert it."
        )
    return array


def load_texts(path: Path, paired: bool = False) -> np.ndarray:
    """Strings [N], of a file with a text a line, or of a .jsonl file with {"text": …} a line.

    paired: empty texts are kept, since each stands at the place of another file's; else they are left out.
    Raises UserError, naming the line that is damaged, and for a file without a text.
    """
    content = decoded(path)[0].replace("\r\n", "\n")
    lines = content.removesuffix("\n").split("\n")  # other line separators may be part of a text
    texts = []
    for number, line in enumerate(lines, 1):
        if path.suffix == ".jsonl" and line:
            try:
                line = json.loads(line)["text"]
                if not isinstance(line, str):
                    raise TypeError(f"{line!r} is no text")
            except (ValueError, KeyError, TypeError, RecursionError) as error:
                raise UserError(f'{path}, line {number}, holds no {{"text": …}} ({error!r}): mend it.') from error
        if line or paired:
            texts.append(line)
    if not any(texts):
        raise UserError(f"There is no text in {path}: give a file that holds some.")
    return np.array(texts)


def images(folder: Path) -> list[Path]:
    """The image files of a folder and its subfolders, in the order of their names. Raises UserError for none."""
    files = listed(folder, SUFFIXES).files
    if not files:
        raise UserError(f"There are no images in {printable(folder)}: give a folder that holds some.")
    return list(files)


def _folder(path: Path, size: int, grey: bool) -> np.ndarray:
    files = images(path)
    found: list[np.ndarray] = []
    for file, picture in zip(files, read_all(files, size, 1 if grey else 3, survey(files).white), strict=True):
        image = picture.pixels
        if found and image.shape != found[0].shape:
            raise UserError(
                f"{printable(file)} is {image.shape[1]} × {image.shape[0]} and {printable(files[0])} is "
                f"{found[0].shape[1]} × {found[0].shape[0]}: give --size to bring them to one."
            )
        found.append(image)
    return np.stack(found)


def load_array(path: Path) -> np.ndarray:
    """uint8 [N, H, W, C] of a .npy or .npz file. Raises UserError, naming the file."""
    if path.suffix.lower() not in (".npy", ".npz"):
        raise UserError(f"{path} is neither a folder of images nor a .npy or .npz file: check the path.")
    try:
        found = np.load(path, allow_pickle=False)
        if isinstance(found, np.lib.npyio.NpzFile):
            array = found["image" if "image" in found.files else found.files[0]]
        else:
            array = found
    except (OSError, ValueError, EOFError, IndexError, BadZipFile) as error:
        raise UserError(f"{path} cannot be read as an array of images ({error}): repair it.") from error
    if array.dtype != np.uint8 or array.ndim != 4 or array.shape[-1] not in (1, 3) or not array.size:
        raise UserError(f"{path} holds {array.dtype} {list(array.shape)}, and uint8 [N, H, W, 1 or 3] is needed.")
    return array
