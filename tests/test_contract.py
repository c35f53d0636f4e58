"""The laws that every configuration's family keeps. New ones join by being in configs/.

Every configuration builds, and its tiny twin trains, evaluates and samples. What compiles for minutes is asked of one
configuration of each signature: configurations of one family, network and medium run the same code.
"""

import shutil
import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support import CONFIGS, load_config

from aigc_jax.build import build
from aigc_jax.data.stream import evaluation
from aigc_jax.train import loop
from aigc_jax.train.workdir import Workdir

STEPS = 3
ALONE = 2e-5  # of values in [-1, 1]: products over other numbers of rows round otherwise
KINDS = {  # data.name -> the kinds of its fields, where it is not the name itself
    **dict.fromkeys(("digits", "idx", "image_folder", "tfds"), "images"),
    **dict.fromkeys(("sentences", "tang_poems", "text_folder"), "texts"),
}


def signature(name):
    """What decides which code a configuration runs: family, networks, data, codec, and whether labels are read."""
    config = load_config(name)
    networks = config["networks"].values()
    return (
        config["method"]["name"],
        tuple(sorted(network["name"] for network in networks)),
        KINDS.get(config["data"]["name"], config["data"]["name"]),
        config.get("codec", {}).get("name"),
        any(network.get("label_classes") == 0 for network in networks),
    )


def first_of(names, key):
    """The first name of each key, in order."""
    return list({key(name): name for name in reversed(names)}.values())[::-1]


EVERY = pytest.mark.parametrize("name", CONFIGS)
SIGNATURES = first_of(CONFIGS, signature)
EACH_SIGNATURE = pytest.mark.parametrize("name", SIGNATURES)
WITH_PMAP = first_of(SIGNATURES, lambda name: signature(name)[0])  # one of each family


@pytest.fixture(scope="module")
def tiny(on_small_data):
    """name -> its tiny twin on small data, with changes to its sections."""

    def make(name, **changes):
        config = on_small_data(load_config(name, "tiny"))
        return {**config, **{section: {**config[section], **values} for section, values in changes.items()}}

    return make


def steps(run, count=STEPS):
    """(state before, state after `count` steps, sums of their metrics)."""
    programs = run.programs
    state, feed = programs.init(), run.feeds["train"]
    before = jax.device_get(state)
    state, sums = programs.mapped(state), programs.mapped(programs.start_sums())
    resident = programs.mapped(feed.resident)
    for items in feed.training(run.batch_size, run.seed, 0, count, 1):
        state, sums = programs.train(state, sums, resident, items)
    return before, programs.canonical(state), jax.device_get(programs.canonical(sums))


def leaves(tree):
    return {
        jax.tree_util.keystr(path, simple=True, separator="/"): leaf for path, leaf in jax.tree.leaves_with_path(tree)
    }


@EVERY
def test_step_keeps_the_tree_and_moves_every_weight(tiny, name):
    plain = {key: {**value, "warmup_steps": 0} for key, value in tiny(name)["optimizers"].items()}
    run = build(tiny(name, optimizers=plain), devices=jax.devices()[:1])
    before, after, sums = steps(run)
    described = lambda tree: {k: (v.shape, v.dtype) for k, v in leaves(tree).items()}  # noqa: E731
    assert jax.tree.structure(before) == jax.tree.structure(after)
    assert described(before) == described(after)
    assert int(after.step) == STEPS
    assert float(sums["watch"].taken) == STEPS
    assert all(np.isfinite(value) for value in sums["metrics"].values())
    for path, leaf in leaves(after).items():
        assert np.all(np.isfinite(leaf)), path
    still = [path for path, leaf in leaves(after.params).items() if np.array_equal(leaf, leaves(before.params)[path])]
    assert not still, f"no gradient reaches {still}"
    for path, leaf in leaves(after.params).items():
        assert leaf.dtype == jnp.float32, f"{path} is a master weight"


@EVERY
def test_same_key_same_bits_and_frozen_stays(tiny, name):
    run = build(tiny(name), devices=jax.devices()[:1])
    programs, method = run.programs, run.programs.method
    state = programs.init()
    assert not state.frozen, "no state holds what is frozen outside of a program"
    rows = run.data.splits["train"][np.arange(run.batch_size) % len(run.data.splits["train"])]
    frozen = {**programs.frozen, "other": jnp.arange(3.0)}
    batch = programs._batch(jax.random.key(5), frozen, {}, {k: jnp.asarray(v) for k, v in rows.items()}, True)
    step, state = jax.jit(method.step), state.replace(frozen=frozen)
    one, _ = step(jax.random.key(1), state, batch)
    assert int(one.step) == 0, "the trainer counts"
    same, _ = step(jax.random.key(1), state, batch)
    jax.tree.map(np.testing.assert_array_equal, one, same)
    jax.tree.map(np.testing.assert_array_equal, one.frozen, frozen)


@EACH_SIGNATURE
def test_eight_devices_and_pmap_train_what_one_does(tiny, name):
    # Plain gradient descent: Adam divides by the gradient's size, and so makes rounding of zeros visible.
    sgd = {key: {**value, "name": "sgd"} for key, value in tiny(name)["optimizers"].items()}
    settings = {
        "one device": ({}, jax.devices()[:1]),
        "eight devices": ({}, jax.devices()),
        "fully sharded": ({"data": 2, "fsdp": 2, "tensor": 2}, jax.devices()),
        **({"pmap": ({"compile": "pmap"}, jax.devices())} if name in WITH_PMAP else {}),
    }
    found = {}
    for setting, (parallel, devices) in settings.items():
        _, state, sums = steps(build(tiny(name, optimizers=sgd, parallel=parallel), devices=devices))
        found[setting] = jax.device_get((state.params, state.ema, state.extra)), sums
    expected, expected_sums = found.pop("one device")
    for setting, (state, sums) in found.items():
        for path, leaf in leaves(expected).items():
            np.testing.assert_allclose(leaves(state)[path], leaf, rtol=2e-4, atol=2e-5, err_msg=f"{setting}: {path}")
        for key, value in expected_sums["metrics"].items():
            np.testing.assert_allclose(sums["metrics"][key], value, rtol=2e-3, atol=1e-4, err_msg=f"{setting}: {key}")


@EACH_SIGNATURE
def test_interrupted_and_resumed_is_uninterrupted(tiny, name, tmp_path):
    config = tiny(name, tracking={"tensorboard": False})
    straight, broken = Workdir(tmp_path / "straight"), Workdir(tmp_path / "broken")
    run = build(config)
    loop.train(run, straight, time.time())
    shutil.copytree(straight.folder, broken.folder)
    last, middle = run.pace.steps, run.save_every
    assert {middle, last} <= set(map(int, (p.name for p in broken.checkpoints.iterdir())))
    shutil.rmtree(broken.checkpoints / str(last))
    loop.train(build(config), broken, time.time())

    def saved(workdir: Workdir):
        keeper = run.checkpoints(workdir.checkpoints)
        return keeper.restore(run.programs.described, run.programs.described_sums, last)

    jax.tree.map(np.testing.assert_array_equal, saved(straight), saved(broken))
    assert straight.metrics.read_text("utf-8") == broken.metrics.read_text("utf-8")
    assert sorted(p.name for p in straight.samples.iterdir()) == sorted(p.name for p in broken.samples.iterdir())
    for path in straight.samples.iterdir():
        assert path.read_bytes() == (broken.samples / path.name).read_bytes(), path.name


@EVERY
def test_evaluating_and_sampling_change_nothing_and_stay_finite(tiny, name):
    run = build(tiny(name))
    state = run.programs.init()
    measures = run.measure(state)
    assert measures
    assert all(np.isfinite(value) for value in measures.values())
    assert measures == run.measure(state)
    if run.programs.method.sample is None:
        return
    given = run.asked(8).rows
    keys = run.programs.keys(1, 0, np.arange(8, dtype=np.uint32))
    samples = run.programs.sample(keys, state, given, run.plan)
    assert samples.shape == (8, *samples.shape[1:]) and np.all(np.isfinite(samples))
    np.testing.assert_array_equal(samples, run.programs.sample(keys, state, given, run.plan))
    alone = run.programs.sample(keys[5:6], state, {name: rows[5:6] for name, rows in given.items()}, run.plan)
    np.testing.assert_allclose(alone[0], samples[5], atol=ALONE, err_msg="a sample depends on those beside it")
    assert not np.array_equal(samples[0], samples[1])
    walks = run.programs.walks(jax.random.key(1), state, 3, [{name: rows[:3] for name, rows in given.items()}] * 2)
    if walks is not None:
        assert walks.shape == (6, *samples.shape[1:])
        assert np.all(np.isfinite(walks)) and not np.array_equal(walks[0], walks[3])


def test_a_remainder_batch_counts_each_example_once():
    """Sizes that no batch divides: the masked sums are the plain ones of NumPy."""
    for size in range(1, 30, 3):
        values = np.random.RandomState(size).rand(size).astype(np.float32)
        total = weight = 0.0
        for indices, mask in evaluation(size, 8, 0):
            total, weight = total + float((values[indices] * mask).sum()), weight + float(mask.sum())
        assert weight == size
        np.testing.assert_allclose(total / weight, values.astype(np.float64).mean(), rtol=1e-6)


@EVERY
def test_full_configurations_build(on_small_data, name):
    """Every network's shapes follow, with no array made, and every key is read."""
    config = on_small_data(load_config(name))
    config["evaluate"] = {**config["evaluate"], "batch_size": 64, "samples": 0}  # for eight devices and few data
    run = build(config)
    assert sum(leaf.size for leaf in jax.tree.leaves(run.programs.described.params)) > 1000
