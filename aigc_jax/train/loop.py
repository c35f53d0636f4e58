"""The loop: one for every family. Train, with evaluation, samples and checkpoints on the way."""

import math
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import jax

from aigc_jax.errors import ConfigError, UserError
from aigc_jax.method import State
from aigc_jax.train import report
from aigc_jax.train.checkpoint import Checkpoints
from aigc_jax.train.feed import Feed
from aigc_jax.train.journal import Journal, duration
from aigc_jax.train.programs import Sums
from aigc_jax.train.recovery import recover
from aigc_jax.train.run import Run
from aigc_jax.train.stopping import agreed, stoppable
from aigc_jax.train.workdir import Workdir


def train(run: Run, workdir: Workdir, began: float) -> None:
    """Trains to the last step from the newest checkpoint, or from the start where there is none.

    began: when the process started, in seconds of `time.time`, to report the time to first step.
    SIGTERM and Ctrl-C end it after the step at hand with a checkpoint; a second one ends it at once.
    Raises UserError when the loss is no longer finite, or nothing can be saved.
    """
    with stoppable() as stopped:
        _train(run, workdir, began, stopped)


def _train(run: Run, workdir: Workdir, began: float, stopped: threading.Event) -> None:
    pace, programs = run.pace, run.programs
    workdir.open(run.config, run.networks)
    newest, damaged = recover(workdir.checkpoints)
    checkpoints = run.checkpoints(workdir.checkpoints)
    feed = run.feeds["train"]
    state, sums = _start(run, checkpoints, feed, newest)
    start = int(state.step)
    if start % pace.steps_per_call:
        raise ConfigError(
            f"The newest checkpoint is of step {start}: set train.steps_per_call to a divisor of that to go on."
        )
    journal = Journal(workdir, start, pace.steps, run.tracking, run.config)
    for line in damaged:
        journal.say(line)
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
        measures.update(run.measure(programs.canonical(state)))
        journal.scalars(step, run.evaluation.split, measures)

    def show(step: int) -> None:
        path = run.draw(programs.canonical(state), workdir.samples / f"step_{step:08d}")
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
            if not last and agreed(stopped, step % pace.log_every == 0):
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


def _start(run: Run, checkpoints: Checkpoints, feed: Feed, newest: int | None) -> tuple[State, Sums]:
    """The state of the newest checkpoint, or of the start, while the training program compiles beside."""
    programs, per_call = run.programs, run.pace.steps_per_call
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
    """parameters.txt: every weight with its shape and size."""
    if jax.process_index():
        return
    from clu import parameter_overview

    text = parameter_overview.get_parameter_overview(dict(state.params), include_stats=False, max_lines=None)
    workdir.parameters.write_text(text + "\n", "utf-8")
