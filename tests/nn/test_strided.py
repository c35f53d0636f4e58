"""The strided convolutions against loops and against each other."""

import jax
import jax.numpy as jnp
import numpy as np

from aigc_jax.nn.strided import Double, Halve, double, halve

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


def test_halving_and_doubling_are_the_loops():
    np.testing.assert_allclose(halve(jnp.float32(IMAGE), jnp.float32(KERNEL)), halved(IMAGE, KERNEL), atol=1e-4)
    np.testing.assert_allclose(double(jnp.float32(GRID), jnp.float32(KERNEL)), doubled(GRID, KERNEL), atol=1e-4)


def test_the_written_gradient_of_doubling_is_the_derived_one():
    cotangent = RNG.normal(size=IMAGE.shape)
    got = jax.vjp(double, jnp.float32(GRID), jnp.float32(KERNEL))[1](jnp.float32(cotangent))
    derived = jax.vjp(double.__wrapped__, jnp.float32(GRID), jnp.float32(KERNEL))[1](jnp.float32(cotangent))
    for one, other in zip(got, derived, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)


def test_gradients_can_be_differentiated_again():
    def slope(kernel):
        return jnp.sum(jax.grad(lambda x: jnp.sum(jnp.tanh(double(x, kernel))))(jnp.float32(GRID)) ** 2)

    direction = RNG.normal(size=KERNEL.shape)
    step = 1e-2
    numeric = (slope(jnp.float32(KERNEL + step * direction)) - slope(jnp.float32(KERNEL - step * direction))) / 2 / step
    exact = jnp.sum(jax.grad(slope)(jnp.float32(KERNEL)) * direction)
    np.testing.assert_allclose(exact, numeric, rtol=0.02)


def test_modules_keep_float32_weights_and_compute_in_their_dtype():
    for module in (Halve(5, bias=True, dtype=jnp.bfloat16), Double(5, bias=False, dtype=jnp.bfloat16)):
        out, variables = module.init_with_output(jax.random.key(0), jnp.float32(IMAGE))
        assert out.dtype == jnp.bfloat16
        assert {leaf.dtype for leaf in jax.tree.leaves(variables)} == {jnp.dtype("float32")}
        assert ("bias" in variables["params"]) is module.bias


def test_initial_weights_keep_the_variance():
    for module, size in ((Halve(64, bias=True), 32), (Double(64, bias=True), 16)):
        x = jax.random.normal(jax.random.key(0), (4, size, size, 64))
        out, _ = module.init_with_output(jax.random.key(1), x)
        inner = out[:, 2:-2, 2:-2].var()
        wanted = 1.0 if isinstance(module, Halve) else 0.25  # each output of a doubling meets 4 of the 16 taps
        np.testing.assert_allclose(inner, wanted, rtol=0.15)
