"""How alike the two images of a pair are: PSNR and SSIM, their means over pairs.

SSIM: Wang et al. 2004 (Image quality assessment: from error visibility to structural similarity), section III, with
the Gaussian window of 11 × 11 and standard deviation 1.5, over the places where the whole window fits, and over each
channel by itself.
"""

from collections.abc import Callable

import dm_pix
import jax
import numpy as np

from aigc_jax.errors import UserError
from aigc_jax.metrics.bootstrap import Estimate, mean
from aigc_jax.metrics.features.extractor import checked

Array = jax.Array
Similarity = Callable[[Array, Array], Array]
"""Pairs float64 [B, H, W, C] in 0 … 1 -> [B]."""

WINDOW = 11
BATCH = 256  # pairs


def psnr(one: np.ndarray, other: np.ndarray) -> Estimate:
    """The peak signal-to-noise ratio in dB, 10 log10 (255² / mean squared error), of pairs [N, H, W, C] in 0 … 255.

    Raises UserError for what are no such pairs, and where a pair has no difference: its ratio is infinite.
    """
    found = _of_pairs(dm_pix.psnr, one, other)
    if len(equal := np.flatnonzero(~np.isfinite(found))):
        raise UserError(
            f"{len(equal)} of {len(found)} pairs are of equal images, the first is number {equal[0]}, and have no "
            "finite PSNR: leave them out, or take SSIM."
        )
    return mean(found)


def ssim(one: np.ndarray, other: np.ndarray) -> Estimate:
    """The structural similarity, -1 … 1 and 1 for equal images, of pairs [N, H, W, C] in 0 … 255.

    Raises UserError for what are no such pairs, and for images that are smaller than the window.
    """
    if one.ndim == 4 and min(one.shape[1:3]) < WINDOW:
        raise UserError(f"SSIM needs images of {WINDOW} × {WINDOW} or more, and these are {list(one.shape[1:3])}.")
    return mean(_of_pairs(dm_pix.ssim, one, other))


def _of_pairs(similarity: Similarity, one: np.ndarray, other: np.ndarray) -> np.ndarray:
    for images in (one, other):
        checked(images, None, "")
    if one.shape != other.shape:
        raise UserError(f"Pairs have to be of one shape, and are {list(one.shape)} and {list(other.shape)}.")
    starts = range(0, len(one), BATCH)
    program = jax.jit(lambda *pair: similarity(*(images.astype(np.float64) / 255 for images in pair)))
    # In float32 the variance of a bright, nearly flat window is lost in the difference of two large means.
    with jax.enable_x64(True):
        return np.concatenate([program(one[start : start + BATCH], other[start : start + BATCH]) for start in starts])
