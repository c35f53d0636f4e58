"""What is done with one run: prepare it, train it, evaluate it, sample from it, audit it."""

from collections.abc import Sequence

from aigc_jax import command
from aigc_jax.errors import NotAtHand, UserError


def run(argv: Sequence[str], began: float, mode: str = "") -> None:
    """Does what a command line asks for. argv and mode: see `command.parse`; began: when the process started.

    Raises UserError.
    """
    asked = command.parse(argv, mode)
    try:
        _run(asked, began)
    except UserError as error:
        if asked.mode == "preflight":
            error.code = 2  # whatever it is, the run cannot be begun so
        raise


def _run(asked: command.CommandLine, began: float) -> None:
    command.prepare_jax(asked.distributed)
    from aigc_jax import sources
    from aigc_jax.build import build  # takes seconds: after the command line is known to be right
    from aigc_jax.train import loop, trained
    from aigc_jax.train.workdir import ANY_TARGET, Workdir

    workdir, config = Workdir(asked.workdir), sources.filled(asked.config)
    kept = workdir.kept()
    if recall := asked.mode == "sample" and kept is not None:  # the data need not be there
        workdir.check(config, ANY_TARGET)
    try:
        made = build(config, asked.data_dir, kept=kept, recall=recall)
    except NotAtHand:  # as of sample.given=split:test
        made = build(config, asked.data_dir, kept=kept)
    if asked.mode == "train":
        loop.train(made, workdir, began)
    elif asked.mode == "preflight":
        from aigc_jax.train import preflight

        preflight.preflight(made, workdir)
    elif asked.mode == "audit":
        from aigc_jax.evaluate import audit  # what it reads with takes seconds too

        audit.of_run(made, workdir)
    else:
        {"evaluate": trained.evaluate, "sample": trained.sample}[asked.mode](made, workdir)
