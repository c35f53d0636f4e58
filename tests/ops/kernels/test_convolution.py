"""Minimal filtering is the convolution: values and gradients, for sides that tiles do not divide."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from aigc_jax.ops.kernels import convolution
from aigc_jax.ops.kernels.convolution import CHANNELS, convolve, plain, winograd
from aigc_jax.ops.kernels.strided import halve

ERRORS = {2: 2e-6, 4: 2e-5}  # of the largest value; plain float32 convolutions have about 5e-7


def arrays(height, width, inputs=5, outputs=7, seed=0):
    random = np.random.RandomState(seed)
    shapes = (2, height, width, inputs), (3, 3, inputs, outputs), (2, height, width, outputs)
    return [random.standard_normal(shape).astype(np.float32) for shape in shapes]


def exact(x, kernel, cotangent):
    """In float64: the convolution as a sum over the kernel's places, and its gradients by the same places."""
    x, kernel, cotangent = (np.asarray(each, np.float64) for each in (x, kernel, cotangent))
    height, width = x.shape[1:3]
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    y, to_kernel, to_padded = np.zeros_like(cotangent), np.zeros_like(kernel), np.zeros_like(padded)
    for i in range(3):
        for j in range(3):
            part = padded[:, i : i + height, j : j + width]
            y += part @ kernel[i, j]
            to_kernel[i, j] = np.einsum("bhwi,bhwo->io", part, cotangent)
            to_padded[:, i : i + height, j : j + width] += cotangent @ kernel[i, j].T
    return y, to_padded[:, 1:-1, 1:-1], to_kernel


def of(function, x, kernel, cotangent):
    @jax.jit
    def both(x, kernel, cotangent):
        y, back = jax.vjp(function, x, kernel)
        return y, *back(cotangent)

    return both(x, kernel, cotangent)


@pytest.mark.parametrize("tile", [2, 4])
@pytest.mark.parametrize(("height", "width"), [(8, 8), (5, 7), (9, 6)])
def test_values_and_gradients_are_those_of_the_sum(tile, height, width):
    given = arrays(height, width)
    for found, expected in zip(of(lambda x, k: winograd(x, k, tile), *given), exact(*given), strict=True):
        assert found.shape == expected.shape
        np.testing.assert_allclose(found, expected, atol=ERRORS[tile] * np.abs(expected).max())


def test_the_plain_one_is_the_same_sum():
    given = arrays(6, 5)
    for found, expected in zip(of(plain, *given), exact(*given), strict=True):
        np.testing.assert_allclose(found, expected, atol=2e-6 * np.abs(expected).max())


@pytest.mark.parametrize(
    ("side", "channels", "dtype", "tile"),
    [
        (16, CHANNELS, jnp.float32, 4),
        (8, CHANNELS, jnp.float32, 2),
        (4, CHANNELS, jnp.float32, None),
        (16, CHANNELS - 1, jnp.float32, None),
        (16, CHANNELS, jnp.bfloat16, None),
    ],
)
def test_which_way_is_taken_on_one_cpu(side, channels, dtype, tile, monkeypatch):
    taken = []
    monkeypatch.setattr(convolution, "winograd", lambda x, kernel, tile: taken.append(tile))
    monkeypatch.setattr(convolution, "plain", lambda x, kernel: taken.append(None))
    convolve(jnp.zeros((1, side, side, channels), dtype), jnp.zeros((3, 3, channels, channels), dtype))
    assert taken == [tile]


def test_over_several_devices_the_plain_way_is_taken(monkeypatch):
    monkeypatch.setattr(convolution, "winograd", None)
    mesh = jax.make_mesh((8,), ("data",), axis_types=(jax.sharding.AxisType.Auto,))
    with jax.set_mesh(mesh):
        x, kernel, _ = arrays(16, 16, CHANNELS, CHANNELS)
        assert jax.jit(convolve)(x, kernel).shape == x.shape


@pytest.mark.parametrize("of", [convolve, halve])
def test_gradients_on_a_cpu_are_convolutions_of_one_layout(of):
    """XLA brings others into it at the top of a program alone: in a branch they take 30 times as long."""
    x, kernel = jnp.ones((2, 6, 6, 3)), jnp.ones((4, 4, 3, 5) if of is halve else (3, 3, 3, 5))

    def value(x, kernel):
        return jnp.sum(of(x, kernel) ** 2)

    def penalty(x, kernel):
        return jnp.sum(jax.grad(value)(x, kernel) ** 2)

    for function in (value, penalty):
        text = str(jax.make_jaxpr(jax.grad(function, argnums=(0, 1)))(x, kernel))
        layouts = set(re.findall(r"lhs_spec=\([\d, ]+\), rhs_spec=\([\d, ]+\), out_spec=\([\d, ]+\)", text))
        assert layouts == {"lhs_spec=(0, 3, 1, 2), rhs_spec=(3, 2, 0, 1), out_spec=(0, 3, 1, 2)"}


@pytest.mark.parametrize(("inputs", "outputs", "side"), [(3, 5, 6), (CHANNELS, CHANNELS, 6), (CHANNELS, CHANNELS, 10)])
def test_gradients_of_a_gradient_are_those_of_the_plain_one(inputs, outputs, side):
    x, kernel, cotangent = arrays(side, side, inputs, outputs)

    def of(operation):
        def penalty(x, kernel):
            slopes = jax.grad(lambda x: jnp.sum(jnp.tanh(operation(x, kernel) / 10) * cotangent))(x)
            return jnp.sum(slopes**2)

        return jax.jit(jax.grad(penalty, argnums=(0, 1)))(x, kernel)

    for one, other in zip(of(convolve), of(plain), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4 * np.abs(other).max())


@pytest.mark.parametrize("operation", [convolve, halve])
def test_gradients_are_those_of_one_device_where_another_axis_of_a_mesh_does_not_split_the_batch(operation):
    """Products of matrices stand in for XLA's convolution there, whose kernel's gradient is wrong in some programs."""
    x = jax.random.normal(jax.random.key(0), (8, 6, 10, 3))
    kernel = jax.random.normal(jax.random.key(1), (*((3, 3) if operation is convolve else (4, 4)), 3, 5))

    def slopes(x, kernel):
        return jax.jit(jax.grad(lambda x, k: jnp.sum(jnp.sin(operation(x, k))), (0, 1)))(x, kernel)

    expected = slopes(x, kernel)
    mesh = jax.make_mesh((2, 2, 2), ("data", "fsdp", "tensor"), axis_types=(jax.sharding.AxisType.Auto,) * 3)
    rows = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec(("data", "fsdp")))
    with jax.set_mesh(mesh):
        split = jax.device_put(x, rows)
        found = slopes(split, kernel)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, atol=2e-4)
