"""What a section of `evals` asks for: samples of a model held against the data, each figure with its protocol.

Every figure comes with its interval, and with its floor: what as many real samples of the evaluation split, which no
model has seen, reach against the same reference. A figure below the floor says that samples repeat the reference.
"""

import hashlib
import importlib.util
import math
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from aigc_jax.data.dataset import DataSet, Source
from aigc_jax.data.given import Asked
from aigc_jax.errors import ConfigError, UserError
from aigc_jax.evaluate.measure import Measure, Sight, Wanted
from aigc_jax.metrics.bootstrap import Estimate, interval
from aigc_jax.metrics.features.extractor import checked
from aigc_jax.metrics.record import Figure, Protocol

CHUNK = 4096  # real samples looked at at a time
FLOOR_SEED = 0  # of which held-out samples the floor takes


class Judge:
    """Holds `count` samples against a split of a data set; `names` are those of the figures that it gives."""

    def __init__(
        self,
        data: DataSet,
        split: str,
        heldout: str,
        count: int,
        measures: Sequence[Measure],
        sight: Sight,
        where: str = "",
    ):
        """where: the section of a configuration that asks for it, for messages."""
        self.count, self._where = count, f"{where}." if where else ""
        self.names = tuple(name for measure in measures for name in measure.names)
        self._data, self._split, self._heldout = data, split, heldout
        self._measures, self._sight, self.using = measures, sight, sight.using
        self.left_out: Sequence[str] = ()  # by the last `figures`: what could not be measured, a line each

    def check(self, asked: Asked) -> None:
        """Refuses what cannot be measured before anything is drawn, and passes over measures that need more samples.

        asked: what samples are generated from.
        Raises ConfigError for an extractor that cannot see the images, and where no measure remains.
        """
        source, using = self._data.splits[self._split], self._sight.using
        if using is not None:
            try:
                checked(source[np.zeros(1, np.int64)][self._data.target], using.shape, using.name)
            except UserError as error:
                raise ConfigError(f"{self._where}extractor: {error}") from error
        kept, lacking = [], []
        for measure in self._measures:
            name, made = " and ".join(measure.names), self.count
            if measure.by_class:
                if "label" not in asked.rows:
                    raise ConfigError(
                        f"{self._where}measures: {name} needs samples of known classes: train a conditional "
                        "model and set sample.given=each, or leave it out."
                    )
                made = np.unique(asked.rows["label"], return_counts=True)[1].min()
            if measure.paired and asked.truth is None:
                raise ConfigError(
                    f"{self._where}measures: {name} needs the true targets of what is given: set "
                    f"{self._where}given=split:test, for a model that reads it, or leave it out."
                )
            if min(made, len(source)) >= measure.least:
                kept.append(measure)
                continue
            samples = "samples of each class" if measure.by_class else "samples"
            lacking.append(
                f"{name} needs at least {measure.least:,} {samples}, and has "
                f"{made:,} drawn ({self._where}samples) and {len(source):,} of the {self._split} split"
            )
        if not kept:
            raise ConfigError(f"{self._where}measures: {'; '.join(lacking)}: leave it out, or give it more.")
        for line in lacking:
            print(f"aigc_jax: {line}: it is passed over.", file=sys.stderr)
        if any(measure.paired for measure in kept):
            there = len({tuple(sorted(line.items())) for line in asked.lines})
            if there < len(asked.lines):
                print(
                    f"aigc_jax: {self._where}samples is {self.count:,}, and there are {there:,} rows to generate from, "
                    "which are given again: intervals take the repeated ones for new.",
                    file=sys.stderr,
                )
        self._measures, self.names = kept, tuple(name for measure in kept for name in measure.names)

    def prepare(self) -> None:
        """Looks at the real samples, which does not depend on the made ones."""
        self._floor  # noqa: B018 - computed on its first use

    def look(self, rows: Mapping[str, np.ndarray]) -> Any:
        """What there is to remember of some samples, as rows that the data set could store."""
        return self._sight.see(rows, False)

    def figures(self, looks: Sequence[Any], seed: int) -> list[Figure]:
        """Of `count` samples in all. seed: of the intervals.

        What cannot be measured, or would not be finite, is left out: `left_out` says why.
        """
        real, sha256 = self._reference
        made, using = self._sight.join(looks), self._sight.using
        found, left_out = [], []
        for measure in self._measures:
            try:
                estimates = measure.estimate(real, made)
                settings = {**measure.settings, **measure.follows(made)}
            except UserError as error:
                left_out.append(f"{' and '.join(measure.names)}: {error}")
                continue
            for name, estimate in zip(measure.names, estimates, strict=True):
                protocol = Protocol(
                    measure=name,
                    data=self._data.name,
                    data_sha256=sha256,
                    split=self._split,
                    samples=self.count,
                    references=len(self._data.splits[self._split]),
                    extractor=using.name if using else "",
                    extractor_sha256=using.sha256 if using else "",
                    pixels=f"uint8, {using.pixels}" if using else "",
                    settings=settings,
                )
                try:
                    found.append(Figure(protocol, interval(estimate, seed), self._floor.get(name)))
                except UserError as error:
                    left_out.append(f"{name}: {error}")
        self.left_out = left_out
        return found

    @cached_property
    def _reference(self) -> tuple[Any, str]:
        source = self._data.splits[self._split]
        return self._seen(source, np.arange(len(source)))

    @cached_property
    def _floor(self) -> dict[str, float]:
        heldout = self._data.splits.get(self._heldout)
        if heldout is None or len(heldout) < self.count or self._heldout == self._split:
            return {}
        chosen = np.random.RandomState(FLOOR_SEED).permutation(len(heldout))[: self.count]
        real, _ = self._reference
        other, _ = self._seen(heldout, np.sort(chosen))
        found: dict[str, Estimate] = {}
        for measure in self._measures:
            with suppress(UserError):  # which the samples' own figures say
                found.update(zip(measure.names, measure.estimate(real, other), strict=True))
        return {name: estimate.value for name, estimate in found.items() if math.isfinite(estimate.value)}

    def _seen(self, source: Source, numbers: np.ndarray) -> tuple[Any, str]:
        """(what measures read of these examples, the SHA-256 of them)."""
        digest, parts = hashlib.sha256(), []
        for start in range(0, len(numbers), CHUNK):
            rows = source[numbers[start : start + CHUNK]]
            samples = np.ascontiguousarray(rows[self._data.target])
            digest.update(f"{samples.dtype.str} {samples.shape}\n".encode())
            digest.update(samples.tobytes())
            parts.append(self._sight.see(rows, True))
        return self._sight.join(parts), digest.hexdigest()


def build_judge(
    data: DataSet,
    split: str,
    heldout: str,
    count: int,
    measures: Sequence[str],
    using: str,
    weights: Path | None,
    cache: Path | None,
    where: str = "",
) -> Judge:
    """The judge of `count` samples by the measures of these names.

    split: of the data, that samples are held against; heldout: where the floor's samples are from.
    using: the extractor of images' features. weights, cache: folders, of the extractors' files and of their answers
    about real images. where: the section of a configuration that asks for it.
    Raises ConfigError for a measure that this kind of data does not have.
    """
    if count < 2 or not measures:
        raise ConfigError(
            f"Measuring samples needs two of them at least, and there are {count}; and what to measure: "
            f"{f'{where}.' if where else ''}measures names {', '.join(measures) or 'nothing'}."
        )
    module = f"aigc_jax.evaluate.{data.made.kind}"
    if importlib.util.find_spec(module) is None:
        raise ConfigError(f"Nothing measures samples of {data.name} ({data.made.kind}): leave {where or 'it'} out.")
    meanings = {name: field.meanings for name, field in data.fields.items()}
    wanted = Wanted(min(count, len(data.splits[split])), measures, using, weights, cache, meanings)
    chosen, sight = importlib.import_module(module).measures_of(data.made, data.target, wanted)
    return Judge(data, split, heldout, count, chosen, sight, where)
