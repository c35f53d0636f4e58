"""A configuration made real, and what can be done with a state of it: measure it, sample from it."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, NamedTuple, Protocol

import jax
import numpy as np
from jax.experimental import multihost_utils

from aigc_jax.config import nearest
from aigc_jax.data.dataset import DataSet
from aigc_jax.data.given import Asked, asked, unlike
from aigc_jax.data.rows import TRUTH, save, shown
from aigc_jax.errors import ConfigError
from aigc_jax.method import KNOWN, UNLIKE, PerExample, PyTree, State
from aigc_jax.metrics import record
from aigc_jax.metrics.bootstrap import Interval, interval, ratio
from aigc_jax.metrics.record import Figure
from aigc_jax.ranges import Amount, Count, Seed, Size, at_least
from aigc_jax.train.checkpoint import Checkpoints
from aigc_jax.train.feed import Feed
from aigc_jax.train.journal import Tracking
from aigc_jax.train.programs import Programs

# Random streams beside those of the steps, which are smaller.
EVALUATION, SAMPLING, JUDGING, WALKING = (2**31 + stream for stream in range(4))
PERPLEXITIES = {"bits_per_char": "perplexity"}  # what 2 to the power of a measure is called
LARGEST_EXPONENT = 1023  # of 2, in float64
SHOWN = 400  # samples on one page at most
WALKS, WALK_STEPS = 4, 10  # ways between random samples, and samples on each


class Pace(NamedTuple):
    """Section `train`."""

    steps: Size
    steps_per_call: Size
    log_every: Count
    max_skipped: Size
    spike: Amount


class Evaluation(NamedTuple):
    """Section `evaluate`."""

    every: Count
    split: str
    batch_size: Size
    batches: Count
    budget: Amount


class Judging(NamedTuple):
    """A section `evals.<name>`: samples held against the data. Its figures are logged as `<name>/<measure>`."""

    samples: Annotated[int, at_least(2, besides=0)]  # to draw; 0 = none: it is left out
    measures: tuple[str, ...]  # a module of aigc_jax.evaluate names them, by the kind of the target
    extractor: str = ""  # of images' features: "inception", …
    split: str = "train"  # that they are held against
    given: str = ""  # what they are generated from, as `sample.given`; "" = that
    every: Count = 0  # steps; 0 = whenever the model itself is measured (`evaluate.every`)


class Judge(Protocol):
    """Holds samples of a model against the data: `aigc_jax.evaluate.judge`."""

    count: int  # samples
    left_out: Sequence[str]  # by the last `figures`: what could not be measured, a line each

    @property
    def names(self) -> Sequence[str]:
        """Of its figures."""

    def prepare(self) -> None:
        """What does not depend on the samples, and may take long the first time."""

    def look(self, rows: Mapping[str, np.ndarray]) -> Any:
        """What there is to remember of some samples. rows: as `samples` gives them."""

    def figures(self, looks: Sequence[Any], seed: int) -> list[Figure]:
        """Of `count` samples in all."""


class Overdrawn(Exception):
    """Drawing and looking at the samples takes longer than it may."""


class Sampling(NamedTuple):
    """Section `sample`, but for the keys that are the method's own: `Method.plan`."""

    every: Count
    n: Size
    given: str
    seed: Seed
    stop: str = ""  # a text ends with it, where it comes to it; "" = at its own end


class Run(NamedTuple):
    """What `build` returns and every mode uses."""

    config: Mapping[str, Any]
    networks: Mapping[str, Mapping[str, Any]]  # what each was built from: its class and the fields of its module
    data: DataSet
    feeds: Mapping[str, Feed]  # by split
    batch_size: int
    seed: int
    programs: Programs
    pace: Pace
    save_every: int
    save_minutes: float
    evaluation: Evaluation
    sampling: Sampling
    plan: PyTree  # of sampling: `Method.plan`
    reads: tuple[str, ...]  # what samples may be given: `Method.reads`
    checkpoints: Callable[[Path], Checkpoints]
    tracking: Tracking
    judgings: Mapping[str, Judging]  # by name
    judges: Mapping[str, Judge]  # of these
    rates: Mapping[str, Callable[[int], float]]  # by network: updates done -> the learning rate of the last of them
    negative: str = ""  # what samples are to be unlike, where the plan's settings say so

    def check_best(self) -> None:
        """Raises ConfigError where nothing measures `checkpoint.best`. Takes seconds: it traces a program."""
        best = self.config["checkpoint"]["best"]
        known = [f"{name}/{measure}" for name, judge in self.judges.items() for measure in judge.names]
        if best and best not in known:
            known += self.programs.measures()
            if best not in known:
                raise ConfigError(f'checkpoint.best: nothing measures "{best}".{nearest(best, known)}')

    def measure(self, state: State) -> dict[str, float]:
        """The means over the evaluation split."""
        return {figure.protocol.measure: figure.interval.value for figure in self.measured(state)}

    def measured(self, state: State, between: Callable[[], None] = lambda: None) -> list[Figure]:
        """The means over the evaluation split, in float64. between: is called after every batch."""
        split, size, limit = self.evaluation.split, self.evaluation.batch_size, self.evaluation.batches
        feed = self.feeds[split]
        key = jax.random.fold_in(self.programs.root, EVALUATION)
        parts: dict[str, list[PerExample]] = defaultdict(list)
        for number, (rows, mask) in enumerate(feed.evaluating(size, limit)):
            found = self.programs.evaluate(jax.random.fold_in(key, number), state, feed.resident, rows, mask)
            for name, measure in jax.device_get(dict(found)).items():
                parts[name].append(measure)
            between()
        count = min(len(feed.source), size * limit) if limit else len(feed.source)
        figures = []
        for name, each in parts.items():
            totals, weights = (np.concatenate([getattr(m, of) for m in each])[:count] for of in ("total", "weight"))
            protocol = record.Protocol(name, self.data.name, feed.sha256, split, count)
            estimate = ratio(totals, weights)
            if not np.isfinite(estimate.influence).all():  # `records` keeps no such figure
                figures.append(Figure(protocol, Interval(estimate.value, np.nan, np.nan), None))
                continue
            means = interval(estimate, self.seed)
            figures.append(Figure(protocol, means, None))
            if name in PERPLEXITIES and means.high < LARGEST_EXPONENT:  # a monotonic function takes the interval along
                protocol = replace(protocol, measure=PERPLEXITIES[name])
                figures.append(Figure(protocol, Interval(*(2.0**bits for bits in means)), None))
        return figures

    def judged(
        self, name: str, state: State, budget: float = 0.0, between: Callable[[], None] = lambda: None
    ) -> list[Figure]:
        """Figures of the samples of `evals.<name>`, drawn from the same keys always. between: is called after every
        batch of them.

        budget: seconds; 0 = any number. Raises Overdrawn as soon as it is clear that they will not do.
        """
        judge, run = self.judges[name], self.given(self.judgings[name].given)
        judge.prepare()
        looks, began, batches = [], time.monotonic(), -(-judge.count // self.evaluation.batch_size)
        for number, rows in enumerate(run.samples(state, judge.count, JUDGING)):
            looks.append(judge.look(rows))
            if number == 0:
                began = time.monotonic()  # the first batch compiles
            elif budget:
                needed = (time.monotonic() - began) / number * batches
                if self._agreed(needed > budget):
                    raise Overdrawn(
                        f"{judge.count} samples take about {needed:.0f} s, and evaluate.budget is {budget:.0f} s: "
                        "--mode=evaluate measures them afterwards"
                    )
            between()
        return judge.figures(looks, self.seed)

    def every(self, evaluation: str) -> int:
        """Steps between two of an evaluation; "" is of the model's own measures."""
        return (self.judgings[evaluation].every if evaluation else 0) or self.evaluation.every

    def given_to(self, evaluation: str) -> str:
        """What samples of an evaluation are generated from; "" is of the model's own measures, which draw none."""
        return (self.judgings[evaluation].given or self.sampling.given) if evaluation else ""

    def given(self, text: str) -> "Run":
        """The run with another `sample.given`, where there is one."""
        return self._replace(sampling=self.sampling._replace(given=text)) if text else self

    def asked(self, count: int, seed: int = 0) -> Asked:
        """What so many samples are generated from: `sample.given`, and `sample.negative` under UNLIKE.

        Raises UserError for what cannot be asked.
        """
        found = asked(self.data, self.reads, self.sampling.given, count, seed, self.evaluation.split)
        return found._replace(rows={**found.rows, **unlike(self.data, self.reads, self.negative, count)})

    def samples(self, state: State, count: int, stream: int, seed: int = 0) -> Iterator[dict[str, np.ndarray]]:
        """Samples in batches, as rows of the data set: the target, what it was generated from, and TRUTH.

        Each is a function of the stream, the seed and its number, whatever the batches. TRUTH is the target that the
        data have for what was given, where what was given is of the data; the row's classes stand beside it then.
        """
        size, wanted = min(self.evaluation.batch_size, count), self.asked(count, seed)
        for start in range(0, count, size):
            numbers = np.arange(start, start + size, dtype=np.uint32)
            given = {name: np.take(rows, numbers, axis=0, mode="wrap") for name, rows in wanted.rows.items()}
            keys = self.programs.keys(stream, seed, numbers)
            made = self.programs.sample(keys, state, given, self.plan)[: count - start]
            rows = {name: given[name][: len(made)] for name in given if name != KNOWN and not name.startswith(UNLIKE)}
            if wanted.truth is not None:
                rows[TRUTH] = wanted.truth[start : start + len(made)]
            rows |= {name: each[start : start + len(made)] for name, each in wanted.beside.items()}
            stored = self.data.made.stored(made)
            if self.sampling.stop:
                known = given[KNOWN][: len(made)] if KNOWN in given else None
                stored = self.data.made.until(stored, self.sampling.stop, known)
            yield {**rows, self.data.target: stored}

    def _agreed(self, late: bool) -> bool:
        """What process 0 says, in all of them: each has its own clock, and they sample together."""
        return bool(multihost_utils.broadcast_one_to_all(late)) if jax.process_count() > 1 else late

    def write_samples(
        self,
        state: State,
        stem: Path,
        keep: bool = False,
        between: Callable[[], None] = lambda: None,
        look: Callable[[Mapping[str, np.ndarray]], None] = lambda rows: None,
    ) -> list[Path]:
        """Writes the samples that the configuration asks for, from the keys of its `sample.seed`; returns the files.

        stem: their path without its ending. The first of them are for a person to look at; with keep all are for
        programs to read, beside what they were generated from. between: is called after every batch; look: with all.
        """
        parts = []
        for part in self.samples(state, self.sampling.n, SAMPLING, self.sampling.seed):
            parts.append(part)
            between()
        rows = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        look(rows)
        if jax.process_index():
            return [stem]
        files = [shown(self.data, {name: values[:SHOWN] for name, values in rows.items()}).write(stem)]
        if keep:
            files += save(self.data, rows, self.asked(self.sampling.n, self.sampling.seed).lines, stem)
        return files

    def walk(self, state: State, stem: Path) -> Path | None:
        """Writes what lies between random samples, a way a row, from the same keys always; None where nothing does."""
        rows = self.asked(WALKS).rows
        given = [{name: values[[way] * WALK_STEPS] for name, values in rows.items()} for way in range(WALKS)]
        found = self.programs.walks(jax.random.fold_in(self.programs.root, WALKING), state, WALK_STEPS, given)
        if found is None or jax.process_index():
            return None
        made = self.data.made
        return made.show(made.values(made.stored(found)), WALK_STEPS).write(stem)
