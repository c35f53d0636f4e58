"""What is left of images when their colours or details are taken away: nothing is drawn at random.

edges      where an image changes, as dark lines: the largest gradient of its channels (Sobel)
grey       its luminance (ITU-R 601)
small      each block of 4 x 4 pixels as its mean, at the size that it had
quarter    the same with one pixel a block, a quarter of both sides
"""

from collections.abc import Callable, Mapping

import numpy as np
from scipy import ndimage

BLOCK = 4  # pixels that become one in a small image
LUMINANCE = (0.299, 0.587, 0.114)
STEEPEST = 4.0  # what Sobel's filter gives for a step by one level


def edges(images: np.ndarray) -> np.ndarray:
    """White where nothing changes, black at a step of all levels. uint8 [N, H, W, C] -> the same shape and dtype."""
    levels = images.astype(np.float32)
    down, right = (_differences(levels, along, across) for along, across in ((1, 2), (2, 1)))
    steep = np.hypot(down, right).max(-1, keepdims=True) / STEEPEST
    return np.broadcast_to(255 - np.rint(steep).clip(0, 255), images.shape).astype(np.uint8)


def _differences(levels: np.ndarray, along: int, across: int) -> np.ndarray:
    differences = ndimage.correlate1d(levels, (-1, 0, 1), along, mode="nearest")
    return ndimage.correlate1d(differences, (1, 2, 1), across, mode="nearest")


def grey(images: np.ndarray) -> np.ndarray:
    """Without colours. uint8 [N, H, W, C] -> the same shape and dtype."""
    if images.shape[-1] == 1:
        return images
    return np.broadcast_to(np.rint(images @ np.array(LUMINANCE))[..., None], images.shape).astype(np.uint8)


def quarter(images: np.ndarray) -> np.ndarray:
    """Small. uint8 [N, H, W, C] -> uint8 [N, H / 4, W / 4, C]. H and W are multiples of `BLOCK`."""
    count, height, width, channels = images.shape
    means = images.reshape(count, height // BLOCK, BLOCK, width // BLOCK, BLOCK, channels).mean((2, 4))
    return np.rint(means).astype(np.uint8)


def small(images: np.ndarray) -> np.ndarray:
    """Without details. uint8 [N, H, W, C] -> the same shape and dtype. H and W are multiples of `BLOCK`."""
    return quarter(images).repeat(BLOCK, axis=1).repeat(BLOCK, axis=2)


REDUCTIONS: Mapping[str, Callable[[np.ndarray], np.ndarray]] = {
    "edges": edges,
    "grey": grey,
    "small": small,
    "quarter": quarter,
}
IN_BLOCKS = ("small", "quarter")
