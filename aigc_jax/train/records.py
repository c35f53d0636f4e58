"""records.jsonl in a run's folder: its figures, each with the protocol it was measured by."""

import math
from collections.abc import Sequence
from dataclasses import replace

import jax

from aigc_jax.metrics.record import Figure, Origin, Record, read_records, write
from aigc_jax.train import clock, manifest
from aigc_jax.train.recovery import saved
from aigc_jax.train.workdir import Workdir, write_whole


def add(
    workdir: Workdir,
    figures: Sequence[Figure],
    seed: int,
    step: int,
    checkpoint: str = "",
    evaluation: str = "",
    given: str = "",
) -> None:
    """Appends the finite figures of a step. Of records of one step and name the last counts.

    seed: of the samples. checkpoint: its manifest's SHA-256; "" = it was not saved yet: `sign` names it later.
    evaluation, given: see `Origin`.
    """
    figures = [figure for figure in figures if all(map(math.isfinite, figure.interval))]
    if jax.process_index() or not figures:
        return
    sign(workdir)  # before a checkpoint that was measured last time may be deleted
    origin = Origin(
        run=workdir.name,
        seed=seed,
        checkpoint=checkpoint,
        step=step,
        seconds=round(sum(clock.spent(workdir.time).seconds.values()), 1),
        device=f"{jax.device_count()} × {jax.devices()[0].device_kind}",
        evaluation=evaluation,
        given=given,
    )
    write(workdir.records, figures, origin)


def sign(workdir: Workdir) -> None:
    """Names the checkpoint of each record that was measured before its step was saved."""
    if jax.process_index() or not workdir.records.exists():
        return
    found = read_records(workdir.records)
    folders = {step: workdir.checkpoints / str(step) for step in saved(workdir.checkpoints)}
    hashes = {step: manifest.digest(at) for step, at in folders.items() if (at / manifest.NAME).is_file()}
    signed = [replace(record, checkpoint=hashes.get(record.step, record.checkpoint)) for record in found]
    if signed != found:
        _write(workdir, signed)


def keep_until(workdir: Workdir, step: int) -> None:
    """Drops the records of later steps, which are taken again."""
    if jax.process_index() == 0 and workdir.records.exists():
        _write(workdir, [record for record in read_records(workdir.records) if record.step <= step])


def _write(workdir: Workdir, records: Sequence[Record]) -> None:
    write_whole(workdir.records, "".join(f"{record.to_json()}\n" for record in records))
