"""Two processes train what one does, and only the first writes."""

import json
import os
import socket
import subprocess
import sys

import numpy as np
import pytest
from support import ROOT, write_idx


def start(arguments, devices, **environment):
    env = {**os.environ, "JAX_PLATFORMS": "cpu", "JAX_NUM_CPU_DEVICES": str(devices), **environment}
    return subprocess.Popen(
        [sys.executable, "main.py", *arguments],
        cwd=ROOT,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process):
    out, err = process.communicate(timeout=280)
    assert process.returncode == 0, out + err
    return out


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@pytest.mark.parametrize("name", ["gan_fashion_mnist", "gpt_sentences"])
def test_two_processes_are_one(tmp_path, name):
    data = [f"--config.data.path={write_idx(tmp_path / 'idx')}"] if "fashion" in name else []

    def arguments(folder):
        return [f"--config=configs/{name}.py:tiny", f"--workdir={tmp_path / folder}", *data]

    finish(start(arguments("one"), 2))
    address = f"127.0.0.1:{free_port()}"
    both = [
        start(arguments("two"), 1, JAX_COORDINATOR_ADDRESS=address, JAX_NUM_PROCESSES="2", JAX_PROCESS_ID=str(process))
        for process in range(2)
    ]
    first, second = (finish(process) for process in both)
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
