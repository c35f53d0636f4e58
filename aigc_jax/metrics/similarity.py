"""Similarity of pairs of images: means of the L1 distance, PSNR, SSIM and LPIPS.

SSIM: Wang et al. 2004 (Image quality assessment: from error visibility to structural similarity), section III, with
the Gaussian window of 11 × 11 and standard deviation 1.5, over the places where the whole window fits, and over each
channel by itself. LPIPS: `aigc_jax.nn.lpips`.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from aigc_jax.errors import UserError, optional
from aigc_jax.metrics.bootstrap import Estimate, mean
from aigc_jax.metrics.features.extractor import checked
from aigc_jax.nn.lpips import SMALLEST, Kind, Lpips

Array = jax.Array
Similarity = Callable[[Array, Array], Array]
"""Pairs [B, H, W, C] in 0 … 1 -> [B]."""

WINDOW = 11
BATCH = 64  # pairs


def l1(one: np.ndarray, other: np.ndarray) -> Estimate:
    """The mean absolute difference, 0 … 1, of pairs [N, H, W, C] in 0 … 255.

    Raises UserError for what are no such pairs.
    """
    return mean(_of_pairs(lambda *pair: jnp.mean(jnp.abs(pair[0] - pair[1]), (1, 2, 3)), one, other, np.float32))


def psnr(one: np.ndarray, other: np.ndarray) -> Estimate:
    """The peak signal-to-noise ratio in dB, 10 log10 (255² / mean squared error), of pairs [N, H, W, C] in 0 … 255.

    Raises UserError for what are no such pairs, and where a pair has no difference: its ratio is infinite.
    """
    found = _precisely(_pix().psnr, one, other)
    if len(equal := np.flatnonzero((one == other).all((1, 2, 3)))):  # before any rounding
        raise UserError(
            f"{len(equal)} of {len(found)} pairs are of equal images, the first is number {equal[0]}, and have no "
            "finite PSNR: leave them out, or take SSIM."
        )
    return mean(found)


def ssim(one: np.ndarray, other: np.ndarray) -> Estimate:
    """The structural similarity, -1 … 1 and 1 for equal images, of pairs [N, H, W, C] in 0 … 255.

    Raises UserError for what are no such pairs, and for images that are smaller than the window.
    """
    _large_enough("SSIM", one, WINDOW)
    return mean(_precisely(_pix().ssim, one, other))


def lpips(one: np.ndarray, other: np.ndarray, kind: Kind, variables: Any) -> Estimate:
    """How different they look, 0 for equal images, of pairs [N, H, W, C] in 0 … 255; grey as three equal channels.

    kind: of the classifier; variables: its and the layers' weights.
    Raises UserError for what are no such pairs, and for images that are too small for the classifier.
    """
    _large_enough(f"LPIPS by {kind}", one, SMALLEST[kind])

    def distance(*pair: Array) -> Array:
        one, other = (jnp.broadcast_to(2 * images - 1, (*images.shape[:-1], 3)) for images in pair)
        found: Any = Lpips(kind).apply(variables, one, other)
        return found

    with jax.default_matmul_precision("highest"):
        return mean(_of_pairs(distance, one, other, np.float32))


def _pix() -> Any:
    return optional("dm_pix", "evaluate", "Measuring SSIM or PSNR")


def _large_enough(measure: str, images: np.ndarray, side: int) -> None:
    if images.ndim == 4 and min(images.shape[1:3]) < side:
        raise UserError(f"{measure} needs images of {side} × {side} or more, and these are {list(images.shape[1:3])}.")


def _precisely(similarity: Similarity, one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """In float64: in float32 the variance of a bright, nearly flat window is lost to cancellation."""
    with jax.enable_x64(True):
        return _of_pairs(similarity, one, other, np.float64)


def _of_pairs(similarity: Similarity, one: np.ndarray, other: np.ndarray, dtype: Any) -> np.ndarray:
    for images in (one, other):
        checked(images, None, "")
    if one.shape != other.shape:
        raise UserError(f"Pairs have to be of one shape, and are {list(one.shape)} and {list(other.shape)}.")
    starts = range(0, len(one), BATCH)
    program = jax.jit(lambda *pair: similarity(*(images.astype(dtype) / 255 for images in pair)))
    return np.concatenate([program(one[start : start + BATCH], other[start : start + BATCH]) for start in starts])
