"""Files that stand in for data sets: random pixels in files of the same kind and shape; and where to put them."""

import atexit
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np


def scratch() -> Path:
    """A folder on the disk of temporary files that is there as long as this process."""
    folder = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def pictures(folder: Path, side: int = 32, colour: bool = True) -> Path:
    """A folder of square PNG pictures: two of each split."""
    from PIL import Image

    for split in ("train", "test"):
        for i in range(2):
            path = folder / split / "any" / f"{i}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            pixels = np.random.RandomState(i).randint(0, 256, (side, side, 3) if colour else (side, side), np.uint8)
            Image.fromarray(pixels).save(path)
    return folder


def of_pictures(section: Mapping[str, Any], folder: Path, side: int = 32, colour: bool = True) -> dict[str, Any]:
    """A configuration's section `data` with `pictures` in place of its own."""
    kept = {key: section[key] for key in ("augment", "batch_size")}
    path = str(pictures(folder, side, colour))
    return {"name": "image_folder", "path": path, "image_size": side, "colour": colour, **kept}


def idx(folder: Path, count: int, side: int = 28) -> Path:
    """A folder of IDX files, as Fashion-MNIST's are: `count` grey images of each split."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.RandomState(0)
    for split in ("train", "t10k"):
        header = b"".join(n.to_bytes(4, "big") for n in (0x803, count, side, side))
        pixels = random.randint(0, 256, (count, side, side), np.uint8)
        (folder / f"{split}-images-idx3-ubyte").write_bytes(header + pixels.tobytes())
        header = b"".join(n.to_bytes(4, "big") for n in (0x801, count))
        labels = (np.arange(count) % 10).astype(np.uint8)
        (folder / f"{split}-labels-idx1-ubyte").write_bytes(header + labels.tobytes())
    return folder
