"""What is done with one run: train it, evaluate it, sample from it, audit it."""

from collections.abc import Sequence

from aigc_jax import command


def run(argv: Sequence[str], began: float, mode: str = "") -> None:
    """Does what a command line asks for. argv and mode: see `command.parse`; began: when the process started.

    Raises UserError.
    """
    asked = command.parse(argv, mode)
    command.prepare_jax(asked.distributed)
    from aigc_jax.build import build  # takes seconds: after the command line is known to be right
    from aigc_jax.train import loop, trained
    from aigc_jax.train.workdir import MAY_CHANGE_AFTER, Workdir

    workdir = Workdir(asked.workdir)
    kept = workdir.kept()
    if recall := asked.mode == "sample" and kept is not None:  # the data need not be there
        workdir.check(asked.config, MAY_CHANGE_AFTER)
    made = build(asked.config, asked.data_dir, kept=kept, recall=recall)
    if asked.mode == "train":
        loop.train(made, workdir, began)
    elif asked.mode == "audit":
        from aigc_jax.evaluate import audit  # what it reads with takes seconds too

        audit.of_run(made, workdir)
    else:
        {"evaluate": trained.evaluate, "sample": trained.sample}[asked.mode](made, workdir)
