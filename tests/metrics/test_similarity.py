"""PSNR and SSIM against their formulas; tests/parity holds them against scikit-image."""

import numpy as np
import pytest
from scipy.signal import convolve2d
from scipy.stats import norm

from aigc_jax.errors import UserError
from aigc_jax.metrics.similarity import BATCH, psnr, ssim

RANDOM = np.random.RandomState(0)
ONE = RANDOM.randint(0, 256, (5, 16, 13, 3)).astype(np.uint8)
OTHER = np.clip(ONE + 30 * RANDOM.randn(*ONE.shape), 0, 255).astype(np.uint8)


def test_psnr_is_its_formula():
    squares = np.square(ONE.astype(float) - OTHER).mean((1, 2, 3))
    found = psnr(ONE, OTHER)
    assert found.value == pytest.approx((10 * np.log10(255**2 / squares)).mean(), rel=1e-9)
    assert len(found.influence) == 5
    assert psnr(ONE.astype(np.float32), OTHER.astype(np.float64)).value == pytest.approx(found.value, rel=1e-9)


def test_ssim_is_equation_13():
    """Wang et al. 2004, each window's means, variances and covariance by weighted sums."""
    weights = norm.pdf(np.arange(-5, 6) / 1.5)
    window = np.outer(weights, weights) / weights.sum() ** 2

    def of(x, y):
        def blurred(image):
            return convolve2d(image, window, mode="valid")

        x, y = x.astype(float), y.astype(float)
        mx, my = blurred(x), blurred(y)
        vx, vy, c = blurred(x * x) - mx**2, blurred(y * y) - my**2, blurred(x * y) - mx * my
        c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
        return ((2 * mx * my + c1) * (2 * c + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2))).mean()

    expected = [of(x[..., c], y[..., c]) for x, y in zip(ONE, OTHER, strict=True) for c in range(3)]
    assert ssim(ONE, OTHER).value == pytest.approx(np.mean(expected), rel=1e-9)


def test_of_equal_images_and_of_more_than_a_batch():
    many = np.repeat(ONE, BATCH // 5 + 1, 0)
    found = ssim(many, many)
    assert found.value == pytest.approx(1, abs=1e-12) and len(found.influence) == len(many)
    with pytest.raises(UserError, match="5 of 5 pairs are of equal images, the first is number 0"):
        psnr(ONE, ONE)


def test_what_are_no_pairs():
    with pytest.raises(UserError, match=r"of one shape, and are \[5, 16, 13, 3\] and \[4, 16, 13, 3\]"):
        psnr(ONE, ONE[:4])
    with pytest.raises(UserError, match="SSIM needs images of 11 × 11 or more"):
        ssim(ONE[:, :10], ONE[:, :10])
    with pytest.raises(UserError, match=r"have to be \[N, H, W, 1 or 3\]"):
        ssim(ONE[0], ONE[0])
    with pytest.raises(UserError, match=r"have to be \[N, H, W, 1 or 3\]"):
        psnr(ONE[:0], ONE[:0])
    with pytest.raises(UserError, match="hold NaN"):
        psnr(np.where(ONE > 128, np.nan, ONE), OTHER)
