"""PSNR and SSIM against scikit-image."""

import numpy as np
import pytest

from aigc_jax.metrics.similarity import psnr, ssim

peer = pytest.importorskip("skimage.metrics")


RANDOM = np.random.RandomState(0)


def pairs(shape):
    """Noise against noise, smooth images with noise of several strengths, bright nearly flat ones, and flat ones."""
    one = RANDOM.randint(0, 256, (6, *shape)).astype(np.float64)
    one[1:4] = 127 + 120 * np.sin(np.arange(shape[0]) / 5)[:, None, None]
    one[4] = 250 + 3 * RANDOM.rand(*shape)
    one[5] = 200
    other = RANDOM.randint(0, 256, (6, *shape)).astype(np.float64)
    other[1:4] = one[1:4] + np.array([1, 8, 40])[:, None, None, None] * RANDOM.randn(3, *shape)
    other[4] = 250 + 3 * RANDOM.rand(*shape)
    other[5] = 60
    return [np.clip(images, 0, 255) for images in (one, other)]


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("shape", [(11, 11, 1), (28, 28, 1), (32, 45, 3), (128, 96, 3)])
def test_pairs(shape, dtype):
    one, other = (images.astype(dtype) for images in pairs(shape))
    for number in range(len(one)):
        pair = one[number], other[number]
        exact = [image.astype(np.float64) for image in pair]
        structure = peer.structural_similarity(
            *exact, data_range=255, channel_axis=-1, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
        )
        noise = peer.peak_signal_noise_ratio(*exact, data_range=255)
        found = ssim(*(image[None] for image in pair)).value, psnr(*(image[None] for image in pair)).value
        print(shape, number, found[0] - structure, found[1] - noise)
        assert found == pytest.approx((structure, noise), abs=1e-9)
