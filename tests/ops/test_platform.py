"""What a program is traced for."""

import jax
import jax.numpy as jnp
import numpy as np

from aigc_jax.ops import batch
from aigc_jax.ops.platform import single_cpu


def seen(trace):
    found = []
    trace(lambda x: found.append(single_cpu()) or x)
    return found[-1]


def test_one_cpu_device_without_a_mesh_and_with_one():
    x = jnp.zeros(8)
    assert single_cpu()
    assert seen(lambda f: jax.jit(f)(x))
    with jax.set_mesh(jax.make_mesh((1,), ("data",), devices=jax.devices()[:1])):
        assert seen(lambda f: jax.jit(f)(x))
        assert seen(lambda f: jax.eval_shape(jax.grad(lambda y: jnp.sum(f(y))), x))


def test_several_devices_are_not_one():
    with jax.set_mesh(jax.make_mesh((8,), ("data",))):
        assert not seen(lambda f: jax.jit(f)(jnp.zeros(8)))
    devices = jax.devices()[:2]
    assert not seen(lambda f: jax.pmap(f, axis_name=batch.AXIS, devices=devices)(np.zeros((2, 3))))
