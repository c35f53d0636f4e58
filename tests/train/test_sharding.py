"""The mesh follows the configuration, and a leaf's place follows from its path and shape."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.sharding import PartitionSpec

from aigc_jax.errors import ConfigError
from aigc_jax.learner import Learner, ema, initial_state
from aigc_jax.train.sharding import Layout, gathered, layout, place, shardings, spec

RULES = ((r"up/kernel$", 1), (r"down/kernel$", 0))


def mesh(data=-1, fsdp=1, tensor=1, compile="jit") -> Layout:
    return layout(jax.devices(), data=data, fsdp=fsdp, tensor=tensor, compile=compile)


@pytest.mark.parametrize(
    ("asked", "made"),
    [((-1, 1, 1), (8, 1, 1)), ((2, -1, 1), (2, 4, 1)), ((-1, 2, 2), (2, 2, 2)), ((1, 1, 8), (1, 1, 8))],
)
def test_minus_one_takes_the_remaining_devices(asked, made):
    assert tuple(mesh(*asked).mesh.shape.values()) == made


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ((3, 1, 1), "needs 3 devices and there are 8"),
        ((-1, 3, 1), "needs 6 devices and there are 8"),
        ((-1, -1, 1), "one may be -1"),
        ((4, 2, 1, "pmap"), "splits data only"),
    ],
)
def test_a_mesh_that_does_not_fit_is_refused(asked, said):
    with pytest.raises(ConfigError, match=said):
        mesh(*asked)


@pytest.mark.parametrize(
    ("path", "shape", "expected"),
    [
        ("params/net/up/kernel", (64, 256), ["fsdp", "tensor"]),
        ("params/net/down/kernel", (256, 64), ["tensor", "fsdp"]),
        ("params/net/other/kernel", (64, 256), [None, "fsdp"]),
        ("params/net/other/bias", (256,), [None]),  # small
        ("params/net/conv/kernel", (3, 3, 7, 256), [None, None, None, "fsdp"]),
        ("params/net/odd/kernel", (33, 333), [None, None]),  # nothing divides
        ("step", (), []),
    ],
)
def test_where_a_leaf_goes(path, shape, expected):
    assert spec(path, shape, mesh(2, 2, 2), RULES) == expected


def test_without_the_axes_everything_is_copied():
    assert spec("params/net/up/kernel", (64, 256), mesh(), RULES) == [None, None]


class Wide(nn.Module):
    """Two layers large enough to be split."""

    @nn.compact
    def __call__(self, x):
        return nn.Dense(256, name="down")(nn.relu(nn.Dense(1024, name="up")(x)))


def test_fully_sharded_state_takes_an_eighth_of_each_device_and_is_the_same():
    learner = Learner("net", Wide(), optax.adam(1e-3), {"net": ema(0.9, False)}, 1)

    def init(key):
        return initial_state({"net": (learner, learner.init(key, jnp.zeros((1, 256))))}, {})

    plan = mesh(1, 8, 1)
    abstract = jax.eval_shape(init, jax.random.key(0))
    state = jax.jit(init, out_shardings=shardings(plan, abstract, ()))(jax.random.key(0))
    total = sum(leaf.nbytes for leaf in jax.tree.leaves(state))
    first = sum(shard.data.nbytes for leaf in jax.tree.leaves(state) for shard in leaf.addressable_shards[:1])
    assert first <= total / 8 * 1.02, "the small leaves are copied, the rest is split"
    for kind in ("params", "ema", "opt_state"):
        kernels = [
            leaf
            for path, leaf in jax.tree.leaves_with_path(getattr(state, kind))
            if jax.tree_util.keystr(path, simple=True, separator="/").endswith("up/kernel")
        ]
        assert all(leaf.sharding.spec == PartitionSpec(None, "fsdp") for leaf in kernels), kind
    jax.tree.map(np.testing.assert_array_equal, jax.device_get(state), jax.device_get(jax.jit(init)(jax.random.key(0))))


def test_gathered_is_whole_along_fsdp_and_split_along_tensor():
    plan = mesh(2, 2, 2)
    split = {"kernel": plan.named("fsdp", "tensor"), "bias": plan.named(None)}
    assert jax.tree.map(lambda x: x.spec, gathered(plan, split)) == {
        "kernel": PartitionSpec(None, "tensor"),
        "bias": PartitionSpec(None),
    }


def test_placed_rows_are_split_over_data_and_fsdp():
    plan = mesh(4, 2, 1)
    x = np.arange(48).reshape(2, 8, 3)
    placed = place({"x": x}, plan.batch(leading=1))["x"]
    np.testing.assert_array_equal(placed, x)
    assert {shard.data.shape for shard in placed.addressable_shards} == {(2, 1, 3)}
