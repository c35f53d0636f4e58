"""The laws that every configuration's family keeps. New ones join by being in configs/.

Configurations of one signature run the same code. The first of them stands for all where programs are compiled: one run
of it, of one device, serves every law, and is held against a run over a mesh. The tiny twin of each other one trains
too. Every configuration builds at its full size, without an array made. `make test` has one signature of each family,
and the longer parts have the others.
"""

import functools
import shutil
import time
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support import CONFIGS, load_config, on_small_data, with_weights

from aigc_jax.build import build
from aigc_jax.data import catalogue
from aigc_jax.data.stream import evaluation
from aigc_jax.train import loop
from aigc_jax.train.run import Run
from aigc_jax.train.workdir import Workdir

STEPS, SAMPLES = 3, 8
LATE = 12  # steps after which weights have moved that are behind several layers of zeros
ALONE = 2e-5  # of values in [-1, 1]: products over other numbers of rows round otherwise
MESH = {"data": 2, "fsdp": 2, "tensor": 2}
# Adam divides by the gradient, and so makes rounding of zeros visible between numbers of devices.
PLAIN = {"name": "sgd", "learning_rate": 0.1, "schedule": "constant", "clip_norm": 1.0, "warmup_steps": 0}


def tiny(name, **changes):
    """A configuration's tiny twin on small data, with changes to its sections; `optimizers`: of every network."""
    config = on_small_data(load_config(name, "tiny"))
    plain = changes.pop("optimizers", {})
    optimizers = {network: {**section, **plain} for network, section in config["optimizers"].items()}
    changed = {section: {**config[section], **values} for section, values in changes.items()}
    return {**config, "optimizers": optimizers, **changed}


@functools.cache
def signature(name):
    """What decides which code a configuration runs: family, networks, data, codec, and whether labels are read."""
    config = tiny(name)
    networks = config["networks"].values()
    section = {key: value for key, value in config["data"].items() if key != "batch_size"}
    return (
        config["method"]["name"],
        *sorted(network["name"] for network in networks),
        type(catalogue.load(section, None).made).__name__,
        config.get("codec", {"name": "identity"})["name"],
        *("without labels" for network in networks if network.get("label_classes") == 0),
    )


def first_of(names, key):
    """The first name of each key, in order."""
    return list({key(name): name for name in reversed(names)}.values())[::-1]


def each(names, *marks):
    """Parameters: tests of one signature go to one process, since they share what is compiled."""
    return [pytest.param(name, marks=[pytest.mark.xdist_group(" ".join(signature(name))), *marks]) for name in names]


FIRST = first_of(CONFIGS, signature)
FAMILIES = first_of(FIRST, lambda name: signature(name)[0])  # one of each family
OTHERS = [name for name in FIRST if name not in FAMILIES]
# Pytest puts together what has the same place among parameters. So the families are first, and a run is made once.
SIGNATURES = each(FAMILIES) + each(OTHERS, pytest.mark.long(part="signatures"))


class Trained(NamedTuple):
    """A run on one device, from its first step to its last."""

    config: dict[str, Any]
    run: Run
    workdir: Workdir
    before: Any  # its state, on the host
    state: Any  # after STEPS steps
    sums: Any  # of their metrics, on the host


@pytest.fixture(scope="module", params=SIGNATURES)
def trained(request, tmp_path_factory):
    config = tiny(
        request.param,
        optimizers=PLAIN,
        evals={name: {"samples": 0, "measures": ()} for name in load_config(request.param)["evals"]},
        tracking={"tensorboard": False},
    )
    run, workdir = build(config, devices=jax.devices()[:1]), Workdir(tmp_path_factory.mktemp("run") / "straight")
    loop.train(run, workdir, time.time())
    return Trained(config, run, workdir, *steps(run))


def steps(run, count=STEPS):
    """(state before on the host, state after `count` steps, sums of their metrics on the host)."""
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


DIFFERENCES = ("wasserstein", "relativistic")  # games that read differences of a discriminator's outputs alone


def is_read(path, leaf, config):
    """False of the bias of a discriminator's output in a game of differences, in which it cancels."""
    in_differences = config["method"].get("loss") in DIFFERENCES
    return not (in_differences and path.startswith("discriminator/") and path.endswith("/bias") and leaf.shape == (1,))


def stay(config, before, after):
    """Paths of the weights that are read and have not moved."""
    same = [path for path, leaf in leaves(after.params).items() if np.array_equal(leaf, leaves(before.params)[path])]
    return [path for path in same if is_read(path, leaves(after.params)[path], config)]


def check_steps(run, config, before, after, sums):
    """The state has the same form, is finite, and every weight has moved that the loss reads."""
    described = lambda tree: {k: (v.shape, v.dtype) for k, v in leaves(tree).items()}  # noqa: E731
    assert jax.tree.structure(before) == jax.tree.structure(after)
    assert described(before) == described(after)
    assert int(after.step) == STEPS
    assert float(sums["watch"].taken) == STEPS
    assert all(np.isfinite(value) for value in sums["metrics"].values())
    for path, leaf in leaves(after).items():
        assert np.all(np.isfinite(leaf)), path
    if stay(config, before, after):
        _, after, _ = steps(run, LATE)
    still = stay(config, before, after)
    assert not still, f"no gradient reaches {still}"
    for path, leaf in leaves(after.params).items():
        assert leaf.dtype == jnp.float32, f"{path} is a master weight"


def test_step_keeps_the_tree_and_moves_every_weight(trained):
    check_steps(trained.run, trained.config, trained.before, trained.state, trained.sums)


def test_same_key_same_bits(trained):
    _, state, sums = steps(trained.run)
    jax.tree.map(np.testing.assert_array_equal, state, trained.state)
    jax.tree.map(np.testing.assert_array_equal, sums, trained.sums)


def test_a_step_hands_on_what_is_frozen_and_leaves_counting_to_the_trainer(trained):
    """Nothing computes them: the traced step gives back the very variables that it was given."""
    programs = trained.run.programs
    assert not trained.state.frozen, "outside of a program no state holds what is frozen"
    frozen = {**programs.frozen, "other": jax.ShapeDtypeStruct((3,), jnp.float32)}
    state, batch = programs.described.replace(frozen=frozen), programs.described_batch
    with jax.set_mesh(programs.layout.mesh):
        traced, (after, _) = jax.make_jaxpr(programs.method.step, return_shape=True)(programs.root, state, batch)
    asked = dict(zip(leaves((programs.root, state, batch)), traced.jaxpr.invars, strict=True))
    given = dict(zip(leaves((after,)), traced.jaxpr.outvars, strict=False))
    for path in ("step", "frozen/other"):
        assert given[f"0/{path}"] is asked[f"1/{path}"], path


def test_evaluating_and_sampling_change_nothing_and_stay_finite(trained):
    run, state = trained.run, trained.state
    measures = run.measure(state)
    assert measures
    assert all(np.isfinite(value) for value in measures.values())
    assert measures == run.measure(state)
    if run.programs.method.sample is None:
        return
    samples, given = sampled(run, state)
    assert len(samples) == SAMPLES and np.all(np.isfinite(samples))
    np.testing.assert_array_equal(samples, sampled(run, state)[0])
    walks = run.programs.walks(jax.random.key(1), state, 3, [{name: rows[:3] for name, rows in given.items()}] * 2)
    if walks is not None:
        assert walks.shape == (6, *samples.shape[1:])
        assert np.all(np.isfinite(walks)) and not np.array_equal(walks[0], walks[3])


def test_a_sample_depends_neither_on_its_batch_nor_on_its_place(trained):
    run, state = trained.run, trained.state
    if run.programs.method.sample is None:
        return
    samples, given = sampled(run, state)
    for i in (0, 5):
        rows = {name: each[i : i + 1] for name, each in given.items()}
        alone = run.programs.sample(run.programs.keys(1, 0, np.array([i])), state, rows, run.plan)
        np.testing.assert_allclose(alone[0], samples[i], atol=ALONE)
    if run.data.made.kind not in ("labels", "tags"):  # of which two examples may have the same
        assert not np.array_equal(samples[0], samples[5])


def sampled(run, state):
    """(SAMPLES samples, what they were given)."""
    given = run.asked(SAMPLES).rows
    return run.programs.sample(run.programs.keys(1, 0, np.arange(SAMPLES)), state, given, run.plan), given


def test_interrupted_and_resumed_is_uninterrupted(trained, tmp_path):
    straight, broken = trained.workdir, Workdir(tmp_path / "broken")
    shutil.copytree(straight.folder, broken.folder)
    last, middle = trained.run.pace.steps, trained.run.save_every
    assert {middle, last} <= set(map(int, (p.name for p in broken.checkpoints.iterdir())))
    shutil.rmtree(broken.checkpoints / str(last))
    run = build(trained.config, devices=jax.devices()[:1])
    loop.train(run, broken, time.time())

    def saved(workdir: Workdir):
        keeper = run.checkpoints(workdir.checkpoints)
        return keeper.restore(run.programs.described, run.programs.described_sums, last)

    jax.tree.map(np.testing.assert_array_equal, saved(straight), saved(broken))
    assert straight.metrics.read_text("utf-8") == broken.metrics.read_text("utf-8")
    assert sorted(p.name for p in straight.samples.iterdir()) == sorted(p.name for p in broken.samples.iterdir())
    for path in straight.samples.iterdir():
        assert path.read_bytes() == (broken.samples / path.name).read_bytes(), path.name


def test_a_mesh_of_eight_devices_trains_what_one_does(trained):
    check_parallel(trained, MESH)


@pytest.mark.parametrize("trained", each(FAMILIES), indirect=True)
def test_pmap_trains_what_one_device_does(trained):
    check_parallel(trained, {"compile": "pmap"})


@pytest.mark.parametrize("trained", each(FAMILIES), indirect=True)
def test_a_mesh_measures_and_samples_what_one_device_does(trained):
    run = parallel(trained, MESH)
    state = jax.device_put(jax.device_get(trained.state), run.programs.shardings)
    expected = trained.run.measure(trained.state)
    assert run.measure(state) == pytest.approx(expected, rel=2e-3, abs=1e-4)
    if run.programs.method.sample is not None:
        np.testing.assert_allclose(sampled(run, state)[0], sampled(trained.run, trained.state)[0], atol=2e-2)


def parallel(trained, settings):
    """The same run over eight devices. settings: of `parallel`."""
    return build({**trained.config, "parallel": {**trained.config["parallel"], **settings}}, devices=jax.devices())


def check_parallel(trained, settings):
    """Weights and metrics of a run over eight devices are those of one device."""
    _, state, sums = steps(parallel(trained, settings))
    for part in ("params", "ema", "extra"):
        found = leaves(jax.device_get(getattr(state, part)))
        for path, leaf in leaves(getattr(trained.state, part)).items():
            np.testing.assert_allclose(found[path], leaf, rtol=2e-4, atol=2e-5, err_msg=f"{part}/{path}")
    for key, value in trained.sums["metrics"].items():
        np.testing.assert_allclose(sums["metrics"][key], value, rtol=2e-3, atol=1e-4, err_msg=key)


@pytest.mark.long(part="twins")
@pytest.mark.parametrize("name", each(name for name in CONFIGS if name not in FIRST))
def test_the_tiny_twin_trains(name):
    config = tiny(name, optimizers={"warmup_steps": 0})
    run = build(config, devices=jax.devices()[:1])
    check_steps(run, config, *steps(run))


@pytest.mark.parametrize("name", each(CONFIGS))
def test_full_configurations_build(name):
    """Every network's shapes follow, with no array made, and every key is read."""
    config = on_small_data(with_weights(load_config(name), load_config(name, "tiny")))
    config["evaluate"] = {**config["evaluate"], "batch_size": 64}  # for eight devices and few data
    config["evals"] = {}
    run = build(config)
    assert sum(leaf.size for leaf in jax.tree.leaves(run.programs.described.params)) > 1000


def test_a_remainder_batch_counts_each_example_once():
    """Sizes that no batch divides: the masked sums are the plain ones of NumPy."""
    for size in range(1, 30, 3):
        values = np.random.RandomState(size).rand(size).astype(np.float32)
        total = weight = 0.0
        for indices, mask in evaluation(size, 8, 0):
            total, weight = total + float((values[indices] * mask).sum()), weight + float(mask.sum())
        assert weight == size
        np.testing.assert_allclose(total / weight, values.astype(np.float64).mean(), rtol=1e-6)
