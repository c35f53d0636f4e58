"""SIGTERM at any moment: the run saves and ends soon, with an exit code of its own, and resumes to the same bits."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import jax
import numpy as np
import pytest
from support import ROOT, load_config

from aigc_jax.build import build
from aigc_jax.train.stopping import stoppable
from aigc_jax.train.workdir import Workdir

SETTINGS = {  # evaluation and sampling take seconds, steps none
    "method.bound_terms": 10,
    "sample.steps": 40,
    "evaluate.batches": 0,
    "evaluate.batch_size": 32,
    "sample.every": 2,
    "checkpoint.best": "bits_per_dim",
    "sample.n": 128,
    "tracking.tensorboard": False,
}
SOON = 10.0  # seconds from the signal to the end


def command(workdir):
    overrides = [f"--config.{key}={value}" for key, value in SETTINGS.items()]
    return [sys.executable, "main.py", "--config=configs/ddpm_digits.py:tiny", f"--workdir={workdir}", *overrides]


def start(workdir):
    env = {**os.environ, "JAX_NUM_CPU_DEVICES": "1", "JAX_PLATFORMS": "cpu", "PYTHONUNBUFFERED": "1"}
    return subprocess.Popen(
        command(workdir), cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    folder = tmp_path_factory.mktemp("unbroken") / "run"
    process = start(folder)
    out, _ = process.communicate(timeout=280)
    assert process.returncode == 0, out
    return Workdir(folder)


def contents(workdir):
    """(metrics, samples, state at the last step) of a finished run."""
    config = load_config("ddpm_digits", "tiny")
    config["checkpoint"] = {**config["checkpoint"], "best": "bits_per_dim"}
    run = build(config, devices=jax.devices()[:1])
    keeper = run.checkpoints(workdir.checkpoints)
    state = jax.device_get(keeper.restore(run.programs.described, run.programs.described_sums, 4))
    samples = {path.name: path.read_bytes() for path in workdir.samples.iterdir()}
    measured = [(checkpoint.step, checkpoint.metrics) for checkpoint in keeper._finished()]
    return workdir.metrics.read_text("utf-8"), (samples, measured), state


def same(one, other):
    assert one[0] == other[0]
    assert one[1] == other[1]
    jax.tree.map(np.testing.assert_array_equal, one[2], other[2])


@pytest.mark.long(part="stopping")
@pytest.mark.parametrize(
    ("phase", "line", "delay", "stopped"),
    [
        ("evaluation", "step 2/4  train", 0.3, "Stopped at step 2"),
        ("sampling", "step 2/4  test", 0.1, "Stopped at step 2"),
        ("last evaluation", "step 4/4  train", 0.3, "Stopped at step 4"),
    ],
)
def test_stopped_and_resumed_is_unbroken(unbroken, tmp_path, phase, line, delay, stopped):
    workdir = Workdir(tmp_path / "run")
    process = start(workdir.folder)
    for said in process.stdout:
        if line in said:
            break
    time.sleep(delay)
    process.send_signal(signal.SIGTERM)
    asked = time.monotonic()
    rest, _ = process.communicate(timeout=60)
    assert time.monotonic() - asked < SOON
    assert process.returncode == 128 + signal.SIGTERM, rest
    assert stopped in rest, f"{phase} was over before: {rest}"
    again = start(workdir.folder)
    out, _ = again.communicate(timeout=280)
    assert again.returncode == 0, out
    same(contents(workdir), contents(unbroken))


@pytest.mark.long(part="stopping")
def test_before_the_first_step_it_ends_at_once_and_loses_nothing(unbroken, tmp_path):
    shutil.copytree(unbroken.folder, tmp_path / "run")
    workdir = Workdir(tmp_path / "run")
    shutil.rmtree(workdir.checkpoints / "4")
    workdir.lock.unlink()
    process = start(workdir.folder)
    while not workdir.lock.exists() and process.poll() is None:  # it is taken before anything is restored or compiled
        time.sleep(0.01)
    time.sleep(0.2)
    process.send_signal(signal.SIGTERM)
    asked = time.monotonic()
    rest, _ = process.communicate(timeout=60)
    assert time.monotonic() - asked < SOON
    assert process.returncode == 128 + signal.SIGTERM, rest
    assert "what was saved before is intact" in rest
    again = start(workdir.folder)
    out, _ = again.communicate(timeout=280)
    assert "Resuming from step 2 of 4." in out
    same(contents(workdir), contents(unbroken))


@pytest.mark.long(part="stopping")
def test_a_second_signal_ends_it_at_once(tmp_path):
    process = start(tmp_path / "run")
    for said in process.stdout:
        if "step 2/4  train" in said:
            break
    os.kill(process.pid, signal.SIGSTOP)  # both signals wait for it
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGTERM)
    os.kill(process.pid, signal.SIGCONT)
    rest, _ = process.communicate(timeout=60)
    assert process.returncode in (128 + signal.SIGTERM, 128 + signal.SIGINT)
    assert "stopped at once" in rest


def test_an_interrupted_notebook_keeps_its_kernel(monkeypatch):
    monkeypatch.setitem(sys.modules, "IPython", None)
    with stoppable() as asked, pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)  # before the first step
    with stoppable() as asked:
        asked.defer()
        signal.raise_signal(signal.SIGINT)
        assert asked()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


@pytest.mark.long(part="stopping")
def test_the_time_adds_up_to_the_wall(unbroken):
    records = [json.loads(line) for line in unbroken.time.read_text("utf-8").splitlines()]
    last = records[-1]
    assert sum(value for key, value in last.items() if key != "began") > 1
    for record in records:
        assert all(value >= 0 for value in record.values())
    for kind in ("start", "compile", "steps", "evaluate", "sample", "save"):
        assert last[kind] > 0, kind
