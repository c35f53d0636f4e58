"""Layers that keep magnitudes (Karras et al. 2024, arXiv:2312.02696, section 2 and appendix B).

The magnitude of a vector is the root of the mean square of its values. Every function here gives a magnitude of 1
where its inputs have that, are of mean 0 and do not depend on each other. No layer has a bias.

Weights are divided by their magnitude, one output at a time, where they are used, and by the root of the number of
inputs. So their scale has no effect. Their gradient is at right angles to them, and each update makes them larger:
`unit_norm` of `ops.optimizer` brings them back to magnitude 1.
"""

import math
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from aigc_jax.ops.kernels.convolution import convolve
from aigc_jax.ranges import Size

EPSILON = 1e-4  # magnitude below which nothing is scaled up to 1
SILU = 0.596  # magnitude of silu of N(0, 1)


def unit(x: jax.Array, axis: int | tuple[int, ...] = -1) -> jax.Array:
    """x over its magnitude along some axes, which float32 finds: the same shape and dtype."""
    square = jnp.mean(jnp.square(x.astype(jnp.float32)), axis=axis, keepdims=True)
    return (x * jax.lax.rsqrt(square + EPSILON**2)).astype(x.dtype)


def unit_outputs(kernel: jax.Array) -> jax.Array:
    """A kernel whose weights of each output have magnitude 1 (eq. 66). [..., inputs, outputs] -> the same shape."""
    return unit(kernel, tuple(range(kernel.ndim - 1)))


def silu(x: jax.Array) -> jax.Array:
    """x sigmoid(x) / 0.596 (eq. 81)."""
    return nn.silu(x) / SILU


def blend(a: jax.Array, b: jax.Array, share: float) -> jax.Array:
    """(1 - share) a + share b over the magnitude of that sum (eq. 88). a, b: one shape."""
    return ((1 - share) * a + share * b) / math.hypot(1 - share, share)


def join(a: jax.Array, b: jax.Array, share: float = 0.5) -> jax.Array:
    """[..., I] and [..., J] -> [..., I + J], in which b has `share` of the say whatever J is (eq. 103)."""
    first, second = a.shape[-1], b.shape[-1]
    whole = math.sqrt(first + second) / math.hypot(1 - share, share)
    return jnp.concatenate([whole * (1 - share) / math.sqrt(first) * a, whole * share / math.sqrt(second) * b], -1)


class Fourier(nn.Module):
    """sqrt(2) cos(2π (f t + φ)) with f of N(0, 1) and φ of [0, 1), which stay as they are drawn (eq. 75).

    They are the collection "fourier".
    """

    features: Size

    @nn.compact
    def __call__(self, t: jax.Array) -> jax.Array:
        """t: [B] -> float32 [B, features]."""
        size = (self.features,)
        frequencies = self.variable(
            "fourier", "frequencies", lambda: jax.random.normal(self.make_rng("params"), size, jnp.float32)
        )
        phases = self.variable(
            "fourier", "phases", lambda: jax.random.uniform(self.make_rng("params"), size, jnp.float32)
        )
        turns = t.astype(jnp.float32)[:, None] * frequencies.value + phases.value
        return math.sqrt(2) * jnp.cos(2 * math.pi * turns)


class Dense(nn.Module):
    """A product with a matrix, over the last axis."""

    features: Size
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, gain: jax.Array | float = 1.0) -> jax.Array:
        """x: [..., I] -> [..., features], in `dtype`, times the gain, a scalar."""
        kernel = self.param("kernel", nn.initializers.normal(1), (x.shape[-1], self.features))
        return x.astype(self.dtype) @ _for_use(kernel, gain).astype(self.dtype)


class Conv(nn.Module):
    """A convolution 3x3."""

    features: Size
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, gain: jax.Array | float = 1.0) -> jax.Array:
        """x: [B, H, W, I] -> [B, H, W, features], in `dtype`, times the gain, a scalar."""
        kernel = self.param("kernel", nn.initializers.normal(1), (3, 3, x.shape[-1], self.features))
        return convolve(x.astype(self.dtype), _for_use(kernel, gain).astype(self.dtype))


def _for_use(kernel: jax.Array, gain: jax.Array | float) -> jax.Array:
    """Eq. 47: outputs have magnitude 1 where the gain is 1."""
    return unit_outputs(kernel) * (gain / math.sqrt(kernel[..., 0].size))
