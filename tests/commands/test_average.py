"""The verb `average`: an average found after training is the one of that width kept in training."""

import json
import shutil
import time

import jax
import numpy as np
import pytest
from support import load_config

from aigc_jax import command, console, experiments
from aigc_jax.build import build
from aigc_jax.errors import ConfigError, UserError
from aigc_jax.train import loop, trained
from aigc_jax.train.workdir import Workdir

STEPS, EVERY = 64, 8  # of the run, and between its checkpoints
WIDTH = 0.10


def configured(every, **optimizer):
    """A tiny diffusion of points."""
    config = load_config("ddpm_points", "tiny")
    settings = {**config["optimizers"]["net"], "ema_decay": 0.0, "ema_widths": (0.05, 0.15), **optimizer}
    return {
        **config,
        "optimizers": {"net": settings},
        "train": {**config["train"], "steps": STEPS, "log_every": STEPS},
        "evaluate": {**config["evaluate"], "every": 0},
        "checkpoint": {**config["checkpoint"], "every": every, "keep_every": every},
    }


def trained_in(folder, every, **optimizer):
    run, workdir = build(configured(every, **optimizer), devices=jax.devices()[:1]), Workdir(folder)
    loop.train(run, workdir, time.time())
    return run, workdir


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """(a run that samples with the average of WIDTH, and has checkpoints with two others; its folder)."""
    return trained_in(tmp_path_factory.mktemp("kept") / "run", EVERY, ema_width=WIDTH)


def average(workdir, folder, *arguments):
    console.run("average", [str(workdir.folder), str(folder), *arguments], "aigc_jax average")
    return Workdir(folder)


def sampled_with(workdir):
    """(its run, the state to sample with)."""
    run = build(experiments.recorded(workdir.config).to_dict(), devices=jax.devices()[:1], kept=workdir.kept())
    return run, trained.restore(run, workdir)


def distance(one, other):
    gaps = jax.tree.map(lambda a, b: np.sum((np.asarray(a, np.float64) - b) ** 2), one, other)
    return float(np.sqrt(sum(jax.tree.leaves(gaps))))


def test_training_keeps_averages_of_all_widths_and_samples_with_one(kept):
    run, workdir = kept
    checkpoints = run.checkpoints(workdir.checkpoints)
    items = {path.name for path in (workdir.checkpoints / str(STEPS)).glob("ema.*")}
    assert items == {"ema.net", "ema.net@0.05", "ema.net@0.15"}
    _, state = sampled_with(workdir)
    assert set(state.ema) == {"net"}, "sampling reads one average"
    expected = checkpoints.restore_average("net", STEPS)
    assert distance(state.weights("net"), expected) == 0
    wide, narrow = (checkpoints.restore_average(f"net@{width}", STEPS) for width in (0.15, 0.05))
    weights = checkpoints.restore_network("net", STEPS, one_device)["params"]
    assert distance(weights, expected) == 0, "as a source it is the average that is sampled with"
    assert distance(wide, expected) > 0 and distance(narrow, expected) > 0
    checkpoints.close()


def one_device(tree):
    return jax.tree.map(lambda _: jax.sharding.SingleDeviceSharding(jax.devices()[0]), tree)


def without_its_own(workdir, folder):
    """The run as if it had not kept the average of WIDTH."""
    shutil.copytree(workdir.folder, folder)
    copy = Workdir(folder)
    settings = json.loads(copy.config.read_text("utf-8"))
    settings["optimizers"]["net"]["ema_width"] = 0.0
    copy.config.write_text(json.dumps(settings), "utf-8")
    return copy


def test_an_average_found_after_training_is_the_one_kept_in_it(kept, tmp_path, capsys):
    run, workdir = kept
    others = without_its_own(workdir, tmp_path / "others")
    found = average(others, tmp_path / "found", f"--width={WIDTH}")
    said = capsys.readouterr().out
    assert f"net at step {STEPS} with the average of width 0.1, a sum of 16 from 8 checkpoints." in said
    _, expected = sampled_with(workdir)
    _, state = sampled_with(found)
    checkpoints = run.checkpoints(workdir.checkpoints)
    narrow = checkpoints.restore_average("net@0.05", STEPS)
    checkpoints.close()
    error = distance(state.weights("net"), expected.weights("net"))
    apart = distance(narrow, expected.weights("net"))
    assert error < 0.02 * apart, (error, apart)

    # Fewer checkpoints are less near.
    for step in range(EVERY, STEPS, EVERY):
        if step % 32:
            shutil.rmtree(others.checkpoints / str(step))
    _, coarse = sampled_with(average(others, tmp_path / "coarse", f"--width={WIDTH}"))
    assert error < distance(coarse.weights("net"), expected.weights("net")) < apart


def test_what_is_written_is_a_run(kept, tmp_path, capsys):
    """It is sampled, and training goes on from it with all but the average as it was."""
    _, workdir = kept
    found = average(workdir, tmp_path / "found", "--width=0.12")
    assert command.guarded(lambda argv: console.main(argv, time.time()), ["aigc_jax", "sample", str(found.folder)]) == 0
    assert f"of step {STEPS}" in capsys.readouterr().out
    config = experiments.recorded(found.config).to_dict()
    assert config["optimizers"]["net"]["ema_width"] == 0.12 and config["optimizers"]["net"]["ema_widths"] == ()
    run = build({**config, "train": {**config["train"], "steps": STEPS + EVERY}}, devices=jax.devices()[:1])
    checkpoints = run.checkpoints(found.checkpoints)
    here, _, _ = checkpoints.restore(run.programs.described, run.programs.described_sums, STEPS)
    checkpoints.close()
    first = build(experiments.recorded(workdir.config).to_dict(), devices=jax.devices()[:1])
    checkpoints = first.checkpoints(workdir.checkpoints)
    there, _, _ = checkpoints.restore(first.programs.described, first.programs.described_sums, STEPS)
    checkpoints.close()
    assert (
        distance(here.params, there.params) == 0 == distance(here.opt_state["net"][0].mu, there.opt_state["net"][0].mu)
    )
    loop.train(run, found, time.time())
    assert (found.checkpoints / str(STEPS + EVERY) / "ema.net").is_dir()


def test_an_average_may_end_at_an_earlier_checkpoint(kept, tmp_path):
    run, workdir = kept
    _, state = sampled_with(average(workdir, tmp_path / "found", "--width=0.15", "--step=32"))
    checkpoints = run.checkpoints(workdir.checkpoints)
    expected = checkpoints.restore_average("net@0.15", 32)
    checkpoints.close()
    assert int(state.step) == 32
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), state.weights("net"), expected)


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        (("--width=0.4",), ConfigError, "--width is 0.4, and has to be 0 to 0.288, without 0"),
        (("--width=0.1", "--network=nets"), UserError, 'has no network "nets".* Did you mean "net"'),
        (("--width=0.1", "--step=5"), UserError, "has no checkpoint of step 5: 8, 16, 24"),
    ],
)
def test_what_cannot_be_is_refused(kept, tmp_path, arguments, error, said):
    with pytest.raises(error, match=said):
        average(kept[1], tmp_path / "found", *arguments)
    assert not (tmp_path / "found").exists()


def test_a_folder_that_is_there_is_left_alone(kept, tmp_path):
    with pytest.raises(UserError, match="is there already: name a new folder"):
        average(kept[1], tmp_path, "--width=0.1")


def test_two_averages_to_sample_with_are_refused():
    with pytest.raises(ConfigError, match=r'"optimizers.net.ema_width" is 0.1, and "optimizers.net.ema_decay" 0.5'):
        build(configured(EVERY, ema_width=0.1, ema_decay=0.5), devices=jax.devices()[:1])


def test_a_run_without_averages_of_a_width_says_how_they_are_kept(kept, tmp_path):
    copy = without_its_own(kept[1], tmp_path / "copy")
    settings = json.loads(copy.config.read_text("utf-8"))
    settings["optimizers"]["net"]["ema_widths"] = []
    copy.config.write_text(json.dumps(settings), "utf-8")
    with pytest.raises(UserError, match=r"train it with --config.optimizers.net.ema_widths='\(0.05,0.10\)'"):
        average(copy, tmp_path / "found", "--width=0.1")
