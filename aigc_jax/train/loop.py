"""The loop: one for every family. Train, with evaluation, samples and checkpoints on the way."""

import math
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.experimental import multihost_utils

from aigc_jax.data.dataset import DataSet
from aigc_jax.errors import ConfigError, UserError
from aigc_jax.method import State
from aigc_jax.train import report
from aigc_jax.train.checkpoint import Checkpoints
from aigc_jax.train.feed import Feed
from aigc_jax.train.journal import Journal, Tracking, duration
from aigc_jax.train.programs import Programs, Sums
from aigc_jax.train.workdir import MAY_CHANGE_AFTER, Workdir

EVALUATION, SAMPLING = 2**31, 2**31 + 1  # random streams beside those of the steps, which are smaller


class Pace(NamedTuple):
    """Section `train`."""

    steps: int
    steps_per_call: int
    log_every: int


class Evaluation(NamedTuple):
    """Section `evaluate`."""

    every: int
    split: str
    batch_size: int
    batches: int


class Sampling(NamedTuple):
    """Section `sample`."""

    every: int
    n: int
    condition: str


class Run(NamedTuple):
    """A configuration made real: what `build` returns and the three modes use."""

    config: Mapping[str, Any]
    data: DataSet
    batch_size: int
    seed: int
    programs: Programs
    pace: Pace
    save_every: int
    evaluation: Evaluation
    sampling: Sampling
    checkpoints: Callable[[Path], Checkpoints]
    tracking: Tracking


def train(run: Run, workdir: Workdir, began: float) -> None:
    """Trains to the last step from the newest checkpoint, or from the start where there is none.

    began: when the process started, in seconds of `time.time`, to report the time to first step.
    SIGTERM and Ctrl-C end it after the step at hand with a checkpoint; a second one ends it at once.
    Raises UserError when the loss is no longer finite, or nothing can be saved.
    """
    with _stoppable() as stopped:
        _train(run, workdir, began, stopped)


def _train(run: Run, workdir: Workdir, began: float, stopped: threading.Event) -> None:
    pace, programs = run.pace, run.programs
    workdir.open(run.config)
    checkpoints = run.checkpoints(workdir.checkpoints)
    feed = Feed(run.data.splits["train"], programs)
    state, sums = _start(run, checkpoints, feed)
    start = int(state.step)
    if start % pace.steps_per_call:
        raise ConfigError(
            f"The newest checkpoint is of step {start}: set train.steps_per_call to a divisor of that to go on."
        )
    journal = Journal(workdir, start, pace.steps, run.tracking, run.config)
    if start >= pace.steps:
        journal.say(f"Nothing to train: {workdir.checkpoints} holds step {start} of {pace.steps}.")
    elif start:
        journal.say(f"Resuming from step {start} of {pace.steps}.")
    _describe(state, workdir)
    state, sums, resident = programs.mapped(state), programs.mapped(sums), programs.mapped(feed.resident)
    measures: dict[str, float] = {}

    def log(step: int) -> None:
        nonlocal sums
        found = jax.device_get(programs.canonical(sums))
        means = {name: float(total / found["count"]) for name, total in found["metrics"].items()}
        journal.scalars(step, "train", means)
        bad = [name for name, value in means.items() if not math.isfinite(value)]
        if bad:
            raise UserError(
                f"Training diverged: {', '.join(bad)} not finite at step {step}. The checkpoints before are intact; "
                "lower the learning rate or set optimizers.*.clip_norm, and train in another --workdir."
            )
        sums = programs.mapped(programs.start_sums())

    def measure(step: int) -> None:
        measures.clear()
        measures.update(evaluate_state(run, programs.canonical(state)))
        journal.scalars(step, run.evaluation.split, measures)

    def show(step: int) -> None:
        path = sample_state(run, programs.canonical(state), workdir.samples / f"step_{step:08d}")
        journal.picture(step, path)

    def save(step: int) -> None:
        checkpoints.save(programs.canonical(state), programs.canonical(sums), measures)

    tasks = [(pace.log_every, log), (run.evaluation.every, measure), (run.sampling.every, show), (run.save_every, save)]
    batches = feed.training(run.batch_size, run.seed, start, pace.steps, pace.steps_per_call)
    try:
        for step, items in zip(count(start + pace.steps_per_call, pace.steps_per_call), batches, strict=False):
            with jax.transfer_guard("disallow"):  # nothing moves between host and device by accident
                state, sums = programs.train(state, sums, resident, items)
            if step == start + pace.steps_per_call:
                jax.block_until_ready(sums)
                journal.say(f"First step after {time.time() - began:.1f} s.")
            journal.advance(step)
            measures.clear()
            last = step == pace.steps
            for every, task in tasks:
                if last or (every and step % every == 0):
                    task(step)
            if not last and _agreed(stopped, step % pace.log_every == 0):
                save(step)
                journal.say(f"Stopped at step {step} as asked and saved: the same command resumes.")
                return
    finally:
        batches.close()
        journal.close()
        checkpoints.close()
    if jax.process_index() == 0:
        print(f"\nDone: step {pace.steps} of {pace.steps} after {duration(time.time() - began)}.")
        tell(workdir)


def tell(workdir: Workdir) -> None:
    """The last lines of a run: where everything is."""
    page = report.write(workdir)
    newest = max(workdir.samples.iterdir(), key=lambda path: path.stat().st_mtime, default=workdir.samples)
    print(f"  samples      {newest}\n  report       {page}\n  measures     {workdir.metrics}")
    print(f"  checkpoints  {workdir.checkpoints}")


def evaluate_state(run: Run, state: State) -> dict[str, float]:
    """The means over the evaluation split, added up in float64."""
    key = jax.random.fold_in(run.programs.root, EVALUATION)
    totals: dict[str, np.ndarray] = {}
    feed = Feed(run.data.splits[run.evaluation.split], run.programs)
    batches = feed.evaluating(run.evaluation.batch_size, run.evaluation.batches)
    for number, (rows, mask) in enumerate(batches):
        found = run.programs.evaluate(jax.random.fold_in(key, number), state, feed.resident, rows, mask)
        for name, sums in jax.device_get(dict(found)).items():
            totals[name] = totals.get(name, np.zeros(2)) + np.array([sums.total, sums.weight], np.float64)
    return {name: float(total / weight) for name, (total, weight) in totals.items()}


def sample_state(run: Run, state: State, stem: Path) -> Path:
    """Draws the samples that the configuration asks for, from the same key always, into a file."""
    key = jax.random.fold_in(run.programs.root, SAMPLING)
    condition = run.data.medium.condition(run.sampling.condition, run.sampling.n)
    samples = run.programs.sample(key, state, run.sampling.n, condition)
    return run.data.medium.write(samples, stem) if jax.process_index() == 0 else stem


def evaluate(run: Run, workdir: Workdir) -> None:
    """Mode `evaluate`: measures the newest checkpoint, or the best where one is kept."""
    state = restore(run, workdir)
    measures = evaluate_state(run, state)
    for name, value in measures.items():
        print(f"{name:<20} {value:.6g}   ({run.evaluation.split}, step {int(state.step)})")


def sample(run: Run, workdir: Workdir) -> None:
    """Mode `sample`: samples of the newest checkpoint, or the best, in the run's folder."""
    state = restore(run, workdir)
    path = sample_state(run, state, workdir.samples / f"sample_{int(state.step):08d}")
    print(f"{run.sampling.n} samples of step {int(state.step)}: {path}")


def restore(run: Run, workdir: Workdir) -> State:
    """The weights of the best checkpoint where one is measured, else of the newest, for sampling."""
    if not workdir.checkpoints.is_dir():
        raise UserError(
            f"There is no checkpoint in {workdir.folder}: train first with the same --config and --workdir."
        )
    changed = [key for key in workdir.check(run.config, MAY_CHANGE_AFTER) if key.startswith("method.")]
    if changed:
        print(f"Other settings than in training: {', '.join(changed)}.")
    checkpoints = run.checkpoints(workdir.checkpoints)
    steps = checkpoints.steps()
    if not steps:
        raise UserError(f"No checkpoint in {workdir.checkpoints} is finished: train on with the same command.")
    best = checkpoints.best()
    step = best if best is not None else steps[-1]
    return run.programs.thawed(checkpoints.restore_for_sampling(run.programs.described, step))


def _start(run: Run, checkpoints: Checkpoints, feed: Feed) -> tuple[State, Sums]:
    """The state to go on from, while the training program compiles beside."""
    programs, per_call = run.programs, run.pace.steps_per_call
    newest = max(checkpoints.steps(), default=None)
    with ThreadPoolExecutor(1) as beside:
        compiled = None
        if newest is None or newest < run.pace.steps:  # else there is nothing left to train
            items = next(feed.training(run.batch_size, run.seed, 0, per_call, per_call))
            compiled = beside.submit(programs.compile_ahead, feed.resident, items)
        if newest is None:
            state, sums = programs.init(), programs.start_sums()
        else:
            state, sums = checkpoints.restore(programs.described, programs.described_sums, newest)
            state = programs.thawed(state)
        if compiled is not None:
            compiled.result()  # raises what compiling raised
    return state, sums


def _describe(state: State, workdir: Workdir) -> None:
    """parameters.txt: every weight with its shape, size, mean and deviation."""
    if jax.process_index():
        return
    from clu import parameter_overview

    text = parameter_overview.get_parameter_overview(dict(state.params), include_stats=False, max_lines=None)
    workdir.parameters.write_text(text + "\n", "utf-8")


def _agreed(asked: threading.Event, meeting: bool) -> bool:
    """Whether to stop now. Several processes have to stop at one step: they ask each other at meetings."""
    if jax.process_count() == 1:
        return asked.is_set()
    return meeting and bool(np.any(multihost_utils.process_allgather(np.bool_(asked.is_set()))))


@contextmanager
def _stoppable() -> Iterator[threading.Event]:
    """An event that SIGTERM and Ctrl-C set, each once: the second time it ends the process."""
    asked = threading.Event()

    def ask(number: int, _: Any) -> None:
        asked.set()
        signal.signal(number, signal.SIG_DFL)

    if threading.current_thread() is not threading.main_thread():
        yield asked
        return
    before = {number: signal.signal(number, ask) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
