"""What concerns the whole batch is the same under pmap, jit and on one device."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from aigc_jax.errors import ConfigError
from aigc_jax.ops import batch


def test_draws_are_the_global_ones_under_pmap():
    key = jax.random.key(0)
    everything = batch.draw(jax.random.normal, key, (16, 3))
    mapped = jax.pmap(lambda _: batch.draw(jax.random.normal, key, (2, 3)), axis_name=batch.AXIS)(np.arange(8))
    np.testing.assert_array_equal(np.concatenate(mapped), everything)


def test_draws_are_the_same_on_a_mesh():
    key = jax.random.key(0)
    mesh = jax.make_mesh((4, 2, 1), ("data", "fsdp", "tensor"), axis_types=(jax.sharding.AxisType.Auto,) * 3)
    with jax.set_mesh(mesh):
        spread = jax.jit(lambda: batch.draw(jax.random.normal, key, (16, 3)))()
    assert len(spread.sharding.device_set) == 8
    np.testing.assert_array_equal(spread, batch.draw(jax.random.normal, key, (16, 3)))


def test_means_go_over_devices_only_under_pmap():
    x = np.arange(8.0)
    mapped = jax.pmap(lambda v: batch.mean(v), axis_name=batch.AXIS)(x)
    np.testing.assert_allclose(mapped, np.full(8, 3.5))
    np.testing.assert_array_equal(jax.jit(batch.mean)(x), x)
    assert batch.axis() is None


def test_microbatches_hold_every_row_once():
    x = jnp.arange(24).reshape(12, 2)
    parts = batch.microbatches({"x": x}, 3)["x"]
    assert parts.shape == (3, 4, 2)
    assert sorted(np.asarray(parts).reshape(12, 2).tolist()) == x.tolist()
    with pytest.raises(ConfigError, match="12 examples"):
        batch.microbatches({"x": x}, 5)


def test_a_reduction_per_example_keeps_the_first_axis():
    x = np.arange(24.0).reshape(2, 3, 4)
    np.testing.assert_array_equal(batch.per_example(jnp.sum, x), x.sum((1, 2)))
    np.testing.assert_array_equal(batch.per_example(jnp.mean, x[:, 0, 0]), x[:, 0, 0])
