"""A configuration made real, and what can be done with a state of it: measure it, sample from it."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from aigc_jax.data.dataset import DataSet
from aigc_jax.errors import naming
from aigc_jax.method import State
from aigc_jax.train.checkpoint import Checkpoints
from aigc_jax.train.feed import Feed
from aigc_jax.train.journal import Tracking
from aigc_jax.train.programs import Programs

EVALUATION, SAMPLING = 2**31, 2**31 + 1  # random streams beside those of the steps, which are smaller


class Pace(NamedTuple):
    """Section `train`."""

    steps: int
    steps_per_call: int
    log_every: int
    max_skipped: int
    spike: float


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
    evaluation: Evaluation
    sampling: Sampling
    checkpoints: Callable[[Path], Checkpoints]
    tracking: Tracking

    def measure(self, state: State, between: Callable[[], None] = lambda: None) -> dict[str, float]:
        """The means over the evaluation split, added up in float64. between: is called after every batch."""
        key = jax.random.fold_in(self.programs.root, EVALUATION)
        totals: dict[str, np.ndarray] = {}
        feed = self.feeds[self.evaluation.split]
        batches = feed.evaluating(self.evaluation.batch_size, self.evaluation.batches)
        for number, (rows, mask) in enumerate(batches):
            found = self.programs.evaluate(jax.random.fold_in(key, number), state, feed.resident, rows, mask)
            for name, sums in jax.device_get(dict(found)).items():
                totals[name] = totals.get(name, np.zeros(2)) + np.array([sums.total, sums.weight], np.float64)
            between()
        return {name: float(total / weight) for name, (total, weight) in totals.items()}

    def draw(self, state: State, stem: Path) -> Path:
        """Writes the samples that the configuration asks for, from the same key always; returns the file.

        stem: the file's path without its ending, which the data set's medium gives.
        """
        key = jax.random.fold_in(self.programs.root, SAMPLING)
        condition = self.data.medium.condition(self.sampling.condition, self.sampling.n)
        samples = self.programs.sample(key, state, self.sampling.n, condition)
        if jax.process_index():
            return stem
        with naming(stem):
            return self.data.medium.write(samples, stem)
