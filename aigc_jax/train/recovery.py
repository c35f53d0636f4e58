"""Resuming from the newest intact checkpoint; damaged ones are named and set aside."""

import json
import shutil
import time
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils

from aigc_jax.data.stream import batch_number
from aigc_jax.errors import UserError
from aigc_jax.train import manifest
from aigc_jax.train.workdir import DAMAGED, Workdir, write_whole

NONE, NONE_INTACT = -1, -2  # in place of a step, for processes to tell each other


def recover(folder: Path, upto: int | None = None) -> tuple[int | None, list[str]]:
    """The newest intact step, and a line for each damaged one after it; those are moved to `set_aside/` beside.

    upto: steps after this one are set aside too, whatever they hold. To be called before the folder is opened,
    in all processes. Raises UserError where steps were saved and none is intact: a run never begins anew by itself.
    """
    step, lines = NONE, list[str]()
    if jax.process_index() == 0:
        step, lines = _recover(folder, upto)
    if jax.process_count() > 1:
        step = int(multihost_utils.broadcast_one_to_all(np.int32(step)))
    if step == NONE_INTACT:
        raise UserError(
            f"None of the checkpoints in {folder} is intact ({'; '.join(lines) or 'see process 0'}): put a copy "
            "there, or choose another --workdir to train from the start."
        )
    return (step if step >= 0 else None), lines


def _recover(folder: Path, upto: int | None) -> tuple[int, list[str]]:
    lines = [line for mark in sorted(folder.glob(f"*{manifest.WRITING}")) if (line := _settle(mark))]
    for step in saved(folder):
        if upto is not None and step > upto:
            _set_aside(folder / str(step))
    faults: dict[int, str] = {}
    for step in reversed(saved(folder)):
        faults[step] = manifest.fault(folder / str(step))
        if not faults[step]:
            break
    intact = next((step for step, fault in faults.items() if not fault), NONE)
    damaged = {step: fault for step, fault in faults.items() if fault}
    if damaged and intact == NONE:
        return NONE_INTACT, [f"step {step}: {fault}" for step, fault in damaged.items()]
    for step, fault in damaged.items():
        place = _set_aside(folder / str(step))
        lines.append(f"The checkpoint of step {step} is damaged ({fault}) and was moved to {place}.")
    return intact, lines


def _set_aside(step: Path) -> Path:
    place = step.parent.parent / "set_aside" / f"{step.name}_{time.time_ns()}"
    place.parent.mkdir(exist_ok=True)
    return step.rename(place)


def _settle(mark: Path) -> str:
    """Removes a save that a process began and did not finish."""
    folder = mark.parent / mark.name.removesuffix(manifest.WRITING)
    finished = not manifest.fault(folder)
    if not finished:
        shutil.rmtree(folder, ignore_errors=True)
    mark.unlink()
    return "" if finished else f"The save of step {folder.name} was cut off before it was finished, and is dropped."


def saved(folder: Path) -> list[int]:
    """The steps with a folder of their own, finished or not."""
    return sorted(int(path.name) for path in folder.glob("*") if path.name.isdecimal() and path.is_dir())


def left_out(workdir: Workdir) -> list[tuple[int, int]]:
    """Ranges [first, beyond) of batches that training passes over."""
    return [entry["batches"] for entry in _entries(workdir)]


def _entries(workdir: Workdir) -> list[dict[str, Any]]:
    if not workdir.left_out.exists():
        return []
    try:
        entries = json.loads(workdir.left_out.read_text("utf-8"))
        return [{"batches": (int(e["batches"][0]), int(e["batches"][1])), "from": int(e["from"])} for e in entries]
    except DAMAGED as error:
        raise UserError(
            f"{workdir.left_out} cannot be read ({error!r}), and says which batches this run passes over: put a copy "
            "there, or choose another --workdir."
        ) from error


def pass_over(workdir: Workdir, first: int, beyond: int, what: str) -> tuple[int | None, list[str]]:
    """Goes back to before the steps first + 1 … beyond, and leaves their batches out from now on.

    what: happened there. Returns the step to go on from and lines that say so, as `recover` does.
    Raises UserError when training has gone back to that step before.
    """
    entries = _entries(workdir)
    ranges = left_out(workdir)
    newest, said = recover(workdir.checkpoints, upto=first)
    since = newest or 0
    if any(entry["from"] == since for entry in entries):
        raise UserError(
            f"Training diverged: {what}, again after it went back to step {since} and left out the batches before. The "
            "weights saved there are finite: lower the learning rate, raise optimizers.*.eps or set "
            "optimizers.*.clip_norm, and train in another --workdir."
        )
    batches = batch_number(first, ranges), batch_number(beyond - 1, ranges) + 1
    if jax.process_index() == 0:
        write_whole(workdir.left_out, json.dumps([*entries, {"batches": batches, "from": since}]) + "\n")
    return newest, [*said, f"{what}: back to step {since}, to go on without their batches."]
