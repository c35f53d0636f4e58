"""Real runs of tiny twins, as processes of their own, and what they leave behind."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
from support import free_port

from aigc_jax.build import build
from aigc_jax.train.workdir import Workdir

ROOT = Path(__file__).parent.parent.parent
FAMILIES = ("ddpm_digits", "dcgan_fashion_mnist", "vae_fashion_mnist", "gpt_sentences")
platform = "cpu"  # of the runs; the drills' own process stays on the CPU
STEPS, EVERY = 80, 4  # of a run; between its checkpoints
REGULAR = 40  # steps between evaluations, and between samples


def command_line(name: str, folder: Path, data: Path, settings: Mapping[str, Any], size: str = "tiny") -> list[str]:
    """The flags of a family's tiny twin, or of another size."""
    settings = {
        "train.steps": STEPS, "train.log_every": EVERY, "checkpoint.every": EVERY, "evaluate.every": REGULAR,
        "sample.every": REGULAR, "tracking.tensorboard": False, **settings,
    }  # fmt: skip
    if "fashion" in name:
        settings["data.path"] = data
    overrides = [f"--config.{key}={value}" for key, value in settings.items()]
    return [f"--config=configs/{name}.py:{size}", f"--workdir={folder}", *overrides]


class Process:
    """A run under way, or one process of it, and the lines that it has said.

    size: of the configuration; noted: note which examples are trained on.
    rank, of, port: where several processes make up the run.
    """

    def __init__(
        self,
        name: str,
        folder: Path,
        data: Path,
        *,
        size: str = "tiny",
        noted: bool = True,
        rank: int = 0,
        of: int = 1,
        port: int = 0,
        **settings: Any,
    ):
        environment = {"JAX_PLATFORMS": platform, "JAX_NUM_CPU_DEVICES": "1", "PYTHONUNBUFFERED": "1"}
        if platform != "cpu":  # kernels that add in any order would not give the same bits twice
            environment["XLA_FLAGS"] = "--xla_gpu_deterministic_ops=true"
        if of > 1:
            address = f"127.0.0.1:{port}"
            environment |= {"JAX_COORDINATOR_ADDRESS": address, "JAX_COORDINATOR_BIND_ADDRESS": address}
            environment |= {"JAX_NUM_PROCESSES": str(of), "JAX_PROCESS_ID": str(rank)}
        program = ["-m", "tests.soak.noting", notes(folder, rank)] if noted else ["main.py"]
        self._process = subprocess.Popen(
            [sys.executable, *program, *command_line(name, folder, data, settings, size)],
            cwd=ROOT,
            env={**os.environ, **environment},
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


def pair(name: str, folder: Path, data: Path, **settings: Any) -> tuple[Process, Process]:
    """A run of two processes."""
    port = free_port()
    one, other = (Process(name, folder, data, rank=rank, of=2, port=port, **settings) for rank in range(2))
    return one, other


def saving(folder: Path) -> bool:
    """Whether a checkpoint is being written."""
    return any((folder / "checkpoints").glob("*.writing"))


def watch(process: Process, seconds: float) -> None:
    """Waits so long, or until the process ends."""
    until = time.monotonic() + seconds
    while time.monotonic() < until and not process.ended:
        time.sleep(min(0.002, max(0.0, until - time.monotonic())))


def notes(folder: Path, rank: int | str = 0) -> Path:
    """What `noting` writes of one process of a run."""
    return folder.parent / f"{folder.name}.examples.{rank}"


def examples(folder: Path, upto: int) -> list[list[int]]:
    """The examples of steps 1 ... upto, as they made it into the final state, each batch in the order of its rows.

    Raises ValueError where a step took others when it was taken again, or one is missing.
    """
    found: dict[tuple[int, int], list[int]] = {}
    for path in sorted(folder.parent.glob(f"{folder.name}.examples.*")):
        for line in path.read_text("utf-8").splitlines():
            try:
                step, row, numbers = json.loads(line)
            except ValueError:  # a kill cut it short
                continue
            if found.setdefault((step, row), numbers) != numbers:
                raise ValueError(f"step {step} was taken on {numbers} and on {found[step, row]}")
    batches: dict[int, list[int]] = {}
    for (step, _), numbers in sorted(found.items()):
        batches.setdefault(step, []).extend(numbers)
    if missing := set(range(1, upto + 1)) - batches.keys():
        raise ValueError(f"nothing was noted of steps {sorted(missing)}")
    return [batches[step] for step in range(1, upto + 1)]


def contents(folder: Path) -> tuple[Any, ...]:
    """All that a finished run leaves that has to be the same: state and sums, metrics, samples, examples by step."""
    workdir = Workdir(folder)
    run = build(json.loads(workdir.config.read_text("utf-8")), devices=jax.devices()[:1])
    keeper = run.checkpoints(workdir.checkpoints)
    state = jax.device_get(keeper.restore(run.programs.described, run.programs.described_sums, run.pace.steps))
    samples = {path.name: path.read_bytes() for path in sorted(workdir.samples.iterdir())}
    keeper.close()
    return state, workdir.metrics.read_text("utf-8"), samples, examples(folder, run.pace.steps)


def difference(one: tuple[Any, ...], other: tuple[Any, ...]) -> str:
    """'' where two runs left the same bits, else what differs."""
    leaves = [jax.tree.leaves_with_path(each[0]) for each in (one, other)]
    for (path, left), (_, right) in zip(*leaves, strict=True):
        if not np.array_equal(left, right):
            return jax.tree_util.keystr(path)
    kinds = ("the state", "metrics.jsonl", "samples", "the order of the examples")
    return next((kind for kind, left, right in zip(kinds[1:], one[1:], other[1:], strict=True) if left != right), "")


def whole(name: str, folder: Path, data: Path, **settings: Any) -> str:
    """Runs to the end. '' where that succeeds, else what is wrong."""
    process = Process(name, folder, data, **settings)
    return "" if process.wait() == 0 else f"{name} did not end: {process.text()[-500:]}"


def whole_pair(name: str, folder: Path, data: Path, **settings: Any) -> str:
    """`whole`, in two processes."""
    both = pair(name, folder, data, **settings)
    codes = [process.wait() for process in both]
    return "" if codes == [0, 0] else f"{name} did not end: {[process.text()[-500:] for process in both]}"
