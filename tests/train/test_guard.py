"""An update that is not finite is not taken; after too many, training goes back and leaves their batches out."""

import json
import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support import finite, load_config, same

from aigc_jax.build import build, catalogue
from aigc_jax.data.dataset import ArraySource, DataSet
from aigc_jax.data.stream import batch_number, order
from aigc_jax.errors import UserError
from aigc_jax.train import guard, loop
from aigc_jax.train.workdir import Workdir

POISON = 10**6  # added to the label of a spoilt image, once for each place of its factor in FACTORS
FACTORS = (1.0, np.nan, np.inf, 1e25, 20.0)  # in the data, so that one program serves them all
FAMILIES = ["ddpm_fashion_mnist", "dcgan_fashion_mnist", "vae_fashion_mnist"]


class Spoiling(DataSet):
    """A data set that multiplies the images of spoilt examples by their factor."""

    def prepare(self, key, rows, train):
        factors = jnp.asarray(FACTORS, jnp.float32)[rows["label"] // POISON]
        clean = super().prepare(key, {**rows, "label": rows["label"] % POISON}, train)
        return clean.replace(target=clean.target * factors[:, None, None, None])


@pytest.fixture
def spoilt(on_small_data, monkeypatch):
    """A function: (configuration's name, batches of the first epoch to spoil, factor, ...) -> it on such data."""
    load = catalogue.load

    def make(name, batches, factor, size=8, **settings):
        config = on_small_data(load_config(name, "tiny"))
        config["data"] = {**config["data"], "batch_size": size}
        config["train"] = {**config["train"], "log_every": 1, **settings}
        config["evaluate"] = {**config["evaluate"], "every": 0}
        config["checkpoint"] = {**config["checkpoint"], "best": ""}
        config["tracking"] = {**config["tracking"], "tensorboard": False}

        def loaded(*arguments):
            data = load(*arguments)
            train = dict(data.splits["train"].arrays)
            label = np.array(train["label"])
            for batch in batches:  # one image of each
                label[order(config["seed"], len(label), batch * size, size)[3]] += POISON * FACTORS.index(factor)
            splits = {**data.splits, "train": ArraySource({**train, "label": label})}
            return Spoiling(**{**vars(data), "splits": splits})

        monkeypatch.setattr(catalogue, "load", loaded)
        return config

    return make


def records(workdir):
    return [json.loads(line) for line in workdir.metrics.read_text("utf-8").splitlines()]


def states(config, steps):
    """The state before the first step and after each."""
    run = build(config, devices=jax.devices()[:1])
    feed, state, sums = run.feeds["train"], run.programs.init(), run.programs.start_sums()
    found = [jax.device_get(state)]
    for items in feed.training(run.batch_size, run.seed, 0, steps, 1):
        state, sums = run.programs.train(state, sums, feed.resident, items)
        found.append(jax.device_get(state))
    return found, jax.device_get(sums)["watch"]


@pytest.mark.parametrize("factor", [np.nan, np.inf, 1e25])
@pytest.mark.parametrize("name", FAMILIES)
def test_a_spoilt_update_is_not_taken(spoilt, name, factor):
    found, watch = states(spoilt(name, [2], factor), 4)
    assert [int(state.step) for state in found] == [0, 1, 2, 3, 4]
    kept = [state.replace(step=0) for state in found]
    assert same(kept[2], kept[3]), "neither weights nor optimizer nor averages nor batch statistics move"
    assert not same(kept[1], kept[2]) and not same(kept[3], kept[4]), "the others do"
    assert finite(found[-1].params) and finite(found[-1].opt_state)
    assert (watch.taken, watch.skipped, watch.run, watch.longest, watch.until) == (3, 1, 0, 1, 3)


def test_it_is_counted_and_the_mean_is_of_the_others(spoilt, tmp_path):
    config = spoilt("vae_fashion_mnist", [2], np.nan, log_every=2)
    workdir = Workdir(tmp_path / "run")
    loop.train(build(config), workdir, time.time())
    train = [record for record in records(workdir) if record["group"] == "train"]
    assert [record.get("skipped") for record in train] == [None, 1.0]
    assert all(np.isfinite(value) for record in train for key, value in record.items() if key != "group")


@pytest.mark.parametrize("per_call", [1, 2])
def test_too_many_in_a_row_and_it_goes_back_and_leaves_them_out(spoilt, tmp_path, capsys, per_call):
    """The result is that of the same steps over the batches that remain."""
    settings = dict(steps=8, max_skipped=3, log_every=2, steps_per_call=per_call)
    config = spoilt("vae_fashion_mnist", [4, 5, 6], np.nan, size=4, **settings)
    run, workdir = build(config, devices=jax.devices()[:1]), Workdir(tmp_path / "run")
    loop.train(run, workdir, time.time())
    said = capsys.readouterr().out
    assert "3 updates in a row, steps 5 to 7, were not finite or far too large: back to step 4" in said
    assert json.loads(workdir.left_out.read_text("utf-8")) == [{"batches": [4, 7], "from": 4}]
    assert [record["step"] for record in records(workdir) if record["group"] == "train"] == [2, 4, 6, 8]
    assert not [record for record in records(workdir) if "skipped" in record]
    keeper = run.checkpoints(workdir.checkpoints)
    state, _, _ = keeper.restore(run.programs.described, run.programs.described_sums, 8)
    feed, programs = run.feeds["train"], run.programs
    expected, sums = programs.init(), programs.start_sums()
    for items in feed.training(run.batch_size, run.seed, 0, 8, per_call, [(4, 7)]):
        expected, sums = programs.train(expected, sums, feed.resident, items)
    assert same(jax.device_get(state), jax.device_get(expected))


def test_when_it_repeats_training_ends_with_finite_weights(spoilt, tmp_path):
    config = spoilt("vae_fashion_mnist", range(2, 10), np.nan, size=4, steps=10, max_skipped=2)
    run, workdir = build(config, devices=jax.devices()[:1]), Workdir(tmp_path / "run")
    with pytest.raises(UserError, match="again after it went back to step 2") as caught:
        loop.train(run, workdir, time.time())
    assert caught.value.code == 1 and "\n" not in str(caught.value)
    keeper = run.checkpoints(workdir.checkpoints)
    assert keeper.steps() == [2]
    assert finite(jax.device_get(keeper.restore(run.programs.described, run.programs.described_sums, 2)[0]))


def test_a_spike_is_no_update_where_it_is_asked(spoilt, monkeypatch):
    monkeypatch.setattr(guard, "SETTLED", 3)
    calm, watch = states(spoilt("vae_fashion_mnist", [4], 20.0, spike=0.0), 6)
    assert watch.skipped == 0 and not same(calm[4].params, calm[5].params)
    wary, watch = states(spoilt("vae_fashion_mnist", [4], 20.0, spike=5.0), 6)
    assert watch.skipped == 1 and same(wary[4].params, wary[5].params)
    assert not same(wary[5].params, wary[6].params)


def test_what_is_remembered_follows_the_rows():
    """Against the same said in plain Python, over random sequences of good and bad steps with logs between."""
    random = np.random.RandomState(0)
    for _ in range(20):
        watch, run, longest, until, norms = guard.start({"net_gradient": 0.0, "loss": 0.0}), 0, 0, 0, []
        for step in range(1, 40):
            bad, norm = random.rand() < 0.4, np.float32(random.rand() + 0.5)
            metrics = {"net_gradient": jnp.float32(norm), "loss": jnp.float32(np.nan if bad else 1)}
            good, watch = guard.admit(metrics, watch, jnp.int32(step), 0.0)
            assert bool(good) != bad
            run = run + 1 if bad else 0
            if run > longest:
                longest, until = run, step
            norms += [] if bad else [norm]
            assert (int(watch.run), int(watch.longest), int(watch.until)) == (run, longest, until)
            assert int(watch.all_taken) == len(norms)
            np.testing.assert_allclose(watch.usual["net_gradient"], np.mean(norms) if norms else 0, rtol=1e-5)
            if step % 10 == 0:
                watch, longest, until = guard.logged(watch), 0, 0


def test_batch_numbers_pass_over_what_is_left_out():
    ranges = [(7, 9), (2, 4)]
    left = [batch for batch in range(30) if not any(first <= batch < beyond for first, beyond in ranges)]
    assert [batch_number(step, ranges) for step in range(20)] == left[:20]
    assert [batch_number(step, []) for step in range(5)] == list(range(5))
