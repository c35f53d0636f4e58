"""The modes that read a trained run: evaluate it, sample from it."""

import filecmp
import itertools
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import jax
from tqdm import tqdm

from aigc_jax.errors import UserError, naming
from aigc_jax.method import State
from aigc_jax.metrics.record import Figure
from aigc_jax.train import about, manifest, records, report
from aigc_jax.train.checkpoint import Checkpoints
from aigc_jax.train.run import Run
from aigc_jax.train.workdir import ANY_TARGET, MAY_CHANGE_AFTER, Workdir

READ = ("params", "ema", "extra")  # what evaluating and sampling read of a checkpoint


def evaluate(run: Run, workdir: Workdir) -> None:
    """Mode `evaluate`: measures the newest checkpoint, or the best where one is kept, and writes the report anew.

    Raises UserError at the end where something could not be measured.
    """
    state = restore(run, workdir)
    step, figures = int(state.step), run.measured(state)
    digest = manifest.digest(workdir.checkpoints / str(step))
    left_out: list[str] = []
    print(f"Step {step}, {run.evaluation.split} split:", *map(told, figures), sep="\n")
    records.add(workdir, figures, run.seed, step, digest)
    for name, judge in run.judges.items():
        try:
            with _progress(run, judge.count) as between:
                found = run.judged(name, state, between=between)
        except UserError as error:  # such as samples that are not finite
            left_out.append(f"evals.{name}: {error}")
            continue
        left_out += judge.left_out
        print(f"{name}:", *map(told, found), sep="\n")
        records.add(workdir, found, run.seed, step, digest, name, run.given_to(name))
    about.describe(workdir, run)
    print(f"records: {workdir.records}")
    if jax.process_index() == 0:
        print(f"report: {report.write(workdir)}")
    if left_out:
        raise UserError(f"Left out: {' '.join(left_out)}")


def told(figure: Figure) -> str:
    """One line: the value, its interval, and what real samples reach."""
    protocol, (value, low, high), floor = figure
    if not all(map(math.isfinite, figure.interval)):
        return f"{protocol.measure:<20} {value:<10.4g} of {protocol.samples:,} examples, and not kept."
    real = "" if floor is None else f"; real samples {floor:.4g}"
    return f"{protocol.measure:<20} {value:<10.6g} [{low:.6g}, {high:.6g}] of {protocol.samples:,} samples{real}"


def sample(run: Run, workdir: Workdir) -> None:
    """Mode `sample`: samples of the newest checkpoint, or the best, in the run's folder. No earlier file is lost."""
    state = restore(run, workdir)
    workdir.samples.mkdir(exist_ok=True)
    with _progress(run, run.sampling.n) as between, TemporaryDirectory(prefix=".", dir=workdir.samples) as aside:
        files = run.write_samples(state, Path(aside) / f"sample_{int(state.step):08d}", True, between)
        if jax.process_index() == 0:
            files = kept(files, workdir.samples)
    print(f"{run.sampling.n} samples of step {int(state.step)}: {', '.join(map(str, files))}")


def kept(files: Sequence[Path], folder: Path) -> list[Path]:
    """Moves files into the folder, and returns their paths there.

    They keep their names where no other content has them; else all of them get the next number at which that is so. So
    the same content takes the place of the same, and nothing else is overwritten.
    """
    endings = itertools.chain([""], (f"_{number}" for number in itertools.count(2)))
    names = [file.name.partition(".") for file in files]  # "sample_00000004.given.jsonl" has two endings
    choices = ([folder / f"{stem}{ending}.{suffixes}" for stem, _, suffixes in names] for ending in endings)
    places = next(each for each in choices if all(map(_may_take, files, each)))
    return [file.replace(place) for file, place in zip(files, places, strict=True)]


def _may_take(file: Path, place: Path) -> bool:
    return not place.exists() or filecmp.cmp(file, place, shallow=False)


@contextmanager
def writing(folder: Path, stem: str) -> Iterator[Path]:
    """A path to write files at, with this stem; afterwards they are `kept` in the folder, and their paths printed."""
    with naming(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=".", dir=folder) as aside:
            yield Path(aside) / stem
            files = kept(sorted(Path(aside).iterdir()), folder)
    print(*files, sep="\n")


@contextmanager
def _progress(run: Run, count: int) -> Iterator[Callable[[], None]]:
    """A bar over samples; to be called after every batch of them."""
    with tqdm(total=count, unit="sample", disable=not sys.stderr.isatty() or jax.process_index() > 0) as bar:
        yield lambda: bar.update(min(run.evaluation.batch_size, count - bar.n))


def restore(run: Run, workdir: Workdir) -> State:
    """The weights of the best checkpoint where one is measured, else of the newest, for sampling.

    Raises UserError where there is no checkpoint, or the run there is another configuration's, and ConfigError where
    nothing measures a `checkpoint.best` that is not the one of training.
    """
    checkpoints, step = preferred(run.checkpoints, workdir)
    changed = workdir.check(run.config, ANY_TARGET if run.programs.method.targets else MAY_CHANGE_AFTER)
    workdir.check_data(run.data)
    for line in run.data.changed:
        print(line)
    if "checkpoint.best" in changed and checkpoints.best() is None:  # else training has checked it
        run.check_best()
    if others := [key for key in changed if key.startswith(("method.", "frozen."))]:
        print(f"Other settings than in training: {', '.join(others)}.")
    return checkpoints.restore_for_sampling(run.programs.described, step)


def preferred(opened: Callable[[Path], Checkpoints], workdir: Workdir) -> tuple[Checkpoints, int]:
    """A run's checkpoints, and the step to read: the best where one is measured, else the newest intact one.

    Raises UserError where there is none. Says which are passed over because they are damaged.
    """
    passed = False
    if workdir.checkpoints.is_dir():  # opening would make the folder
        checkpoints = opened(workdir.checkpoints)
        for step in checkpoints.preferred():
            fault = manifest.fault(workdir.checkpoints / str(step), READ)
            if not fault:
                return checkpoints, step
            print(f"The checkpoint of step {step} is damaged ({fault}) and passed over.", file=sys.stderr)
            passed = True
    raise UserError(
        f"There is no {'intact ' if passed else ''}checkpoint in {workdir.folder}: train first, with the same --config "
        "and --workdir."
    )
