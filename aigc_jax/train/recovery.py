"""Where to go on from: the newest checkpoint that is as it was written; damaged ones are named and set aside."""

import shutil
import time
from pathlib import Path

import jax
import numpy as np
from jax.experimental import multihost_utils

from aigc_jax.errors import UserError
from aigc_jax.train import manifest

NONE, NONE_INTACT = -1, -2  # in place of a step, for processes to tell each other


def recover(folder: Path) -> tuple[int | None, list[str]]:
    """The newest intact step, and a line for each damaged one after it; those are moved to `damaged/` beside.

    To be called before the folder is opened, in all processes. Raises UserError where steps were saved and
    none is intact: a run never begins anew by itself.
    """
    step, lines = NONE, list[str]()
    if jax.process_index() == 0:
        step, lines = _recover(folder)
    if jax.process_count() > 1:
        step = int(multihost_utils.broadcast_one_to_all(np.int32(step)))
    if step == NONE_INTACT:
        raise UserError(
            f"None of the checkpoints in {folder} is intact ({'; '.join(lines) or 'see process 0'}): put a copy "
            "there, or choose another --workdir to train from the start."
        )
    return (step if step >= 0 else None), lines


def _recover(folder: Path) -> tuple[int, list[str]]:
    lines = [line for mark in sorted(folder.glob(f"*{manifest.WRITING}")) if (line := _settle(mark))]
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
        place = folder.parent / "damaged" / f"{step}_{time.time_ns()}"
        place.parent.mkdir(exist_ok=True)
        (folder / str(step)).rename(place)
        lines.append(f"The checkpoint of step {step} is damaged ({fault}) and was moved to {place}.")
    return intact, lines


def _settle(mark: Path) -> str:
    """Removes a save that a process began and did not live to finish: nobody was told that it was there."""
    folder = mark.parent / mark.name.removesuffix(manifest.WRITING)
    finished = not manifest.fault(folder)
    if not finished:
        shutil.rmtree(folder, ignore_errors=True)
    mark.unlink()
    return "" if finished else f"The save of step {folder.name} was cut off before it was finished, and is dropped."


def saved(folder: Path) -> list[int]:
    """The steps with a folder of their own, finished or not."""
    return sorted(int(path.name) for path in folder.glob("*") if path.name.isdecimal() and path.is_dir())
