"""The loop does the same however it is asked to go: in one call or many, from memory or disk, stopped or not."""

import json
import os
import signal
import subprocess
import sys
import time

import jax
import numpy as np
import pytest
from support import ROOT, load_config

from aigc_jax.build import build
from aigc_jax.errors import ConfigError
from aigc_jax.learner import Learner
from aigc_jax.train import feed as feeding
from aigc_jax.train import loop
from aigc_jax.train import trained as trained_modes
from aigc_jax.train.workdir import Workdir


@pytest.fixture
def tiny(on_small_data):
    def make(name="vae_fashion_mnist", **changes):
        config = on_small_data(load_config(name, "tiny"))
        for section, values in changes.items():
            config[section] = {**config[section], **values} if isinstance(values, dict) else values
        return config

    return make


def trained(config, steps=4, per_call=1):
    run = build(config, devices=jax.devices()[:1])
    state, sums, feed = run.programs.init(), run.programs.start_sums(), run.feeds["train"]
    for items in feed.training(run.batch_size, run.seed, 0, steps, per_call):
        state, sums = run.programs.train(state, sums, feed.resident, items)
    return jax.device_get((state, sums))


def close(one, other, rtol):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=rtol, atol=1e-5), one, other)


def test_several_steps_a_call_are_the_same_steps(tiny):
    close(trained(tiny()), trained(tiny(), per_call=2), rtol=1e-4)


def test_rows_from_the_host_are_those_looked_up_on_the_device(tiny, monkeypatch):
    resident = trained(tiny())
    monkeypatch.setattr(feeding, "RESIDENT_BYTES", 0)
    streamed = trained(tiny())
    jax.tree.map(np.testing.assert_array_equal, resident[0].step, streamed[0].step)
    close(resident, streamed, rtol=1e-5)


@pytest.mark.parametrize("resident_bytes", [0, feeding.RESIDENT_BYTES])
def test_a_run_traces_its_step_once(tiny, monkeypatch, resident_bytes):
    traces, update = [], Learner.update
    monkeypatch.setattr(feeding, "RESIDENT_BYTES", resident_bytes)
    monkeypatch.setattr(Learner, "update", lambda *arguments: traces.append(1) or update(*arguments))
    trained(tiny())
    assert len(traces) == 1


@pytest.mark.parametrize("name", ["ddpm_digits", "gpt_sentences"])
def test_rematerialisation_changes_no_gradient(tiny, name):
    networks = {"net": {**tiny(name)["networks"]["net"], "remat": True}}
    sgd = {"net": {**tiny(name)["optimizers"]["net"], "name": "sgd"}}
    close(trained(tiny(name, networks=networks, optimizers=sgd)), trained(tiny(name, optimizers=sgd)), rtol=1e-4)


def test_another_seed_is_another_run(tiny):
    one, other = trained(tiny()), trained(tiny(seed=1))
    assert one[1]["metrics"]["reconstruction"] != other[1]["metrics"]["reconstruction"]


@pytest.mark.parametrize("name", ["ddpm_digits", "gpt_sentences"])
def test_bfloat16_keeps_float32_weights_and_the_loss(tiny, name):
    state, sums = trained(tiny(name, precision="bfloat16"))
    full, full_sums = trained(tiny(name))
    assert {leaf.dtype for leaf in jax.tree.leaves((state.params, state.ema))} == {np.dtype("float32")}
    assert jax.tree.map(lambda x: x.dtype, state) == jax.tree.map(lambda x: x.dtype, full)
    for metric in ("simple", "loss"):
        if metric in sums["metrics"]:
            np.testing.assert_allclose(sums["metrics"][metric], full_sums["metrics"][metric], rtol=0.02)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"checkpoint": {"best": "bound_2"}, "evaluate": {"every": 0}}, "set evaluate.every"),
        ({"train": {"steps": 5, "steps_per_call": 2}}, "train.steps is 5"),
        ({"networks": {"nets": {"name": "x"}}}, "have to have the same names"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(tiny, changes, said):
    with pytest.raises(ConfigError, match=said):
        build(tiny(**changes))


def test_a_best_that_nothing_measures_is_refused_before_the_first_step(tiny, tmp_path):
    said, workdir = r'checkpoint.best: nothing measures "bound_3". Did you mean "bound_', Workdir(tmp_path)
    wrong = build(tiny(checkpoint={"best": "bound_3", "every": 2}, evaluate={"every": 2}))
    with pytest.raises(ConfigError, match=said):
        loop.train(wrong, workdir, time.time())
    assert not list(tmp_path.glob("checkpoints/*")) and not workdir.config.exists()
    loop.train(build(tiny()), workdir, time.time())
    with pytest.raises(ConfigError, match=said):
        trained_modes.restore(wrong, workdir)


def test_sigterm_saves_the_step_at_hand_and_the_run_goes_on(tmp_path):
    """The order to stop comes after the first step; the same command then ends where an unbroken run would."""
    command = [
        sys.executable, "main.py", "--config=configs/gpt_sentences.py:tiny", f"--workdir={tmp_path / 'run'}",
        "--config.train.steps=400", "--config.train.log_every=1", "--config.checkpoint.every=0",
        "--config.evaluate.every=0", "--config.optimizers.net.schedule=constant",
    ]  # fmt: skip
    env = {**os.environ, "JAX_NUM_CPU_DEVICES": "1", "JAX_PLATFORMS": "cpu", "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    for line in process.stdout:
        if "step   3/400" in line:
            process.send_signal(signal.SIGTERM)
            break
    rest, errors = process.communicate(timeout=120)
    assert process.returncode == 143, errors
    assert "as asked and saved" in rest
    stopped = int(rest.split("Stopped at step ")[1].split()[0])
    assert 3 <= stopped < 400
    again = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=280)
    assert f"Resuming from step {stopped}" in again.stdout, again.stderr
    steps = [json.loads(line)["step"] for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert [step for i, step in enumerate(steps) if step not in steps[:i]] == list(range(1, 401)), "no step is lost"
