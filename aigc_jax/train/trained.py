"""The modes that read a trained run: evaluate it, sample from it."""

from aigc_jax.errors import UserError
from aigc_jax.method import State
from aigc_jax.train.run import Run
from aigc_jax.train.workdir import MAY_CHANGE_AFTER, Workdir


def evaluate(run: Run, workdir: Workdir) -> None:
    """Mode `evaluate`: measures the newest checkpoint, or the best where one is kept."""
    state = restore(run, workdir)
    measures = run.measure(state)
    for name, value in measures.items():
        print(f"{name:<20} {value:.6g}   ({run.evaluation.split}, step {int(state.step)})")


def sample(run: Run, workdir: Workdir) -> None:
    """Mode `sample`: samples of the newest checkpoint, or the best, in the run's folder."""
    state = restore(run, workdir)
    path = run.draw(state, workdir.samples / f"sample_{int(state.step):08d}")
    print(f"{run.sampling.n} samples of step {int(state.step)}: {path}")


def restore(run: Run, workdir: Workdir) -> State:
    """The weights of the best checkpoint where one is measured, else of the newest, for sampling.

    Raises UserError where there is no checkpoint, or the run there is another configuration's.
    """
    if not workdir.checkpoints.is_dir():
        raise UserError(
            f"There is no checkpoint in {workdir.folder}: train first with the same --config and --workdir."
        )
    changed = [key for key in workdir.check(run.config, MAY_CHANGE_AFTER) if key.startswith("method.")]
    if changed:
        print(f"Other settings than in training: {', '.join(changed)}.")
    checkpoints = run.checkpoints(workdir.checkpoints)
    steps = checkpoints.steps()
    if not steps:
        raise UserError(f"No checkpoint in {workdir.checkpoints} is finished: train on with the same command.")
    best = checkpoints.best()
    step = best if best is not None else steps[-1]
    return run.programs.thawed(checkpoints.restore_for_sampling(run.programs.described, step))
