"""The folder of a run: what belongs in it, and whether this run may use it."""

import fcntl
import glob
import json
import os
import re
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jax

from aigc_jax import config as configuration
from aigc_jax.data import meaning
from aigc_jax.data.dataset import DataSet
from aigc_jax.data.files import printable
from aigc_jax.data.meaning import Meaning
from aigc_jax.errors import UserError, naming, other_version
from aigc_jax.metrics.record import RECORDS
from aigc_jax.places import expanded

MAY_CHANGE = re.compile(
    r"train\.(steps|steps_per_call|log_every|max_skipped)$|(evaluate|evals|sample|checkpoint|parallel|tracking)\.|data\.path$"
)
"""Keys that may differ on resuming: they change neither the networks nor the order of the data.

`train.steps` moves the end of a decaying learning-rate schedule, as it does anywhere.
"""

MAY_CHANGE_AFTER = re.compile(rf"(method|frozen)\.|{MAY_CHANGE.pattern}")
"""Those that may differ on evaluating and sampling: the method's too, and frozen networks, where they are now or that
guide what is sampled."""

ANY_TARGET = re.compile(rf"data\.target$|{MAY_CHANGE_AFTER.pattern}")
"""Those of a model that generates either of two fields: `Method.targets`."""

LEASE = 100.0  # seconds after which a file server releases the locks of a dead machine

DAMAGED = (OSError, ValueError, RecursionError, AttributeError, TypeError, KeyError, IndexError)
"""What reading a JSON file raises that is missing, cut short, no UTF-8, or of another form than was written."""


class Workdir:
    """Paths of a run's results. Only process 0 writes; the others see the same names."""

    def __init__(self, folder: str | Path):
        """folder: also relative. Raises UserError for a path under which no checkpoint can be kept."""
        if not str(folder).strip():
            raise UserError("The name of the work directory is empty: is the variable set that it is taken from?")
        folder = expanded(folder).absolute()
        if printable(folder) != str(folder):
            raise UserError(
                f"The work directory {printable(folder)} is no UTF-8, and orbax writes no other: choose another "
                "--workdir, or set PYTHONUTF8=1 where the locale is not UTF-8."
            )
        if glob.escape(str(folder)) != str(folder) or "\\" in str(folder):
            raise UserError(
                f"The work directory {folder} has one of * ? [ \\ in its path, which orbax reads as a pattern of "
                "names: choose another --workdir, or a link to it without them."
            )
        self.folder = folder
        self.name = os.path.basename(os.path.normpath(folder))  # for a person: "x/.." has none of its own
        self.config = folder / "config.json"
        self.networks = folder / "networks.json"
        self.data = folder / "data.json"
        self.checkpoints = folder / "checkpoints"
        self.metrics = folder / "metrics.jsonl"
        self.records = folder / RECORDS
        self.time = folder / "time.jsonl"
        self.lock = folder / "lock"
        self.left_out = folder / "left_out.json"
        self.requests = folder / "requests"  # what a run that trains is asked for, a file each
        self.requested = folder / "requested.json"  # the steps at which it was done
        self.set_aside = folder / "set_aside"
        self.parameters = folder / "parameters.txt"
        self.samples = folder / "samples"
        self.walks = folder / "walks"  # between samples
        self.audit = folder / "audit"
        self.about = folder / "about.json"
        self.real = folder / "real"  # examples, a file to look at or to listen to
        self.nearest = folder / "nearest"  # training examples to some samples: such a file, and .json
        self.report = folder / "report.html"

    def record(self, config: Mapping[str, Any], networks: Mapping[str, Any]) -> None:
        """Writes the resolved configuration and what its networks were built from, into a folder that is held.

        Raises UserError when it cannot be written.
        """
        if jax.process_index():
            return
        try:
            self.samples.mkdir(exist_ok=True)
            write_whole(self.config, configuration.to_json(config))
            write_whole(self.networks, configuration.to_json(networks))
        except OSError as error:
            raise self._unwritable(error) from error

    @contextmanager
    def held(self) -> Iterator[None]:
        """Makes the folder, and keeps other runs out while it lasts: two would undo each other's checkpoints.

        Raises UserError when one trains in it, or it cannot be written. The lock ends with the process that has it,
        however that ends; a file server may learn of that late, so one of another machine is waited for. Without locks
        nothing is held.
        """
        if jax.process_index():
            yield
            return
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            file = os.open(self.lock, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise self._unwritable(error) from error
        try:
            self._take(file)
            yield
        finally:
            os.close(file)

    def _take(self, file: int) -> None:
        here, until, said = socket.gethostname(), time.monotonic() + LEASE, False
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                holder = os.pread(file, 300, 0).decode("utf-8", "replace").strip()
                if holder.split(" ")[0] == here or time.monotonic() > until:
                    raise UserError(
                        f"Another process trains in the work directory {self.folder} ({holder}): wait for its end, or "
                        "choose another --workdir."
                    ) from None
                if not said:
                    print(f"Waiting for {holder} to leave {self.folder}, for at most {LEASE:.0f} s.", flush=True)
                said = True
                time.sleep(1)
            except OSError:  # a file system without locks
                return
        os.ftruncate(file, 0)
        os.pwrite(file, f"{here} process {os.getpid()}\n".encode(), 0)

    def _unwritable(self, error: OSError) -> UserError:
        return UserError(
            f"The work directory {self.folder} cannot be written ({error.strerror}): choose another --workdir."
        )

    def check(self, config: Mapping[str, Any], may_change: re.Pattern = MAY_CHANGE) -> list[str]:
        """The keys, among those that may, in which the run in this folder differs. Writes nothing.

        Raises UserError when others differ: then the folder holds a run of another configuration.
        """
        if not self.config.exists():
            return []
        try:
            changed = configuration.compare(self.config, config)
        except DAMAGED as error:
            raise UserError(f"{self.config} cannot be read ({error!r}): choose another --workdir.") from error
        wrong = [key for key in changed if not may_change.match(key)]
        if wrong:
            more = f" and {len(wrong) - 4} more" if len(wrong) > 4 else ""
            raise UserError(
                f"The work directory {self.folder} holds a run of another configuration "
                f"({', '.join(wrong[:4])}{more} differ): choose another --workdir, or the settings in {self.config}."
            )
        return changed

    def keep(self, data: DataSet) -> None:
        """Writes what the numbers in the data mean (classes, characters), before the run is trained on them.

        Raises UserError when it cannot be written.
        """
        if jax.process_index():
            return
        try:
            write_whole(self.data, Meaning.of(data).written())
        except OSError as error:
            raise self._unwritable(error) from error

    def kept(self) -> Meaning | None:
        """What the numbers in the data mean to the run in this folder; None without a run, or in one from before that.

        Raises UserError when it cannot be read.
        """
        try:
            return Meaning.read(self.data.read_text("utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except KeyError as error:
            raise other_version(self.folder, f"{self.data.name} lacks {error}") from error
        except DAMAGED as error:
            raise UserError(
                f"{self.data} cannot be read ({error!r}): restore it, or choose another --workdir."
            ) from error

    def check_data(self, data: DataSet) -> None:
        """Raises UserError where numbers of the data mean something else than they did to the run in this folder."""
        kept = self.kept()
        if kept:
            meaning.check(data, kept)

    def recorded(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """The configuration of the run in this folder, and what its networks were built from.

        Raises UserError where there is no run.
        """
        try:
            config, networks = (json.loads(path.read_text("utf-8")) for path in (self.config, self.networks))
        except FileNotFoundError as error:
            raise UserError(
                f"There is no run in {self.folder} ({Path(error.filename).name} is missing): train it first."
            ) from error
        except DAMAGED as error:
            raise UserError(f"The run in {self.folder} cannot be read ({error!r}).") from error
        return config, networks


def write_whole(path: Path, text: str) -> None:
    """Replaces a file atomically: a reader finds the old text or the new one, also after a crash."""
    part = path.with_suffix(".part")
    with naming(path):
        part.write_text(text, "utf-8")
        part.replace(path)
