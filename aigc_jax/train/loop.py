"""The loop: one for every family. Train, with evaluation, samples and checkpoints on the way."""

from contextlib import ExitStack
from itertools import count

import jax

from aigc_jax.errors import ConfigError, Stopped
from aigc_jax.method import State
from aigc_jax.train import about, clock, records, report
from aigc_jax.train.checkpoint import Checkpoints, refuse_small_disk
from aigc_jax.train.journal import Journal, duration
from aigc_jax.train.programs import Sums
from aigc_jax.train.recovery import left_out, pass_over, recover
from aigc_jax.train.requests import Requests
from aigc_jax.train.run import Run
from aigc_jax.train.stopping import STOP, Meetings, StopRequest, beside, stoppable
from aigc_jax.train.tasks import Cut, Tasks, Unsound
from aigc_jax.train.watchdog import Watchdog
from aigc_jax.train.workdir import Workdir, write_whole


def train(run: Run, workdir: Workdir, began: float) -> None:
    """Trains to the last step from the newest intact checkpoint, or from the start where none was saved.

    began: when the process started, in seconds of `time.time`, to report the time to first step.
    SIGTERM and Ctrl-C end it after the step at hand with a checkpoint; a second one ends it at once.
    Raises Stopped then, and UserError when training diverges for good, or nothing can be saved.
    """
    steps_before = _steps_before(workdir, workdir.check(run.config))
    workdir.check_data(run.data)
    with ExitStack() as closing:
        asked = closing.enter_context(stoppable())
        closing.enter_context(workdir.held())
        requests = Requests(run, workdir)
        closing.enter_context(requests.on_signal())
        reached = clock.spent(workdir.time).reached
        timing = clock.Clock(began, workdir.time if jax.process_index() == 0 else None)
        with timing.during("restore"):
            newest, said = recover(workdir.checkpoints)
            finished = _finished(run, workdir, newest)
        lines = [*said, _nothing(run, workdir, newest)] if finished else [introduction(run, workdir)]
        if jax.process_index() == 0:
            print(*lines, sep="\n", flush=True)
        if finished:
            records.sign(workdir)
            return
        refuse_small_disk(workdir.folder, run.programs.described)
        closing.enter_context(timing)
        said += _moved(run, steps_before)
        while True:
            try:
                _train(run, workdir, timing, asked, requests, newest, said, reached)
                break
            except Unsound as stretch:
                newest, said = pass_over(workdir, stretch.first, stretch.beyond, str(stretch))
                reached = max(reached, stretch.beyond)
    if jax.process_index() == 0:
        tell(workdir, run.pace.steps, timing.wall())


def introduction(run: Run, workdir: Workdir) -> str:
    """One line about the run, printed while programs compile."""
    of = about.facts(run)
    splits = ", ".join(f"{name} {count:,}" for name, count in of["examples"].items())
    versions = f"aigc_jax {of['aigc_jax']}, jax {of['jax']}, Python {of['Python']}"
    return (
        f"{of['device']}; {versions}; {of['parameters']:,} parameters; {of['data']}: {splits}; "
        f"programs compile now: look into {workdir.folder} meanwhile."
    )


def _finished(run: Run, workdir: Workdir, newest: int | None) -> bool:
    """Whether all steps of a run and their tasks are done."""
    if newest is None or newest < run.pace.steps:
        return False
    if newest > run.pace.steps:
        return True
    checkpoints = run.checkpoints(workdir.checkpoints)
    try:
        return not checkpoints.done(newest, run.programs.layout.named())
    finally:
        checkpoints.close()


def _nothing(run: Run, workdir: Workdir, newest: int | None) -> str:
    beyond = f", beyond train.steps={run.pace.steps}" if newest != run.pace.steps else ", the last"
    return (
        f"Nothing to train: {workdir.checkpoints} holds step {newest}{beyond}, and is left as it is: raise "
        "--config.train.steps to go on."
    )


def _steps_before(workdir: Workdir, changed: list[str]) -> int | None:
    """`train.steps` as it was, where that has changed."""
    return int(workdir.recorded()[0]["train"]["steps"]) if "train.steps" in changed else None


def _moved(run: Run, before: int | None) -> list[str]:
    """How another number of steps changes the learning rates."""
    endless = ("constant", "inverse_sqrt")
    decaying = [name for name, each in run.config["optimizers"].items() if each["schedule"] not in endless]
    if before is None or not decaying:
        return []
    return [
        f"train.steps is {run.pace.steps} and was {before}: the learning rate of {' and '.join(decaying)} decays until "
        "then, and so changes at once."
    ]


def _train(
    run: Run,
    workdir: Workdir,
    timing: clock.Clock,
    asked: StopRequest,
    requests: Requests,
    newest: int | None,
    said: list[str],
    reached: int,
) -> None:
    """Trains from the checkpoint `newest` to the end.

    said: what there is to tell before; reached: the step up to which steps were taken before.
    """
    pace, programs, feed = run.pace, run.programs, run.feeds["train"]
    with ExitStack() as closing:
        checkpoints = run.checkpoints(workdir.checkpoints)
        closing.callback(records.sign, workdir)  # after the last save
        closing.callback(timing.within("save", checkpoints.close))
        state, sums, done = _start(run, checkpoints, timing, newest)
        start = int(state.step)
        workdir.record(run.config, run.networks)  # now that all of it is known to be right
        about.describe(workdir, run)
        if start < pace.steps:
            workdir.keep(run.data)
        records.keep_until(workdir, start)
        journal = Journal(workdir, start, pace.steps, run.tracking, run.config)
        closing.callback(journal.close)
        for line in [*run.data.notes, *run.data.changed, *said, *_beginning(run, start)]:
            journal.say(line)
        _describe(state, workdir)
        tasks = Tasks(run, workdir, journal, checkpoints, timing, asked, requests)
        requests.listen(journal.say)
        state, sums, resident = programs.mapped(state), programs.mapped(sums), programs.mapped(feed.resident)
        omitted = left_out(workdir)
        batches = feed.training(run.batch_size, run.seed, start, pace.steps, pace.steps_per_call, omitted)
        closing.callback(batches.close)
        meetings, watchdog = Meetings(), Watchdog()
        closing.callback(watchdog.close)
        asked.defer()
        step = start
        try:
            if done:
                sums = tasks.do(start, state, sums, done)
            timing.charge("input")
            for call, (step, items) in enumerate(zip(_steps(start, pace.steps_per_call), batches, strict=False), 1):
                timing.charge("compile" if call == 1 else "recomputed" if step <= reached else clock.PRODUCTIVE)
                with jax.transfer_guard("disallow"):  # nothing moves between host and device by accident
                    state, sums = programs.train(state, sums, resident, items)
                if call == 1:
                    jax.block_until_ready(sums)
                    journal.say(f"First step after {timing.wall():.1f} s.")
                journal.advance(step)
                timing.step = step
                watchdog.beat()
                if tasks.due(step):
                    jax.block_until_ready(sums)  # the steps' own time: a peer that hangs is noticed here
                    with watchdog.patient():
                        sums = tasks.do(step, state, sums)
                if step < pace.steps:
                    wanted = meetings.agreed(call, lambda: STOP * asked() | requests.wanted())
                    if wanted & STOP:
                        raise Cut(0, sums)
                    requests.plan(step + pace.steps_per_call, wanted)
                timing.charge("input")
        except Cut as cut:
            with timing.during("save"):
                tasks.check(step, programs.canonical(state))
                checkpoints.save(programs.canonical(state), programs.canonical(cut.sums), {}, cut.done)
                checkpoints.wait()
            raise Stopped(f"Stopped at step {step} as asked and saved: the same command resumes.", asked.code) from None


def _start(run: Run, checkpoints: Checkpoints, timing: clock.Clock, newest: int | None) -> tuple[State, Sums, int]:
    """The state of the newest checkpoint, or of the start, while the training program compiles beside.

    The last is how many of that step's tasks are done, where it was stopped between them; 0 = all.
    """
    programs, per_call, done = run.programs, run.pace.steps_per_call, 0
    if (newest or 0) % per_call:
        raise ConfigError(
            f"The newest checkpoint is of step {newest}: set train.steps_per_call to a divisor of that to go on."
        )
    feed, compiled = run.feeds["train"], None
    if (newest or 0) < run.pace.steps:  # else there is nothing left to train
        items = next(feed.training(run.batch_size, run.seed, 0, per_call, per_call))
        compiled = beside(programs.compile_ahead(feed.resident, items))  # tracing beside other Python code slows both
    if newest is None:
        state, sums = programs.init(), programs.start_sums()
    else:
        with timing.during("restore"):
            state, sums, done = checkpoints.restore(programs.described, programs.described_sums, newest)
    run.check_best()
    if compiled is not None:
        with timing.during("compile"):
            compiled.result()  # raises what compiling raised
    return state, sums, done


def _steps(start: int, per_call: int) -> count:
    """The step that each call of the training program leads to."""
    return count(start + per_call, per_call)


def _beginning(run: Run, start: int) -> list[str]:
    return [f"Resuming from step {start} of {run.pace.steps}."] if start else []


def _describe(state: State, workdir: Workdir) -> None:
    """parameters.txt: every weight with its shape and size."""
    if jax.process_index():
        return
    from clu import parameter_overview

    text = parameter_overview.get_parameter_overview(dict(state.params), include_stats=False, max_lines=None)
    write_whole(workdir.parameters, text + "\n")


def tell(workdir: Workdir, steps: int, seconds: float) -> None:
    """The last lines of a run: where its time went, and where everything is."""
    spent, page = clock.spent(workdir.time), report.write(workdir)
    print(f"\nDone: step {steps} of {steps} after {duration(seconds)}.")
    print(f"Where the time went{f', over {spent.starts} starts' if spent.starts > 1 else ''}:")
    print("\n".join(f"  {line}" for line in clock.table(spent.seconds)))
    newest = max(workdir.samples.iterdir(), key=lambda path: path.stat().st_mtime, default=None)
    places = {"samples": newest, "report": page, "measures": workdir.metrics, "checkpoints": workdir.checkpoints}
    print("\n".join(f"  {name:<12} {place}" for name, place in places.items() if place))
