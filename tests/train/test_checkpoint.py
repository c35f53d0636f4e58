"""A checkpoint comes back bit for bit, onto any mesh, or is refused by the leaf that differs."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from aigc_jax.errors import UserError
from aigc_jax.method import State
from aigc_jax.train.checkpoint import Checkpoints
from aigc_jax.train.sharding import layout, shardings

KEEP = dict(keep_last=2, keep_best=1, best="error", best_is="lowest", keep_every=0)
SUMS = {"metrics": {"loss": jnp.float32(3)}, "count": jnp.float32(2)}


def state_of(step=0, width=256, seed=0) -> State:
    random = np.random.RandomState(seed)
    networks = {
        name: {"kernel": jnp.asarray(random.randn(64, width), jnp.float32), "bias": jnp.zeros(width)}
        for name in ("generator", "discriminator")
    }
    tx = optax.chain(optax.clip_by_global_norm(1.0), optax.adam(1e-3))
    return State(
        step=jnp.int32(step),
        params=networks,
        opt_state={name: tx.init(params) for name, params in networks.items()},
        ema={"generator": jax.tree.map(lambda x: x + 1, networks["generator"])},
        extra={"pool": jnp.arange(6, dtype=jnp.uint8)},
        frozen={},
    )


def on(state, data, fsdp, tensor=1):
    plan = layout(jax.devices(), data=data, fsdp=fsdp, tensor=tensor, compile="jit")
    return jax.device_put(state, shardings(plan, state, ()))


def described(state):
    return jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=x.sharding), state)


def same(one, other):
    assert jax.tree.structure(one) == jax.tree.structure(other)
    jax.tree.map(np.testing.assert_array_equal, jax.device_get(one), jax.device_get(other))


@pytest.fixture
def keeper(tmp_path):
    made = Checkpoints(tmp_path / "checkpoints", **KEEP)
    yield made
    made.close()


@pytest.mark.parametrize("mesh", [(8, 1), (1, 8), (2, 4)])
def test_restored_on_another_mesh_bit_for_bit(keeper, mesh):
    state = on(state_of(7), 4, 2)
    keeper.save(state, SUMS, {})
    keeper.wait()
    restored, sums, _ = keeper.restore(described(on(state_of(0, seed=1), *mesh)), SUMS, 7)
    same(restored, state)
    same(sums, SUMS)
    kernel = restored.params["generator"]["kernel"]
    assert kernel.sharding == on(state_of(), *mesh).params["generator"]["kernel"].sharding


def test_a_sampler_reads_averages_alone(keeper):
    state = on(state_of(3), 8, 1)
    keeper.save(state, SUMS, {})
    keeper.wait()
    lean = keeper.restore_for_sampling(described(state), 3)
    assert lean.opt_state == {}
    assert set(lean.params) == {"discriminator"}, "the generator has an average"
    same(lean.weights("generator"), state.ema["generator"])
    same(lean.extra, state.extra)
    assert int(lean.step) == 3


def test_the_last_and_the_best_are_kept(keeper):
    for step, error in enumerate([5.0, 1.0, 3.0, 4.0, 2.0]):
        keeper.save(on(state_of(step), 8, 1), SUMS, {"error": error})
    keeper.wait()
    assert keeper.steps() == [1, 3, 4]
    assert keeper.best() == 1


def test_a_step_saved_twice_is_saved_once(keeper):
    state = on(state_of(2), 8, 1)
    keeper.save(state, SUMS, {})
    keeper.save(state, SUMS, {})
    keeper.wait()
    assert keeper.steps() == [2]


@pytest.mark.parametrize(
    ("other", "leaf"),
    [
        (lambda s: s.replace(params={**s.params, "generator": state_of(width=128).params["generator"]}), "bias"),
        (lambda s: s.replace(params={**s.params, "extra_net": {"kernel": jnp.ones(3)}}), r"extra_net/kernel"),
        (lambda s: s.replace(extra={"pool": s.extra["pool"].astype(jnp.int32)}), r"extra\.pool"),
        (lambda s: s.replace(ema={"generator": {"kernel": s.ema["generator"]["kernel"]}}), r"ema\.generator/bias"),
    ],
)
def test_another_network_is_refused_by_leaf(keeper, other, leaf):
    state = on(state_of(1), 8, 1)
    keeper.save(state, SUMS, {})
    keeper.wait()
    with pytest.raises(UserError, match=leaf) as caught:
        keeper.restore(described(on(other(state_of()), 8, 1)), SUMS, 1)
    assert "\n" not in str(caught.value)


def test_a_truncated_checkpoint_is_named(keeper):
    state = on(state_of(1), 8, 1)
    keeper.save(state, SUMS, {})
    keeper.wait()
    files = [path for path in (keeper.folder / "1").rglob("d/*") if path.stat().st_size > 1000]
    assert files
    for path in files:
        path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(UserError, match=r"checkpoints/1 cannot be read"):
        keeper.restore(described(state), SUMS, 1)


def test_a_folder_that_was_moved_away_is_not_made_again(tmp_path):
    keeper, state = Checkpoints(tmp_path / "checkpoints", **KEEP), on(state_of(1), 8, 1)
    keeper.save(state, SUMS, {})
    keeper.wait()
    (tmp_path / "checkpoints").rename(tmp_path / "away")
    with pytest.raises(UserError, match="moved or removed; it holds"):
        keeper.save(state.replace(step=jnp.int32(2)), SUMS, {})
    assert not (tmp_path / "checkpoints").exists()
    (tmp_path / "checkpoints").mkdir()  # as another process may
    with pytest.raises(UserError, match="moved or removed"):
        keeper.save(state.replace(step=jnp.int32(2)), SUMS, {})
    assert not list((tmp_path / "checkpoints").iterdir())
    (tmp_path / "checkpoints").rmdir()
    (tmp_path / "away").rename(tmp_path / "checkpoints")
    keeper.save(state.replace(step=jnp.int32(2)), SUMS, {})
    keeper.close()
    assert keeper.steps() == [1, 2]


def test_relative_folders_hold_the_same_checkpoints(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    keeper = Checkpoints(Path("relative/checkpoints"), **KEEP)
    state = on(state_of(4), 8, 1)
    keeper.save(state, SUMS, {})
    keeper.wait()
    same(keeper.restore(described(state), SUMS, 4)[0], state)
    keeper.close()


def test_what_cannot_be_read_back_does_not_count(keeper, monkeypatch):
    monkeypatch.setattr(keeper, "_saved", lambda step, item: {})
    keeper.save(on(state_of(5), 8, 1), SUMS, {})
    with pytest.raises(UserError, match=r"step 5 could not be written .*cannot be read back"):
        keeper.wait()
    assert keeper.steps() == []
