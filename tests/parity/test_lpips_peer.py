"""LPIPS against its authors' package: their weights of the layers, over backbones of random weights."""

import re

import numpy as np
import pytest

from aigc_jax.metrics.features.lpips import Lpips, variables

torch = pytest.importorskip("torch")
peer = pytest.importorskip("lpips")


SIZES = [(64, 64), (65, 97), (33, 47)]


def pairs(height, width):
    """Noise, images and noisy ones, an image and itself, black and white."""
    random = np.random.RandomState(0)
    one = random.rand(4, height, width, 3).astype(np.float32) * 2 - 1
    other = random.rand(4, height, width, 3).astype(np.float32) * 2 - 1
    other[1] = np.clip(one[1] + 0.05 * random.randn(height, width, 3), -1, 1)
    other[2] = one[2]
    one[3], other[3] = -1, 1
    return one, other


@torch.inference_mode()
@pytest.mark.parametrize("kind", ["alex", "vgg"])
def test_distances(kind):
    torch.manual_seed(0)
    theirs = peer.LPIPS(net=kind, pnet_rand=True, verbose=False)
    for layer in theirs.net.modules():
        if isinstance(layer, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(layer.weight)
    # net.slice<layer>.<number>.weight there, features.<number>.weight in the files of torchvision
    weights = variables(
        {
            re.sub(r"^net\.slice\d", "features", name): tensor.numpy()
            for name, tensor in theirs.state_dict().items()
            if not name.startswith("lins.")  # the same once more
        }
    )
    for size in SIZES:
        one, other = pairs(*size)
        expected = theirs(*(torch.from_numpy(images.transpose(0, 3, 1, 2)) for images in (one, other)))
        expected = expected[:, 0, 0, 0].numpy()
        found = np.asarray(Lpips(kind).apply(weights, one, other))
        print(kind, size, found, np.abs(found - expected).max() / expected.max())
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-7)
        assert found[2] == 0 and found.min() >= 0
