"""Runs that are asked for more than their configuration says while they train."""

import json
import signal

import numpy as np

from aigc_jax.train.requests import KINDS, ask, requested
from aigc_jax.train.workdir import Workdir
from tests.soak.drills import Drill, Field, Result, Tally
from tests.soak.runs import FAMILIES, REGULAR, STEPS, Process, contents, difference, watch, whole

SETTINGS = {"checkpoint.minutes": 0.01}


def requests(field: Field, count: int, random: np.random.RandomState) -> Result:
    """Asked by files and SIGUSR1 and killed twice, at random moments, saving by the clock too; then on to the end.

    What was asked for is there, and all else is as in the unbroken run.
    """
    tally, met = Tally(), 0
    for number in range(count):
        name, folder = FAMILIES[number % len(FAMILIES)], field.folder / f"asked_{number}"
        for _ in range(2):
            process = Process(name, folder, field.data, **SETTINGS)
            process.after_first_step()
            for _ in range(2):
                watch(process, random.uniform(0, 0.7))
                for kind in random.choice(KINDS, random.randint(1, 3), replace=False):
                    ask(Workdir(folder), kind)
            if random.rand() < 0.5:
                process.send(signal.SIGUSR1)
            watch(process, random.uniform(0, 0.7))
            process.send(signal.SIGKILL)
            process.wait()
        fault = whole(name, folder, field.data, **SETTINGS)
        met += sum(map(len, requested(Workdir(folder)).values()))
        tally.add(fault or _fault(field, name, Workdir(folder)))
    return tally.result(f"{met} requests met")


def _fault(field: Field, name: str, workdir: Workdir) -> str:
    """'' where every request has its answer, none is left, and the rest is as in the unbroken run."""
    expected = field.expected(name)
    state, metrics, samples, examples = contents(workdir.folder)
    steps = {kind: {step for step, kinds in requested(workdir).items() if kind in kinds} for kind in KINDS}
    lines = metrics.splitlines(keepends=True)
    evaluated = [line for line in lines if (record := json.loads(line))["group"] != "train" and _extra(record["step"])]
    drawn = {file: number for file in samples if _extra(number := int(file.split("_")[1].split(".")[0]))}
    if left := list(workdir.requests.iterdir()):
        return f"{name}: {left} is left"
    if {json.loads(line)["step"] for line in evaluated} != set(filter(_extra, steps["evaluate"])):  # a line a judge
        return f"{name}: evaluations of {steps['evaluate']} were asked for, and there are {evaluated}"
    if not set(filter(_extra, steps["sample"])) <= set(drawn.values()):
        return f"{name}: samples of {steps['sample']} were asked for, and there are {sorted(drawn)}"
    regular = "".join(line for line in lines if line not in evaluated)
    others = {file: content for file, content in samples.items() if file not in drawn}
    found = difference(expected, (state, regular, others, examples))
    return f"{name}: {found} differs from the unbroken run" if found else ""


def _extra(step: int) -> bool:
    return step % REGULAR > 0 and step < STEPS


LISTENING: dict[str, tuple[Drill, int]] = {"requests": (requests, 10)}
