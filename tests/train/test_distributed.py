"""Two processes train what one does, and only the first writes."""

import json
import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from support import ROOT, free_port, write_idx

pytestmark = pytest.mark.long(part="processes")


def start(arguments, devices, command=("main.py",), **environment):
    env = {**os.environ, "JAX_PLATFORMS": "cpu", "JAX_NUM_CPU_DEVICES": str(devices), **environment}
    return subprocess.Popen(
        [sys.executable, *command, *arguments],
        cwd=ROOT,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process):
    out, err = process.communicate(timeout=580)
    assert process.returncode == 0, out + err
    return out


@pytest.mark.parametrize("name", ["gan_fashion_mnist", "gpt_sentences"])
def test_two_processes_are_one(tmp_path, name):
    data = [f"--config.data.path={write_idx(tmp_path / 'idx')}"] if "fashion" in name else []

    def arguments(folder):
        return [f"--config=configs/{name}.py:tiny", f"--workdir={tmp_path / folder}", *data]

    finish(start(arguments("one"), 2))
    first, second = (finish(process) for process in two_of(arguments("two")))
    assert "Done" in first
    assert not [line for line in second.splitlines() if not line.startswith("[Gloo]")], "the second says nothing"

    def records(folder):
        return [json.loads(line) for line in (tmp_path / folder / "metrics.jsonl").read_text("utf-8").splitlines()]

    for one, two in zip(records("one"), records("two"), strict=True):
        assert one.keys() == two.keys()
        for key, value in one.items():
            if key != "group":
                np.testing.assert_allclose(two[key], value, rtol=1e-5, atol=1e-6, err_msg=key)

    # A run of two processes goes on as one.
    resumed = finish(start([*arguments("two"), "--mode=sample"], 1))
    assert "samples of step" in resumed


LONG_RUN = [
    "--config=configs/gpt_sentences.py:tiny",
    "--config.train.steps=100000",
    "--config.train.log_every=50",
    "--config.checkpoint.every=50",
    "--config.evaluate.every=0",
    "--config.tracking.tensorboard=False",
]


def two_of(arguments, command=("main.py",)):
    """Two processes of a run."""
    address = f"127.0.0.1:{free_port()}"
    group = {"JAX_COORDINATOR_ADDRESS": address, "JAX_NUM_PROCESSES": "2", "PYTHONUNBUFFERED": "1"}
    return [start(arguments, 1, command, **group, JAX_PROCESS_ID=str(process)) for process in range(2)]


def two(tmp_path, command=("main.py",), *more):
    """Two processes of a run that would take long, after their first checkpoint."""
    both = two_of([*LONG_RUN, f"--workdir={tmp_path / 'run'}", *more], command)
    until = time.monotonic() + 200
    while not list((tmp_path / "run" / "checkpoints").glob("*/manifest.json")):
        assert time.monotonic() < until and all(process.poll() is None for process in both)
        time.sleep(0.2)
    return both


@pytest.mark.parametrize("asked", [0, 1])
def test_a_signal_to_one_stops_both_at_one_step(tmp_path, asked):
    both = two(tmp_path)
    both[asked].send_signal(signal.SIGTERM)
    outputs = [process.communicate(timeout=60) for process in both]
    steps = [re.findall(r"Stopped at step (\d+) as asked", out) for out, _ in outputs]
    assert steps[0] == steps[1] and len(steps[0]) == 1, outputs
    assert [process.returncode for process in both] == [128 + signal.SIGTERM] * 2
    assert (tmp_path / "run" / "checkpoints" / steps[0][0] / "manifest.json").is_file()


def test_a_signal_during_an_evaluation_abandons_it_in_both(tmp_path):
    """And the run that is resumed does it again, to the same measures as one that was not stopped."""
    long = [
        "--config=configs/ddpm_digits.py:tiny", "--config.method.bound_terms=10", "--config.evaluate.batches=0",
        "--config.sample.every=0", "--config.tracking.tensorboard=False",
    ]  # fmt: skip

    def both(folder):
        return two_of([*long, f"--workdir={tmp_path / folder}"])

    for process in both("straight"):
        finish(process)
    stopped, lines = both("stopped"), []
    for line in stopped[0].stdout:
        lines.append(line)
        if re.match(r"step 2/4  train", line):
            break
    stopped[1].send_signal(signal.SIGTERM)
    outputs = [process.communicate(timeout=60) for process in stopped]
    assert [process.returncode for process in stopped] == [128 + signal.SIGTERM] * 2, outputs
    assert all("Stopped at step 2 as asked" in out for out, _ in outputs), outputs
    assert not re.search(r"step 2/4  test", outputs[0][0])
    for process in both("stopped"):
        finish(process)
    straight, resumed = ((tmp_path / name / "metrics.jsonl").read_text("utf-8") for name in ("straight", "stopped"))
    assert straight == resumed


@pytest.mark.parametrize("killed", [0, 1])
def test_a_process_that_dies_ends_the_other(tmp_path, killed):
    """At the latest when the coordinator misses its heartbeat; how errors lead out at once is told in test_command."""
    both = two(tmp_path)
    both[killed].kill()
    began = time.monotonic()
    _, errors = both[1 - killed].communicate(timeout=120)
    assert both[1 - killed].returncode != 0, errors
    assert time.monotonic() - began < 120


HANGING = """
import os, sys, time
sys.argv[0] = "main.py"
import jax, main
from aigc_jax import command
from aigc_jax.train import stopping, watchdog
watchdog.PATIENCE = 1000.0 if os.environ["JAX_PROCESS_ID"] == "1" else 5.0  # else it might end itself first
agreed = stopping.Meetings.agreed
def hang(self, call, wanted):
    if call == 200 and jax.process_index() == 1:
        time.sleep(1000)
    return agreed(self, call, wanted)
stopping.Meetings.agreed = hang
command.leave(command.guarded(main.main, sys.argv))
"""


@pytest.mark.parametrize("log_every", [2, 100])
def test_a_process_that_hangs_ends_the_other(tmp_path, log_every):
    """Noticed between logs, and where a log waits for a step that the other does not take."""
    both = two(tmp_path, ("-c", HANGING), f"--config.train.log_every={log_every}")
    _, errors = both[0].communicate(timeout=60)
    both[1].kill()
    both[1].communicate()
    assert both[0].returncode == 1
    assert "another process hangs" in errors


def test_both_do_what_the_folder_or_a_signal_to_one_asks_for(tmp_path):
    both, folder = two(tmp_path, ("main.py",), "--config.checkpoint.keep_last=1000000"), tmp_path / "run"
    (folder / "requests" / "evaluate").touch()
    both[1].send_signal(signal.SIGUSR1)

    def requested():
        notes = folder / "requested.json"
        return json.loads(notes.read_text("utf-8")) if notes.exists() else {}

    until = time.monotonic() + 120
    while set().union(*requested().values()) != {"evaluate", "sample", "save"} or list((folder / "requests").iterdir()):
        assert time.monotonic() < until and all(process.poll() is None for process in both)
        time.sleep(0.2)
    while not list((folder / "samples").glob("step_*.txt")):
        assert time.monotonic() < until
        time.sleep(0.2)
    both[0].send_signal(signal.SIGTERM)
    outputs = [process.communicate(timeout=60) for process in both]
    assert [process.returncode for process in both] == [128 + signal.SIGTERM] * 2, outputs
    for step, kinds in requested().items():
        assert f"Done as asked at step {step}: {', '.join(kinds)}.\n" in outputs[0][0]
        assert "save" not in kinds or (folder / "checkpoints" / step / "manifest.json").is_file()
    assert "as asked at" not in outputs[1][0]
