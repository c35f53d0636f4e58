"""The tasks of a run, at intervals or on request: log, evaluate, sample, save."""

import math
from collections.abc import Callable
from functools import partial

import jax

from aigc_jax.errors import UserError
from aigc_jax.method import State
from aigc_jax.metrics.record import Figure
from aigc_jax.ops.optimizer import updates
from aigc_jax.train import about, records
from aigc_jax.train.checkpoint import Checkpoints
from aigc_jax.train.clock import Clock
from aigc_jax.train.journal import Journal, measured
from aigc_jax.train.programs import Sums
from aigc_jax.train.requests import Requests
from aigc_jax.train.run import Overdrawn, Run
from aigc_jax.train.stopping import Abandoned, StopRequest, unless_asked
from aigc_jax.train.workdir import Workdir

FIRST_JUDGING = 2  # the number of the first task that measures samples: it may take as long as it likes at the end
SETTLED = 500  # steps after which a network has left its first weights, and may be said to fail


class Unsound(Exception):
    """Training should not go on from the steps first + 1 … beyond. what: the reason."""

    def __init__(self, first: int, beyond: int, what: str):
        super().__init__(what)
        self.first, self.beyond = first, beyond


class Cut(Exception):
    """The run was asked to stop between the tasks of a step. done: how many of them are done."""

    def __init__(self, done: int, sums: Sums):
        super().__init__()
        self.done, self.sums = done, sums


class Tasks:
    """The tasks of a run under way. A task gets the state as training holds it, and gives the sums to go on with."""

    def __init__(
        self,
        run: Run,
        workdir: Workdir,
        journal: Journal,
        checkpoints: Checkpoints,
        clock: Clock,
        asked: StopRequest,
        requests: Requests,
    ):
        self._run, self._workdir, self._journal, self._checkpoints = run, workdir, journal, checkpoints
        self._clock, self._asked, self._requests = clock, asked, requests
        self._measures: dict[str, float] = {}
        self._sound = journal.start  # the last step whose state was found to be finite
        self._tasks: list[tuple[int, str, Callable[[int, State, Sums], None]]] = [
            (run.pace.log_every, "log", self._log),
            (run.every(""), "evaluate", self._evaluate),
            *((run.every(name), "evaluate", partial(self._judge, name)) for name in run.judges),
            *([(run.sampling.every, "sample", self._sample)] if run.programs.method.sample else []),
            (run.save_every, "save", self._save),
        ]

    def due(self, step: int) -> list[int]:
        """The numbers of the tasks that this step has, by its number or on request."""
        asked = self._requests.at(step)
        return [
            number for number, (every, kind, _) in enumerate(self._tasks) if self._regular(every, step) or kind in asked
        ]

    def _regular(self, every: int, step: int) -> bool:
        return step == self._run.pace.steps or (every > 0 and step % every == 0)

    def do(self, step: int, state: State, sums: Sums, done: int = 0) -> Sums:
        """Does what is due at this step, in order, from task number `done` on.

        Raises Unsound where training should not go on so, and Cut where it is asked to stop.
        """
        programs, due = self._run.programs, self.due(step)
        self._measures.clear()
        if done:  # what was measured before it was stopped decides which checkpoint is best
            self._measures.update(measured(self._workdir.metrics, step, self._run.evaluation.split))
        if not due:
            return sums
        state, held = programs.canonical(state), programs.canonical(sums)
        self.check(step, state)
        for number in due:
            _, kind, task = self._tasks[number]
            if number >= done:
                if number == FIRST_JUDGING and self._run.judges and step == self._run.pace.steps and not done:
                    # Measuring may take any time now: the step is saved.
                    with self._clock.during("save"):
                        self._checkpoints.save(state, held, {}, number)
                try:
                    with self._clock.during(kind):
                        task(step, state, held)
                except Abandoned:
                    raise Cut(number, programs.mapped(held)) from None
                if task == self._log:
                    held = programs.next_sums(held)
        self._requests.met(step, [self._tasks[number][1] for number in due])
        return programs.mapped(held)

    def check(self, step: int, state: State) -> None:
        """Raises Unsound where the state is not finite, which it may be though all gradients were."""
        with self._clock.during("save"):
            finite = self._run.programs.finite(state)
        if not finite:
            what = f"the state after step {step} is not finite, and was after step {self._sound}"
            raise Unsound(self._sound, step, what)
        self._sound = step

    def _log(self, step: int, state: State, sums: Sums) -> None:
        found = jax.device_get(sums)
        watch, taken = found["watch"], float(found["watch"].taken)
        means = {name: float(total) / taken for name, total in found["metrics"].items()} if taken else {}
        if watch.skipped:
            means["skipped"] = float(watch.skipped)
        means |= {
            f"{name}_learning_rate": rate(updates(state.opt_state[name])) for name, rate in self._run.rates.items()
        }
        self._journal.scalars(step, "train", means)
        if watch.longest >= self._run.pace.max_skipped:
            first, beyond = int(watch.until - watch.longest), int(watch.until)
            what = f"{beyond - first} updates in a row, steps {first + 1} to {beyond}, were not finite or far too large"
            raise Unsound(first, beyond, what)

    def _evaluate(self, step: int, state: State, sums: Sums) -> None:
        run = self._run
        figures = unless_asked(self._asked, lambda between: run.measured(state, between))
        self._keep(step, "", figures)
        if self._regular(run.every(""), step):
            self._diagnose(step)

    def _diagnose(self, step: int) -> None:
        """Tells what this evaluation and the regular one before it both find wrong; where only the last step is
        evaluated, what that finds.
        """
        if jax.process_index() or step < SETTLED:
            return
        every, split = self._run.every(""), self._run.evaluation.split
        steps = ((step - 1) // every * every, step) if every else (step,)
        found = [self._run.programs.method.diagnose(measured(self._workdir.metrics, at, split)) for at in steps]
        self._journal.diagnosis(step, [line for line in found[-1] if line in found[0]])

    def _judge(self, name: str, step: int, state: State, sums: Sums) -> None:
        run = self._run
        budget = run.evaluation.budget if step < run.pace.steps else 0.0  # after the last step nothing waits
        try:
            figures = unless_asked(self._asked, lambda between: run.judged(name, state, budget, between))
        except (Overdrawn, UserError) as error:  # such as samples that are not finite
            self._journal.say(f"The samples of step {step} are not measured: {error}")
            return
        for line in run.judges[name].left_out:
            self._journal.say(f"Of the samples of step {step} this is left out: {line}")
        self._keep(step, name, figures)

    def _keep(self, step: int, evaluation: str, figures: list[Figure]) -> None:
        prefix = f"{evaluation}/" if evaluation else ""
        values = {f"{prefix}{figure.protocol.measure}": figure.interval.value for figure in figures}
        self._journal.scalars(step, self._run.evaluation.split, values)
        given = self._run.given_to(evaluation)
        records.add(self._workdir, figures, self._run.seed, step, evaluation=evaluation, given=given)
        if self._regular(self._run.every(evaluation), step):  # a request does not change which checkpoint is the best
            self._measures |= values

    def _sample(self, step: int, state: State, sums: Sums) -> None:
        run, name = self._run, f"step_{step:08d}"
        last = step == run.pace.steps
        look = partial(about.compare, self._workdir, run, step) if last else lambda samples: None
        try:
            (picture,) = unless_asked(
                self._asked, lambda _: run.write_samples(state, self._workdir.samples / name, look=look)
            )
            self._journal.picture(step, picture)
            unless_asked(self._asked, lambda _: run.walk(state, self._workdir.walks / name))
        except UserError as error:  # such as samples that are not finite
            self._journal.say(f"The samples of step {step} are not written: {error}")

    def _save(self, step: int, state: State, sums: Sums) -> None:
        finite = {name: value for name, value in self._measures.items() if math.isfinite(value)}
        self._checkpoints.save(state, sums, finite)
