"""The strided convolutions against loops and against each other."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from aigc_jax.ops.kernels import strided
from aigc_jax.ops.kernels.strided import double, halve, in_phases, overlapped

RNG = np.random.default_rng(0)
IMAGE = RNG.normal(size=(2, 6, 4, 3))
GRID = RNG.normal(size=(2, 3, 2, 5))
KERNEL = RNG.normal(size=(4, 4, 3, 5))  # 3 channels fine, 5 coarse


def halved(x, kernel):
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    out = np.zeros((x.shape[0], x.shape[1] // 2, x.shape[2] // 2, kernel.shape[3]))
    for i in range(out.shape[1]):
        for j in range(out.shape[2]):
            out[:, i, j] = np.einsum("bhwc,hwco->bo", padded[:, 2 * i : 2 * i + 4, 2 * j : 2 * j + 4], kernel)
    return out


def doubled(x, kernel):
    out = np.zeros((x.shape[0], 2 * x.shape[1] + 2, 2 * x.shape[2] + 2, kernel.shape[2]))
    for i in range(x.shape[1]):
        for j in range(x.shape[2]):
            out[:, 2 * i : 2 * i + 4, 2 * j : 2 * j + 4] += np.einsum("bi,hwoi->bhwo", x[:, i, j], kernel)
    return out[:, 1:-1, 1:-1]


def plain(x, kernel):
    """`double` as devices other than a CPU compute it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(strided, "single_cpu", lambda: False)
        return double.__wrapped__(x, kernel)


def test_halving_is_the_loop():
    np.testing.assert_allclose(halve(jnp.float32(IMAGE), jnp.float32(KERNEL)), halved(IMAGE, KERNEL), atol=1e-4)


@pytest.mark.parametrize("way", [double, plain, in_phases, overlapped])
def test_doubling_is_the_loop_in_every_way(way):
    np.testing.assert_allclose(way(jnp.float32(GRID), jnp.float32(KERNEL)), doubled(GRID, KERNEL), atol=1e-4)


@pytest.mark.parametrize(("of", "x"), [(halve, IMAGE), (double, GRID), (in_phases, GRID), (overlapped, GRID)])
def test_written_gradients_are_the_derived_ones(of, x):
    reference = halve.__wrapped__ if of is halve else plain
    y, derived = jax.vjp(reference, jnp.float32(x), jnp.float32(KERNEL))
    cotangent = jnp.float32(RNG.normal(size=y.shape))
    got = jax.vjp(of, jnp.float32(x), jnp.float32(KERNEL))[1](cotangent)
    for one, other in zip(got, derived(cotangent), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)


def test_one_cpu_takes_its_own_ways_and_a_mesh_the_plain_one():
    def primitives(channels):
        kernel = jax.ShapeDtypeStruct((4, 4, channels, 5), jnp.float32)
        text = str(jax.make_jaxpr(double.__wrapped__)(jax.ShapeDtypeStruct((2, 3, 2, 5), jnp.float32), kernel))
        return "dot_general" in text, "lhs_dilation=(2, 2)" in text

    assert primitives(1) == (True, False) and primitives(8) == (False, False)
    with jax.set_mesh(jax.make_mesh((2,), ("data",))):
        assert primitives(1) == primitives(8) == (False, True)


def test_gradients_can_be_differentiated_again():
    def slope(kernel):
        return jnp.sum(jax.grad(lambda x: jnp.sum(jnp.tanh(double(x, kernel))))(jnp.float32(GRID)) ** 2)

    direction = RNG.normal(size=KERNEL.shape)
    step = 1e-2
    numeric = (slope(jnp.float32(KERNEL + step * direction)) - slope(jnp.float32(KERNEL - step * direction))) / 2 / step
    exact = jnp.sum(jax.grad(slope)(jnp.float32(KERNEL)) * direction)
    np.testing.assert_allclose(exact, numeric, rtol=0.02)
