"""records.jsonl in a run's folder: its figures, each with the protocol it was measured by."""

from collections.abc import Sequence

import jax

from aigc_jax.metrics.record import Figure, Origin, read, write
from aigc_jax.train import clock
from aigc_jax.train.workdir import Workdir, write_whole


def add(workdir: Workdir, figures: Sequence[Figure], seed: int, step: int, checkpoint: str = "") -> None:
    """Appends what was measured at a step. Of records of one step and protocol the last counts.

    seed: of the samples. checkpoint: its manifest's SHA-256; "" = it was not saved yet.
    """
    if jax.process_index() or not figures:
        return
    origin = Origin(
        run=workdir.folder.name,
        seed=seed,
        checkpoint=checkpoint,
        step=step,
        seconds=round(sum(clock.spent(workdir.time).seconds.values()), 1),
        device=f"{jax.device_count()} × {jax.devices()[0].device_kind}",
    )
    write(workdir.records, figures, origin)


def keep_until(workdir: Workdir, step: int) -> None:
    """Drops the records of later steps, which are taken again."""
    if jax.process_index() == 0 and workdir.records.exists():
        kept = [record for record in read(workdir.records) if record.step <= step]
        write_whole(workdir.records, "".join(f"{record.to_json()}\n" for record in kept))
