"""Which character an image shows, by PP-OCRv4's recogniser of printed Chinese (Apache-2.0).

Its network and alphabet are a file of the package rapidocr-onnxruntime, which onnxruntime runs. An image is one
character here: it is enlarged to the recogniser's height, laid in the middle of a short white line, and read as the
character that is most probable anywhere in it. Blanks do not count.
"""

import functools
import hashlib
import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from aigc_jax.errors import UserError, optional

PACKAGE, FILE = "rapidocr_onnxruntime", "models/ch_PP-OCRv4_rec_infer.onnx"
NAME, VERSION = "PP-OCRv4", "rapidocr-onnxruntime==1.4.4"
SHA256 = "48fc40f24f6d2a207a2b1091d3437eb3cc3eb6b676dc3ef9c37384005483683b"
HEIGHT, WIDTH = 48, 64  # of a line in pixels: the network's height
BATCH = 32


class Reader(NamedTuple):
    """Reads images of one character each."""

    alphabet: tuple[str, ...]
    run: Callable[[np.ndarray], np.ndarray]
    """Lines float32 [n, 3, HEIGHT, WIDTH] in [-1, 1] -> probabilities [n, places, 1 + characters]; 0: none of them."""

    def read(self, images: np.ndarray) -> np.ndarray:
        """uint8 [N, H, W, C], dark on light -> the characters, strings [N]."""
        found: list[str] = []
        for start in range(0, len(images), BATCH):
            lines = np.stack([_line(image) for image in images[start : start + BATCH]])
            probable = self.run(np.repeat(lines[:, None], 3, axis=1))[..., 1 : len(self.alphabet) + 1]
            found += [self.alphabet[number] for number in probable.max(1).argmax(-1)]
        return np.array(found, str)


def _line(image: np.ndarray) -> np.ndarray:
    """An image -> float32 [HEIGHT, WIDTH] in [-1, 1]."""
    grey = Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image).convert("L")
    page = Image.new("L", (WIDTH, HEIGHT), 255)
    page.paste(grey.resize((HEIGHT, HEIGHT), Image.Resampling.BICUBIC), ((WIDTH - HEIGHT) // 2, 0))
    return np.asarray(page, np.float32) / 127.5 - 1


@functools.cache
def reader() -> Reader:
    """The recogniser. Raises UserError where a package is missing or of another version."""
    runtime = optional("onnxruntime", "ocr", "The measure ocr")
    found = importlib.util.find_spec(PACKAGE)  # importing it would bring OpenCV
    path = Path((found.submodule_search_locations or [""])[0], FILE) if found else None
    if path is None or not path.is_file():
        raise UserError(f"The measure ocr needs {VERSION}: pip install 'aigc_jax[ocr]'")
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != SHA256:
        raise UserError(f"{path} is another recogniser than that of {VERSION}: pip install {VERSION}")
    session = runtime.InferenceSession(content)
    alphabet = session.get_modelmeta().custom_metadata_map["character"].splitlines()
    return Reader(tuple(alphabet), lambda lines: session.run(None, {"x": lines})[0])
