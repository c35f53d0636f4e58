"""The modulated convolution of StyleGAN2 (Karras et al. 2020, arXiv:1912.04958, section 2.2).

    w' = s_i w,    w'' = w' / sqrt(sum over i and taps of w'^2 + epsilon)                    (eq. 1 and 3)

of inputs i; a style gives every example scales s of its own. Scaled weights are as many as there are examples. The same
comes out of one convolution by w, of inputs scaled by s, with outputs scaled by the root in eq. 3.
"""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from aigc_jax.nn.layers.equalised import Dense, equalised_kernel
from aigc_jax.ops.kernels.convolution import convolve
from aigc_jax.ops.resample import convolve_up
from aigc_jax.ranges import Size

EPSILON = 1e-8


class ModulatedConv(nn.Module):
    """A convolution 1x1 or 3x3 whose weights the style scales, also to twice the resolution. It has no bias."""

    features: Size
    size: Size = 3  # 1 or 3
    twice: bool = False  # of 3x3 alone
    demodulate: bool = True  # back to outputs of variance 1 for inputs of N(0, 1)
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, style: jax.Array) -> jax.Array:
        """x: [B, H, W, I], style: [B, d] -> [B, H, W, features] or [B, 2H, 2W, features], in `dtype`."""
        kernel = equalised_kernel(self, self.size, x.shape[-1], self.features)
        scales = Dense(x.shape[-1], bias=1.0, dtype=self.dtype, name="style")(style).astype(jnp.float32)
        x = x.astype(self.dtype) * scales[:, None, None].astype(self.dtype)
        taps = kernel.astype(self.dtype)
        if self.size == 1:
            y = x @ taps[0, 0]
        else:
            y = convolve_up(x, taps.swapaxes(2, 3)) if self.twice else convolve(x, taps)
        if not self.demodulate:
            return y
        norms = jax.lax.rsqrt(scales**2 @ jnp.sum(kernel**2, axis=(0, 1)) + EPSILON)
        return y * norms[:, None, None].astype(self.dtype)
