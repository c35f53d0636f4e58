"""LPIPS: how different two images look, from the features of a classifier.

Zhang et al. 2018 (arXiv:1801.03924), equation 1: features of five layers are scaled to length 1 at every pixel, their
squared differences are weighted by channel with learned weights, averaged over the pixels and summed over the layers.
"""

from typing import Literal

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

Array = jax.Array

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

    kind: Literal["alex", "vgg"]

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
    """Pairs of images float32 [N, H, W, 3] in -1 ... 1 -> distances [N]."""

    kind: Literal["alex", "vgg"]

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


def variables(weights: dict[str, np.ndarray]) -> dict:
    """Flax's variables from the reference's state dictionary: name -> array.

    Its names are net.slice<layer>.<number>.weight and lin<layer>.model.1.weight.
    """
    backbone, params = {}, {}
    convolutions = sorted(
        {name.rsplit(".", 1)[0] for name in weights if name.startswith("net.slice")},
        key=lambda name: int(name.rsplit(".", 1)[1]),
    )
    for number, name in enumerate(convolutions):
        kernel = np.asarray(weights[f"{name}.weight"]).transpose(2, 3, 1, 0)
        backbone[f"conv_{number}"] = {"kernel": kernel, "bias": np.asarray(weights[f"{name}.bias"])}
    for layer in range(5):
        params[f"lin_{layer}"] = np.asarray(weights[f"lin{layer}.model.1.weight"]).reshape(-1)
    return {"params": {"backbone": backbone, **params}}
