"""SLURM on one machine: its controller, one node of two CPUs, and two partitions, of which one preempts the other."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from support import free_port

from tests.soak.runs import ROOT, command_line, notes

SETTINGS = """
ClusterName=soak
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller}
SlurmdPort={node}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.sock,cred_expire=5
SlurmUser=root
SlurmdUser=root
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SchedulerParameters=sched_interval=2,bf_interval=2
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
ReturnToService=2
NodeName={host} NodeAddr=127.0.0.1 CPUs=2
PartitionName=low Nodes=ALL Default=YES PriorityTier=1 GraceTime=60
PartitionName=high Nodes=ALL PriorityTier=2
"""


class Cluster:
    """Runs while it is entered. Its folder has to have a short path: munge's socket lies there."""

    def __init__(self, folder: Path):
        self._folder = folder
        self._daemons: list[subprocess.Popen] = []
        self._environment = {**os.environ, "SLURM_CONF": str(folder / "slurm.conf")}
        self._environment |= {"JAX_PLATFORMS": "cpu", "JAX_NUM_CPU_DEVICES": "1"}

    @staticmethod
    def possible() -> bool:
        return os.geteuid() == 0 and all(shutil.which(name) for name in ("munged", "slurmctld", "slurmd", "sbatch"))

    def __enter__(self) -> "Cluster":
        for name in ("state", "spool"):
            (self._folder / name).mkdir(parents=True)
        host = socket.gethostname().split(".")[0]
        conf = SETTINGS.format(folder=self._folder, host=host, controller=free_port(), node=free_port())
        (self._folder / "slurm.conf").write_text(conf, "utf-8")
        key = self._folder / "munge.key"
        key.write_bytes(os.urandom(1024))
        key.chmod(0o400)
        munge = [f"--{part}-file={self._folder}/munge.{part}" for part in ("pid", "log", "seed")]
        self._start(["munged", "-F", "--force", f"--key-file={key}", f"--socket={self._folder}/munge.sock", *munge])
        self.wait_for((self._folder / "munge.sock").exists)
        self._start(["slurmctld", "-D"])
        self._start(["slurmd", "-D"])
        self.wait_for(lambda: "idle" in self._ask("sinfo", "--noheader", "--format=%t"))
        return self

    def __exit__(self, *_: object) -> None:
        self._ask("scancel", "--state=RUNNING", "--full")
        with suppress(TimeoutError):
            self.wait_for(lambda: not self._ask("squeue", "--noheader"), 60)
        for daemon in reversed(self._daemons):
            daemon.terminate()
            daemon.wait()

    def _start(self, command: list[str]) -> None:
        quiet = subprocess.DEVNULL
        self._daemons.append(subprocess.Popen(command, env=self._environment, stdout=quiet, stderr=quiet))

    def _ask(self, *command: str) -> str:
        return subprocess.run(
            command, env=self._environment, cwd=ROOT, capture_output=True, text=True, check=False
        ).stdout.strip()

    def wait_for(self, something: Callable[[], Any], seconds: float = 240) -> None:
        until = time.monotonic() + seconds
        while not something():
            if time.monotonic() > until:
                raise TimeoutError(self._ask("squeue") + (self._folder / "slurmctld.log").read_text()[-2000:])
            time.sleep(0.2)

    def submit(self, name: str, folder: Path, data: Path, *options: str, **settings: Any) -> int:
        """Queues a run of two tasks; returns the job's number."""
        arguments = command_line(name, folder, data, settings)
        python = folder.parent / f"{folder.name}.python"  # in place of the interpreter that is to run main.py
        noting = f"-m tests.soak.noting {notes(folder, '$SLURM_PROCID')}"
        python.write_text(f'#!/bin/sh\nshift\nexec {sys.executable} {noting} "$@"\n', "utf-8")
        python.chmod(0o755)
        self._environment["PYTHON"] = str(python)
        queue = ["sbatch", "--parsable", "--partition=low", "--gpus-per-node=0", "--ntasks-per-node=2", *options]
        return int(self._ask(*queue, f"--output={self._folder}/%j.out", "launch/slurm.sbatch", *arguments))

    def preempt(self) -> None:
        """Queues a short job that needs the whole node and goes first."""
        self._ask("sbatch", "--partition=high", "--ntasks=2", f"--output={self._folder}/%j.out", "--wrap=sleep 1")

    def cancel(self, job: int) -> None:
        self._ask("scancel", str(job))

    def finish(self, job: int) -> str:
        """What a job has said, once it has left the queue."""
        self.wait_for(lambda: not self._ask("squeue", "--noheader", f"--job={job}"))
        return (self._folder / f"{job}.out").read_text("utf-8")
