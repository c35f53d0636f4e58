"""What a program is traced for."""

import jax
import jax.numpy as jnp
import numpy as np

from aigc_jax.ops import batch, platform
from aigc_jax.ops.platform import program, single_cpu


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


def test_products_and_convolutions_are_the_compilers_own_and_sums_are_not():
    def work(x, image, kernel):
        moved = jax.lax.conv_general_dilated(image, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))
        return jnp.sum(x @ x, axis=0), moved

    arguments = jnp.ones((256, 256)), jnp.ones((8, 16, 16, 64)), jnp.ones((3, 3, 64, 64))
    lines = program(work).lower(*arguments).compile().as_text().splitlines()
    own = [line for line in lines if " dot(" in line or " convolution(" in line]
    assert len(own) == 2 and not [line for line in own if "ROOT" in line]  # none alone in a library's fusion
    assert "__ynn_fusion" in "".join(lines)


def test_a_compiler_that_does_not_know_the_options_does_without(monkeypatch):
    monkeypatch.setattr(platform, "CPU_OPTIONS", {"xla_cpu_of_another_version": "1"})
    platform._known.cache_clear()
    try:
        assert float(program(lambda x: x + 1)(1.0)) == 2.0
    finally:
        platform._known.cache_clear()
