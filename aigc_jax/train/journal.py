"""The output of a run under way: progress bar, console, JSONL, TensorBoard, W&B."""

import json
import math
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from tqdm import tqdm

from aigc_jax.errors import naming, optional
from aigc_jax.train.workdir import Workdir, write_whole

DIAGNOSIS = "diagnosis"  # the group of records of what is wrong with a run


class Tracking(NamedTuple):
    """Section `tracking`."""

    tensorboard: bool
    wandb: str  # a project's name; "" = do not report


class Journal:
    """Writes scalars and samples of a run, from process 0 alone.

    start: the step that training goes on from; records after it are dropped, since they belong
    to steps that are taken again.
    """

    def __init__(self, workdir: Workdir, start: int, steps: int, tracking: Tracking, config: Mapping):
        self._chief = jax.process_index() == 0
        self._path, self._steps = workdir.metrics, steps
        self._since, self.start = time.monotonic(), start
        self._board: Any = None
        self._wandb: Any = None
        self._bar: Any = None
        if not self._chief:
            return
        keep_until(self._path, start)
        self._bar = tqdm(total=steps, initial=start, unit="step", disable=not sys.stderr.isatty(), smoothing=0.05)
        if tracking.tensorboard:
            from tensorboardX import SummaryWriter

            # TensorBoard drops what was recorded at this step or later: `start` itself is not taken again.
            self._board = SummaryWriter(str(workdir.folder / "tensorboard"), purge_step=start + 1)
        if tracking.wandb:
            self._wandb = _wandb(tracking.wandb, workdir, config)

    def advance(self, step: int) -> None:
        """Moves the progress bar to `step`."""
        if self._bar is not None:
            self._bar.update(step - self._bar.n)

    def scalars(self, step: int, group: str, values: Mapping[str, float]) -> None:
        """Records {name: value} under `group` ("train", "test", …)."""
        if not self._chief:
            return
        record = {"step": step, "group": group, **{k: _finite(v) for k, v in values.items()}}
        self._record(record)
        if self._board is not None:
            for name, value in values.items():
                self._board.add_scalar(f"{group}/{name}", value, step)
        if self._wandb is not None:
            self._wandb.log({f"{group}/{name}": value for name, value in values.items()}, step=step)
        shown = "  ".join(f"{name} {value:.4g}" for name, value in values.items())
        pace = f"  {self._pace(step)}" if group == "train" else ""
        self.say(f"step {step:>{len(str(self._steps))}}/{self._steps}  {group:<5}  {shown}{pace}")

    def picture(self, step: int, path: Path) -> None:
        """Shows a file of samples where the trackers can show it."""
        if not self._chief or path.suffix != ".png":
            return
        from PIL import Image

        pixels = np.asarray(Image.open(path).convert("RGB"))
        if self._board is not None:
            self._board.add_image("samples", pixels, step, dataformats="HWC")
        if self._wandb is not None:
            import wandb

            self._wandb.log({"samples": wandb.Image(str(path))}, step=step)

    def diagnosis(self, step: int, lines: Sequence[str]) -> None:
        """Records and says what is wrong with the run, but for what was told before."""
        if not self._chief or not lines:
            return
        told = diagnosed(self._path)
        if not (new := [line for line in lines if line not in told]):
            return
        self._record({"step": step, "group": DIAGNOSIS, "lines": new})
        for line in new:
            self.say(f"step {step}: {line}")

    def say(self, line: str) -> None:
        """A line on the console, above the bar."""
        if self._chief:
            tqdm.write(line, file=sys.stdout)
            sys.stdout.flush()

    def close(self) -> None:
        for thing in (self._bar, self._board):
            if thing is not None:
                with suppress(OSError):  # a full disk is reported where it matters
                    thing.close()
        if self._wandb is not None:
            self._wandb.finish()

    def _record(self, record: Mapping[str, Any]) -> None:
        with naming(self._path), self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")

    def _pace(self, step: int) -> str:
        rate = (step - self.start) / max(time.monotonic() - self._since, 1e-9)
        return f"{rate:.3g} steps/s  {duration((self._steps - step) / max(rate, 1e-9))} left"


def keep_until(path: Path, step: int) -> None:
    """Drops the records of later steps, and a last line that a crash left unfinished."""
    if not path.exists():
        return
    kept = [record for record in read_metrics(path) if record["step"] <= step]
    write_whole(path, "".join(json.dumps(record) + "\n" for record in kept))


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """The records of a metrics file, without truncated and other lines."""
    records = []
    for line in path.read_text("utf-8", "replace").splitlines() if path.exists() else []:
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(record, dict) and isinstance(record.get("step"), int) and isinstance(record.get("group"), str):
            records.append(record)
    return records


def measured(path: Path, step: int, group: str) -> dict[str, float]:
    """The finite values recorded at one step under `group`."""
    found: dict[str, float] = {}
    for record in read_metrics(path):
        if (record["step"], record["group"]) == (step, group):
            found |= {key: v for key, v in record.items() if key not in ("step", "group") and v is not None}
    return found


def diagnosed(path: Path) -> dict[str, int]:
    """What was told to be wrong with the run, and at which step."""
    found = [record for record in read_metrics(path) if record["group"] == DIAGNOSIS]
    return {line: record["step"] for record in found for line in record.get("lines", ())}


def duration(seconds: float) -> str:
    """'48 s', '3 min 20 s', '2 h 05 min'."""
    seconds = round(seconds)
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60:02d} s"
    return f"{seconds // 3600} h {seconds % 3600 // 60:02d} min"


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None  # JSON has no NaN


def _wandb(project: str, workdir: Workdir, config: Mapping) -> Any:
    wandb = optional("wandb", "wandb", "tracking.wandb")
    return wandb.init(project=project, dir=str(workdir.folder), config=dict(config), resume="allow")
