"""Runs of two processes: one is asked to stop, killed, or preempted; and what two compute is what one does."""

import re
import signal
import time
from pathlib import Path

import numpy as np

from tests.soak.drills import LONGER, Drill, Field, Result, Tally
from tests.soak.runs import FAMILIES, Process, pair, watch, whole_pair
from tests.soak.slurm import Cluster

TOGETHER = 60.0  # seconds from a signal to the end of both
NOTICED = 120.0  # seconds from the end of one process to that of the other


def _begun(field: Field, name: str, folder: Path, random: np.random.RandomState) -> tuple[Process, Process]:
    """A run of two processes, at a random moment after its first step."""
    both = pair(name, folder, field.data, **LONGER)
    both[0].after_first_step()
    watch(both[0], random.uniform(0, 1.5))
    return both


def _gone_on(field: Field, name: str, folder: Path) -> str:
    """Takes the run to its end. '' where that is the unbroken one's, else what is wrong."""
    return whole_pair(name, folder, field.data, **LONGER) or field.fault(name, folder, field.unbroken_pair(name))


def peers_asked(field: Field, count: int, random: np.random.RandomState) -> Result:
    """SIGTERM to one of two processes: both save the same step and end with code 143; then on to the end."""
    tally, slowest = Tally(), 0.0
    for number in range(count):
        name, folder = FAMILIES[number % len(FAMILIES)], field.folder / f"asked_{number}"
        both = _begun(field, name, folder, random)
        both[random.randint(2)].send(signal.SIGTERM)
        asked = time.monotonic()
        codes = [process.wait() for process in both]
        took = time.monotonic() - asked
        slowest = max(slowest, took)
        steps = [re.findall(r"Stopped at step (\d+) as asked", process.text()) for process in both]
        fault = ""
        if codes != [143, 143] or steps[0] != steps[1] or len(steps[0]) != 1 or took > TOGETHER:
            fault = f"{name}: codes {codes}, steps {steps}, {took:.1f} s: {[process.text()[-300:] for process in both]}"
        tally.add(fault or _gone_on(field, name, folder))
    return tally.result(f"slowest end {slowest:.1f} s")


def peers_killed(field: Field, count: int, random: np.random.RandomState) -> Result:
    """SIGKILL to one of two processes: the other ends with another code than 0 in 120 s; then on to the end."""
    tally, slowest = Tally(), 0.0
    for number in range(count):
        name, folder = FAMILIES[number % len(FAMILIES)], field.folder / f"peer_{number}"
        both = _begun(field, name, folder, random)
        victim = random.randint(2)
        both[victim].send(signal.SIGKILL)
        killed = time.monotonic()
        code = both[1 - victim].wait()
        both[victim].wait()
        took = time.monotonic() - killed
        slowest = max(slowest, took)
        fault = f"{name} ended with {code} after {took:.1f} s" if code == 0 or took > NOTICED else ""
        tally.add(fault or _gone_on(field, name, folder))
    return tally.result(f"slowest end {slowest:.1f} s")


def preemptions(field: Field, count: int, random: np.random.RandomState) -> Result:
    """A SLURM job of two tasks is preempted, saves, is queued again and goes on to the end.

    launch/slurm.sbatch under the slurmctld and slurmd of Debian's slurm-wlm, on this machine.
    """
    if not Cluster.possible():
        return Result(0, 0, "not run: needs root and slurm-wlm", [])
    tally = Tally()
    with Cluster(field.folder / "slurm") as cluster:
        for number in range(count):
            name, folder = FAMILIES[number % len(FAMILIES)], field.folder / f"slurm_{number}"
            job = cluster.submit(name, folder, field.data, **LONGER)
            cluster.wait_for(lambda folder=folder: any((folder / "checkpoints").glob("*/manifest.json")))
            time.sleep(random.uniform(0, 1))
            cluster.preempt()
            output = cluster.finish(job)
            stops = len(re.findall(r"Stopped at step \d+ as asked", output))
            fault = "" if stops == 2 and "Resuming from step" in output and "Done" in output else output[-800:]
            fault = fault or field.fault(name, folder, field.unbroken_pair(name))
            tally.add(fault)
    return tally.result()


PEERS: dict[str, tuple[Drill, int]] = {
    "peers_asked": (peers_asked, 10),
    "peers_killed": (peers_killed, 10),
    "preemptions": (preemptions, 4),
}
