"""Twice and half the resolution by the filter [1, 3, 3, 1] / 8 along both axes, alone and with a convolution 3x3.

The filter of StyleGAN2 (Karras et al. 2020, arXiv:1912.04958, section 3 and appendix B): images are zero beyond their
border, and twice the resolution has zeros between pixels, which the filter times 4 fills. A convolution to twice the
resolution is transposed and filtered after it; one to half is filtered before it.

    [1, 3, 3, 1] = [1, 1] * [1, 2, 1]

so the kernel takes [1, 1] in, a convolution 4x4 of stride 2, which has fast ways (`kernels.strided`), and [1, 2, 1] is
left to do. Every function here is another's adjoint, and so its gradient. What JAX derives has the same values, and
takes several times as long on CPUs.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from aigc_jax.ops.kernels.strided import double, halve

Linear = Callable[[jax.Array], jax.Array]


def _adjoints(one: Linear, other: Linear) -> tuple[Linear, Linear]:
    """Two linear functions, each of which is differentiated by the other. <one(x), y> = <x, other(y)>."""
    first, second = jax.custom_vjp(one), jax.custom_vjp(other)
    first.defvjp(lambda x: (first(x), None), lambda _, y: (second(y),))
    second.defvjp(lambda y: (second(y), None), lambda _, x: (first(x),))
    return first, second


def _wider(x: jax.Array) -> jax.Array:
    """[1, 2, 1] / 4 along both axes, with what it spreads over the border: [B, H, W, C] -> [B, H + 2, W + 2, C]."""
    return _narrower(jnp.pad(x, ((0, 0), (2, 2), (2, 2), (0, 0))))


def _narrower(x: jax.Array) -> jax.Array:
    """[1, 2, 1] / 4 along both axes, where it lies within: [B, H + 2, W + 2, C] -> [B, H, W, C]."""
    for axis in (1, 2):
        size = x.shape[axis] - 2
        before, at, after = (jax.lax.slice_in_dim(x, i, i + size, axis=axis) for i in range(3))
        x = 0.25 * before + 0.5 * at + 0.25 * after
    return x


def _up(x: jax.Array) -> jax.Array:
    for axis in (1, 2):
        size = x.shape[axis]
        padded = jnp.pad(x, [(1, 1) if i == axis else (0, 0) for i in range(x.ndim)])
        before, after = (jax.lax.slice_in_dim(padded, i, i + size, axis=axis) for i in (0, 2))
        pairs = jnp.stack([0.25 * before + 0.75 * x, 0.75 * x + 0.25 * after], axis=axis + 1)
        x = pairs.reshape(*x.shape[:axis], 2 * size, *x.shape[axis + 1 :])
    return x


def _down(x: jax.Array) -> jax.Array:
    for axis in (1, 2):
        size = x.shape[axis] // 2
        padded = jnp.pad(x, [(1, 1) if i == axis else (0, 0) for i in range(x.ndim)])
        pairs = padded.reshape(*x.shape[:axis], size + 1, 2, *x.shape[axis + 1 :])
        odd, even = (jax.lax.index_in_dim(pairs, i, axis + 1, keepdims=False) for i in range(2))
        before, at, after, beyond = (
            jax.lax.slice_in_dim(each, i, i + size, axis=axis) for i in range(2) for each in (odd, even)
        )
        x = 0.125 * before + 0.375 * at + 0.375 * after + 0.125 * beyond
    return x


_spread, _gathered = _adjoints(_wider, _narrower)
_twice, _half = _adjoints(_up, lambda x: 4 * _down(x))


def up(x: jax.Array) -> jax.Array:
    """[B, H, W, C] -> [B, 2H, 2W, C]."""
    return _twice(x)


def down(x: jax.Array) -> jax.Array:
    """[B, 2H, 2W, C] -> [B, H, W, C]."""
    return 0.25 * _half(x)


def convolve_up(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """[B, H, W, I], [3, 3, O, I] -> [B, 2H, 2W, O]: the transposed convolution of stride 2, then the filter times 4."""
    return _gathered(double(x, 4 * _with_box(kernel), True))


def convolve_down(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """[B, 2H, 2W, I], [3, 3, I, O] -> [B, H, W, O]: the filter, then the convolution of stride 2."""
    return halve(_spread(x), _with_box(kernel), True)


def _with_box(kernel: jax.Array) -> jax.Array:
    """The kernel and [1, 1] / 2 along both axes, one after the other: [3, 3, ...] -> [4, 4, ...]."""
    rest = [(0, 0)] * (kernel.ndim - 2)
    shifted = [jnp.pad(kernel, [(i, 1 - i), (j, 1 - j), *rest]) for i in range(2) for j in range(2)]
    return 0.25 * (shifted[0] + shifted[1] + shifted[2] + shifted[3])
