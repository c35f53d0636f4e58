"""Inception v3, as in TensorFlow's graph of 2015: the network of FID and the Inception Score.

Szegedy et al. 2016 (arXiv:1512.00567), sections 3-6. The graph of 2015-12-05, by which FID is defined (Heusel et al.
2017), differs from later ones: average pooling leaves out the padding, the last block pools by the maximum, and there
are 1,008 classes. Modules have the names that the published PyTorch weights use.
"""

from functools import partial
from pathlib import Path
from typing import Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from aigc_jax.metrics.features import published
from aigc_jax.metrics.features.extractor import Extractor, for_large_images
from aigc_jax.metrics.features.published import PublishedFile, Weights

Array = jax.Array

FEATURES, CLASSES, SIDE = 2048, 1008, 299
SOURCES = {
    "inception": (
        PublishedFile(
            file="pt_inception-2015-12-05-6726825d.pth",
            sha256="6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2",
            origin="https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/pt_inception-2015-12-05-6726825d.pth",
        ),
    )
}
PIXELS = (
    "resized to 299 × 299 by linear interpolation between corners without smoothing, as in TensorFlow 1; "
    "(x - 128) / 128; grey as three equal channels"
)

average_pool = partial(nn.avg_pool, window_shape=(3, 3), padding="SAME", count_include_pad=False)
halving_pool = partial(nn.max_pool, window_shape=(3, 3), strides=(2, 2))


class Conv(nn.Module):
    """A convolution without bias, normalised by stored statistics, and rectified."""

    features: int
    kernel: tuple[int, int] = (1, 1)
    stride: int = 1
    padding: str = "SAME"

    @nn.compact
    def __call__(self, x: Array) -> Array:
        strides = (self.stride, self.stride)
        x = nn.Conv(self.features, self.kernel, strides, self.padding, use_bias=False, name="conv")(x)
        return nn.relu(nn.BatchNorm(use_running_average=True, epsilon=1e-3, name="bn")(x))


def path(x: Array, name: str, *convolutions: tuple) -> Array:
    """Convolutions one after the other, named <name>_1, <name>_2, …; each given as `Conv`'s fields."""
    for number, fields in enumerate(convolutions, 1):
        x = Conv(*fields, name=f"{name}_{number}")(x)
    return x


class BlockA(nn.Module):
    """Figure 5: the 5 × 5 path beside two of 3 × 3."""

    pooled: int  # features of the path that pools

    @nn.compact
    def __call__(self, x: Array) -> Array:
        return jnp.concatenate(
            [
                Conv(64, name="branch1x1")(x),
                path(x, "branch5x5", (48,), (64, (5, 5))),
                path(x, "branch3x3dbl", (64,), (96, (3, 3)), (96, (3, 3))),
                Conv(self.pooled, name="branch_pool")(average_pool(x)),
            ],
            -1,
        )


class BlockB(nn.Module):
    """Figure 10: half the side."""

    @nn.compact
    def __call__(self, x: Array) -> Array:
        return jnp.concatenate(
            [
                Conv(384, (3, 3), 2, "VALID", name="branch3x3")(x),
                path(x, "branch3x3dbl", (64,), (96, (3, 3)), (96, (3, 3), 2, "VALID")),
                halving_pool(x),
            ],
            -1,
        )


class BlockC(nn.Module):
    """Figure 6: 7 × 7 as 1 × 7 and 7 × 1."""

    width: int

    @nn.compact
    def __call__(self, x: Array) -> Array:
        wide, tall, n = (1, 7), (7, 1), self.width
        return jnp.concatenate(
            [
                Conv(192, name="branch1x1")(x),
                path(x, "branch7x7", (n,), (n, wide), (192, tall)),
                path(x, "branch7x7dbl", (n,), (n, tall), (n, wide), (n, tall), (192, wide)),
                Conv(192, name="branch_pool")(average_pool(x)),
            ],
            -1,
        )


class BlockD(nn.Module):
    """Half the side once more."""

    @nn.compact
    def __call__(self, x: Array) -> Array:
        return jnp.concatenate(
            [
                path(x, "branch3x3", (192,), (320, (3, 3), 2, "VALID")),
                path(x, "branch7x7x3", (192,), (192, (1, 7)), (192, (7, 1)), (192, (3, 3), 2, "VALID")),
                halving_pool(x),
            ],
            -1,
        )


class BlockE(nn.Module):
    """Figure 7: 3 × 3 as 1 × 3 beside 3 × 1."""

    pool: Literal["average", "maximum"]

    @nn.compact
    def __call__(self, x: Array) -> Array:
        def fork(x: Array, name: str) -> list[Array]:
            return [Conv(384, (1, 3), name=f"{name}a")(x), Conv(384, (3, 1), name=f"{name}b")(x)]

        three = Conv(384, name="branch3x3_1")(x)
        double = path(x, "branch3x3dbl", (448,), (384, (3, 3)))
        pooled = average_pool(x) if self.pool == "average" else nn.max_pool(x, (3, 3), padding="SAME")
        return jnp.concatenate(
            [
                Conv(320, name="branch1x1")(x),
                *fork(three, "branch3x3_2"),
                *fork(double, "branch3x3dbl_3"),
                Conv(192, name="branch_pool")(pooled),
            ],
            -1,
        )


class Inception(nn.Module):
    """Images float32 [N, 299, 299, 3] in -1 … 1 -> (features [N, 2048], logits without their bias [N, 1008])."""

    @nn.compact
    def __call__(self, x: Array) -> tuple[Array, Array]:
        x = Conv(32, (3, 3), 2, "VALID", name="Conv2d_1a_3x3")(x)
        x = Conv(32, (3, 3), 1, "VALID", name="Conv2d_2a_3x3")(x)
        x = halving_pool(Conv(64, (3, 3), name="Conv2d_2b_3x3")(x))
        x = Conv(80, name="Conv2d_3b_1x1")(x)
        x = halving_pool(Conv(192, (3, 3), 1, "VALID", name="Conv2d_4a_3x3")(x))
        for letter, pooled in zip("bcd", (32, 64, 64), strict=True):
            x = BlockA(pooled, name=f"Mixed_5{letter}")(x)
        x = BlockB(name="Mixed_6a")(x)
        for letter, width in zip("bcde", (128, 160, 160, 192), strict=True):
            x = BlockC(width, name=f"Mixed_6{letter}")(x)
        x = BlockD(name="Mixed_7a")(x)
        x = BlockE("average", name="Mixed_7b")(x)
        x = BlockE("maximum", name="Mixed_7c")(x)
        features = jnp.mean(x, (1, 2))
        return features, nn.Dense(CLASSES, use_bias=False, name="fc")(features)


def resize_matrix(size: int, half_pixels: bool) -> np.ndarray:
    """What linear interpolation to SIDE does to one axis: float32 [SIDE, size], rows that sum to 1.

    half_pixels: pixels are areas, and their centres correspond, as in PyTorch and later TensorFlow; else their corners
    do, as in the TensorFlow that published FIDs were computed with. Nothing is smoothed on shrinking.
    """
    scale = np.float32(size / SIDE)  # TensorFlow places pixels in this precision
    at = np.arange(SIDE, dtype=np.float32) * scale
    if half_pixels:
        at = np.maximum(at + scale / 2 - np.float32(0.5), 0)
    low = np.minimum(np.floor(at).astype(int), size - 1)
    share = at - low
    matrix = np.zeros((SIDE, size))
    np.add.at(matrix, (np.arange(SIDE), low), 1 - share)
    np.add.at(matrix, (np.arange(SIDE), np.minimum(low + 1, size - 1)), share)
    return matrix.astype(np.float32)


def resized(images: Array, half_pixels: bool) -> Array:
    """[N, H, W, C] -> [N, SIDE, SIDE, C]."""
    down, across = (resize_matrix(size, half_pixels) for size in images.shape[1:3])
    return jnp.einsum("ih,nhwc,jw->nijc", down, images, across, precision="highest")


def variables(weights: Weights) -> dict[str, Any]:
    """Flax's variables from the published arrays. Logits go without their bias, as in the Inception Score."""
    return published.variables({name: array for name, array in weights.items() if name != "fc.bias"})


def load(path: Path) -> Extractor:
    """The extractor with the weights of a converted file. Raises UserError as `published.load`."""
    weights, sha256 = published.load(path, SOURCES[path.stem])
    return Extractor(path.stem, sha256, None, PIXELS, answers, variables(weights), for_large_images())


def answers(variables: Any, images: Array) -> tuple[Array, Array]:
    """Of images [N, H, W, 1 or 3] in 0 … 255, as `Extractor.apply` has it."""
    found: Any = Inception().apply(variables, prepared(images))
    return found


def prepared(images: Array) -> Array:
    """What PIXELS says: [N, H, W, 1 or 3] in 0 … 255 -> [N, SIDE, SIDE, 3] in -1 … 1."""
    x = (resized(images, half_pixels=False) - 128) / 128
    return jnp.broadcast_to(x, (*x.shape[:-1], 3))
