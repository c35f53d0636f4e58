"""Real runs of tiny twins, as processes of their own, and what they leave behind."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import jax
import numpy as np

from aigc_jax.build import build
from aigc_jax.train.workdir import Workdir

ROOT = Path(__file__).parent.parent.parent
FAMILIES = ("ddpm_digits", "dcgan_fashion_mnist", "vae_fashion_mnist", "gpt_sentences")
STEPS, EVERY = 120, 4  # of a run; between its checkpoints


class Process:
    """A run under way, and the lines that it has said."""

    def __init__(self, name: str, folder: Path, data: Path, **settings: Any):
        settings = {
            "train.steps": STEPS, "train.log_every": EVERY, "checkpoint.every": EVERY, "evaluate.every": 40,
            "sample.every": 40, "tracking.tensorboard": False, **settings,
        }  # fmt: skip
        if "fashion" in name:
            settings["data.path"] = data
        self._process = subprocess.Popen(
            [sys.executable, "main.py", f"--config=configs/{name}.py:tiny", f"--workdir={folder}"]
            + [f"--config.{key}={value}" for key, value in settings.items()],
            cwd=ROOT,
            env={**os.environ, "JAX_PLATFORMS": "cpu", "JAX_NUM_CPU_DEVICES": "1", "PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.lines: list[str] = []
        self._stepped = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.lines.append(line.rstrip())
            if line.startswith("First step"):
                self._stepped.set()
        self._stepped.set()

    @property
    def ended(self) -> bool:
        return self._process.poll() is not None

    def after_first_step(self) -> None:
        """Returns when the first step is taken, or the process has ended."""
        self._stepped.wait()

    def send(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def wait(self, seconds: float = 300) -> int:
        """The exit code."""
        code = self._process.wait(seconds)
        self._reader.join()
        return code

    def text(self) -> str:
        return "\n".join(self.lines)


def saving(folder: Path) -> bool:
    """Whether a checkpoint is being written."""
    return any((folder / "checkpoints").glob("*.writing"))


def watch(process: Process, seconds: float) -> None:
    """Waits so long, or until the process ends."""
    until = time.monotonic() + seconds
    while time.monotonic() < until and not process.ended:
        time.sleep(min(0.002, max(0.0, until - time.monotonic())))


def contents(folder: Path) -> tuple[Any, ...]:
    """All that a finished run leaves that has to be the same: state and sums at the last step, metrics, samples."""
    workdir = Workdir(folder)
    run = build(json.loads(workdir.config.read_text("utf-8")), devices=jax.devices()[:1])
    keeper = run.checkpoints(workdir.checkpoints)
    state = jax.device_get(keeper.restore(run.programs.described, run.programs.described_sums, run.pace.steps))
    samples = {path.name: path.read_bytes() for path in sorted(workdir.samples.iterdir())}
    return state, workdir.metrics.read_text("utf-8"), samples


def difference(one: tuple[Any, ...], other: tuple[Any, ...]) -> str:
    """'' where two runs left the same bits, else what differs."""
    leaves = [jax.tree.leaves_with_path(each[0]) for each in (one, other)]
    for (path, left), (_, right) in zip(*leaves, strict=True):
        if not np.array_equal(left, right):
            return jax.tree_util.keystr(path)
    if one[1] != other[1]:
        return "metrics.jsonl"
    return "" if one[2] == other[2] else "samples"


def whole(name: str, folder: Path, data: Path, **settings: Any) -> str:
    """Runs to the end. '' where that succeeds, else what is wrong."""
    process = Process(name, folder, data, **settings)
    return "" if process.wait() == 0 else f"{name} did not end: {process.text()[-500:]}"
