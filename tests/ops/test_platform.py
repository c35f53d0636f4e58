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


def test_columns_are_whole_where_no_axis_splits_them(monkeypatch):
    asked = []
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    for shape in ((8, 1), (4, 2)):
        with jax.set_mesh(jax.make_mesh(shape, ("data", "tensor"))):
            jax.eval_shape(lambda x: asked.append(platform.whole_on_gpus()) or x, jnp.zeros(1))
    assert asked == [True, False] and platform.whole_on_gpus()
    monkeypatch.setattr(jax, "default_backend", lambda: "tpu")
    assert not platform.whole_on_gpus()


def test_products_and_convolutions_are_the_compilers_own_and_sums_are_not():
    def work(x, image, kernel):
        moved = jax.lax.conv_general_dilated(image, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))
        return jnp.sum(x @ x, axis=0), moved

    arguments = jnp.ones((256, 256)), jnp.ones((8, 16, 16, 64)), jnp.ones((3, 3, 64, 64))
    lines = program(work).lower(*arguments).compile().as_text().splitlines()
    own = [line for line in lines if " dot(" in line or " convolution(" in line]
    assert len(own) == 2 and not [line for line in own if "ROOT" in line]  # none alone in a library's fusion
    assert "__ynn_fusion" in "".join(lines)


def test_an_update_in_place_copies_nothing_and_reads_what_was_there():
    """Adam's, with an average that follows, taken or not: each array is overwritten while others still need it."""

    def step(state, gradient, good):
        params, first, second, average = state
        first = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, first, gradient)
        second = jax.tree.map(lambda v, g: 0.99 * v + 0.01 * g**2, second, gradient)
        params = jax.tree.map(lambda p, m, v: p - 0.1 * m / (jnp.sqrt(v) + 1e-8), params, first, second)
        average = jax.tree.map(lambda a, p: a + 0.1 * (p - a), average, params)
        after = params, first, second, average
        return jax.tree.map(lambda new, old: jnp.where(good, new, old), after, state)

    keys = jax.random.split(jax.random.key(0), 5)
    *state, gradient = ({"w": jax.random.uniform(key, (64, 32)), "b": jax.random.uniform(key, (32,))} for key in keys)
    wanted = jax.device_get(jax.jit(step)(tuple(state), gradient, True))
    compiled = program(step, donate_argnums=0).lower(tuple(state), gradient, True).compile()
    assert " copy(" not in compiled.as_text()
    found = compiled(jax.tree.map(jnp.copy, tuple(state)), gradient, True)
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-6), found, wanted)
    kept = compiled(jax.tree.map(jnp.copy, tuple(state)), gradient, False)
    jax.tree.map(np.testing.assert_array_equal, kept, tuple(state))


def test_a_compiler_that_does_not_know_an_option_does_without_it(monkeypatch):
    known = dict(platform.CPU_OPTIONS)
    monkeypatch.setattr(platform, "CPU_OPTIONS", {"xla_cpu_of_another_version": "1", **known})
    platform._known.cache_clear()
    try:
        assert float(program(lambda x: x + 1)(1.0)) == 2.0
        assert platform._known() == known
    finally:
        platform._known.cache_clear()
