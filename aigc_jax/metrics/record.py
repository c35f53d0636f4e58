"""A result with all that it depends on. Results are compared only where they were measured alike."""

import dataclasses
import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from aigc_jax import __version__
from aigc_jax.errors import UserError, naming
from aigc_jax.metrics.bootstrap import Interval

RECORDS = "records.jsonl"  # in the folder of a run
DESCRIBED = ("--always", "--exclude=*", "--dirty", "--abbrev=40")  # the commit itself, not the tag before it


@dataclass(frozen=True)
class Protocol:
    """How a value was measured. Values of different protocols do not compare."""

    measure: str  # "FD", "KID", "bits_per_dim", …
    data: str  # the set's name
    data_sha256: str  # of the split as it is stored; "" = it streams from disk
    split: str  # that samples are held against, or that is evaluated
    samples: int  # how many were generated, or evaluated
    references: int = 0  # how many of the split samples are held against; 0 = samples are the split's own
    extractor: str = ""  # of features: its name; "" = none
    extractor_sha256: str = ""  # of its weights
    pixels: str = ""  # what becomes of images before it: dtype, range, resizing
    settings: Mapping[str, Any] = field(default_factory=dict)  # neighbours, subsets, sampler steps, …

    def differences(self, other: "Protocol") -> list[str]:
        """'split: train and test' for each part that differs."""
        mine, theirs = dataclasses.asdict(self), dataclasses.asdict(other)
        mine |= {f"settings.{key}": value for key, value in mine.pop("settings").items()}
        theirs |= {f"settings.{key}": value for key, value in theirs.pop("settings").items()}
        return [
            f"{key}: {mine.get(key, 'absent')} and {theirs.get(key, 'absent')}"
            for key in sorted(mine.keys() | theirs.keys())
            if mine.get(key, None) != theirs.get(key, None)
        ]


class Figure(NamedTuple):
    """One measured value and its protocol."""

    protocol: Protocol
    interval: Interval
    floor: float | None  # the same measure of as many real samples; None = it has none, or there are too few


class Origin(NamedTuple):
    """Where samples are from."""

    run: str  # its folder's name
    seed: int  # of the samples and the interval
    checkpoint: str = ""  # SHA-256 of its manifest; "" = it was not kept, or the samples came as files
    step: int = 0  # 0 = not known
    seconds: float = 0.0  # that the training took, until then; 0 = not known
    device: str = ""  # that it took them on
    evaluation: str = ""  # its name in the configuration's `evals`; "" = the model's own measures, or of files
    given: str = ""  # what samples were generated from, as `sample.given` has it; "" = anything
    version: str = __version__  # of this package


@dataclass(frozen=True)
class Record:
    """A value, its interval, what real samples reach, and where it is from."""

    protocol: Protocol
    value: float
    low: float  # of the 95 % interval
    high: float
    floor: float | None
    run: str
    seed: int
    checkpoint: str
    step: int
    seconds: float
    device: str
    version: str
    evaluation: str = ""
    given: str = ""
    commit: str = ""  # of the code that measured it; "" = not known

    @property
    def name(self) -> str:
        """The measure's, with the evaluation's before it: two of one run may have the same measure."""
        return f"{self.evaluation}/{self.protocol.measure}" if self.evaluation else self.protocol.measure

    @classmethod
    def of(cls, figure: Figure, origin: Origin) -> "Record":
        return cls(figure.protocol, *figure.interval, figure.floor, **origin._asdict(), commit=commit())

    def to_json(self) -> str:
        """One line."""
        return json.dumps(dataclasses.asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, line: str) -> "Record":
        """Raises ValueError for a line that is none."""
        try:
            found = json.loads(line)
            return cls(**{**found, "protocol": Protocol(**found["protocol"])})
        except (TypeError, KeyError, AttributeError, RecursionError) as error:
            raise ValueError(f"no record ({error})") from error


@cache
def commit() -> str:
    """The commit of the code, with "-dirty" where files have changed since; "" outside a checkout of git."""
    git = ("git", "-C", str(Path(__file__).parent))
    try:
        # A package that was installed below another project's checkout is not of that project's commit.
        for command in (["ls-files", "--error-unmatch", __file__], ["describe", *DESCRIBED]):
            done = subprocess.run([*git, *command], capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()


def same_protocol(records: Sequence[Record]) -> Protocol:
    """The protocol of them all. Raises UserError, naming what differs."""
    first = records[0]
    for other in records[1:]:
        if found := first.protocol.differences(other.protocol):
            raise UserError(
                f"{first.protocol.measure} of {first.run} and of {other.run} cannot be compared, since they were not "
                f"measured alike ({'; '.join(found)}): measure one of them again, or leave it out."
            )
    return first.protocol


def write(path: Path, figures: Sequence[Figure], origin: Origin) -> None:
    """Adds the records of figures to a file."""
    with naming(path), path.open("a", encoding="utf-8") as file:
        file.writelines(f"{Record.of(figure, origin).to_json()}\n" for figure in figures)


def read_records(path: Path) -> list[Record]:
    """The records of a file, one a line, or of a run, given as its folder. Raises UserError, naming what is none."""
    path = path / RECORDS if path.is_dir() else path
    if not path.is_file():
        raise UserError(f"There is no {path}: give the folder of a run that was evaluated, or a file of records.")
    records = []
    for number, line in enumerate(path.read_text("utf-8", "replace").splitlines(), 1):
        try:
            records.append(Record.from_json(line))
        except ValueError as error:
            raise UserError(f"{path}, line {number}, holds no record ({error}): remove it.") from error
    return records


def latest(records: Sequence[Record]) -> list[Record]:
    """Of each run, evaluation and measure, the record of its last step; of several there, the last one."""
    found: dict[tuple[str, str], Record] = {}
    for record in records:
        key = record.run, record.name
        if key not in found or record.step >= found[key].step:
            found[key] = record
    return list(found.values())
