"""LPIPS: a perceptual distance of two images, from the features of a classifier.

Zhang et al. 2018 (arXiv:1801.03924), equation 1: features of five layers are scaled to length 1 at every pixel, their
squared differences are weighted by channel with learned weights, averaged over the pixels and summed over the layers.
The classifiers are AlexNet and VGG-16, with the weights that torchvision published (`metrics.features.lpips`).
"""

from typing import Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

Array = jax.Array
Kind = Literal["alex", "vgg"]

SMALLEST = {"alex": 31, "vgg": 16}  # pixels of a side: the last layers of smaller images are empty

# Of the images that the backbones were trained on, for pixels in -1 ... 1.
MEAN = np.array([-0.030, -0.088, -0.188], np.float32)
DEVIATION = np.array([0.458, 0.448, 0.450], np.float32)
EPSILON = 1e-10  # the shortest that features are taken for

# By layer: convolutions as (features, kernel, stride, padding), and the window of the maximum pooling before them.
BACKBONES = {
    "alex": (
        (0, [(64, 11, 4, 2)]),
        (3, [(192, 5, 1, 2)]),
        (3, [(384, 3, 1, 1)]),
        (0, [(256, 3, 1, 1)]),
        (0, [(256, 3, 1, 1)]),
    ),
    "vgg": (
        (0, [(64, 3, 1, 1)] * 2),
        (2, [(128, 3, 1, 1)] * 2),
        (2, [(256, 3, 1, 1)] * 3),
        (2, [(512, 3, 1, 1)] * 3),
        (2, [(512, 3, 1, 1)] * 3),
    ),
}


class Backbone(nn.Module):
    """Images [N, H, W, 3], normalised -> the rectified features of five layers."""

    kind: Kind

    @nn.compact
    def __call__(self, x: Array) -> list[Array]:
        found, number = [], 0
        for window, convolutions in BACKBONES[self.kind]:
            if window:
                x = nn.max_pool(x, (window, window), (2, 2))
            for features, kernel, stride, padding in convolutions:
                x = nn.relu(nn.Conv(features, (kernel, kernel), stride, padding, name=f"conv_{number}")(x))
                number += 1
            found.append(x)
        return found


class Lpips(nn.Module):
    """Pairs of images float32 [N, H, W, 3] in -1 ... 1 -> distances float32 [N]. Grey ones count as three channels."""

    kind: Kind  # the classifier: AlexNet, or VGG-16, which takes many times as long
    dtype: Any = jnp.float32  # `precision` fills it in; distances are small, and computed in float32 whatever it is

    @property
    def smallest(self) -> int:
        """Pixels of a side that an image needs."""
        return SMALLEST[self.kind]

    @nn.nowrap
    def example(self) -> tuple[tuple, dict]:
        """The inputs of a call, to make variables from."""
        images = jnp.zeros((1, self.smallest, self.smallest, 3))
        return (images, images), {}

    @nn.compact
    def __call__(self, one: Array, other: Array) -> Array:
        backbone = Backbone(self.kind, name="backbone")
        sides = [[_unit(x) for x in backbone((images - MEAN) / DEVIATION)] for images in (one, other)]
        total = jnp.zeros(len(one))
        for number, (left, right) in enumerate(zip(*sides, strict=True)):
            weights = self.param(f"lin_{number}", nn.initializers.ones, (left.shape[-1],))
            total += jnp.mean(jnp.square(left - right) @ weights, (1, 2))
        return total


def _unit(x: Array) -> Array:
    # Where all features are rectified to 0 a plain norm has no gradient.
    return x / optax.safe_norm(x, EPSILON, axis=-1, keepdims=True)
