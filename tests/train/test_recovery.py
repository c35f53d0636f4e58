"""Damage to a checkpoint is named, and the newest intact one is gone on from; with none intact a run ends."""

import re
import shutil
import subprocess
import sys
import time

import jax
import numpy as np
import pytest
from support import ROOT, load_config

from aigc_jax.build import build
from aigc_jax.errors import UserError
from aigc_jax.train import loop, manifest, trained
from aigc_jax.train.recovery import recover, saved
from aigc_jax.train.workdir import Workdir
from tests.soak import drills


def payload(folder):
    """The largest file of a step: where its arrays are."""
    return max((path for path in folder.rglob("*") if path.is_file()), key=lambda path: path.stat().st_size)


def flip(folder, seed=0):
    path = payload(folder)
    drills.flip(path, np.random.RandomState(seed))
    return path


def truncate(folder):
    path = payload(folder)
    path.write_bytes(path.read_bytes()[:-7])
    return path


def remove(folder):
    path = payload(folder)
    path.unlink()
    return path


def unsign(folder):
    path = folder / manifest.NAME
    path.unlink()
    return path


def garble(folder):
    path = folder / manifest.NAME
    path.write_text("[1, 2")
    return path


def add(folder):
    path = folder / "stray"
    path.write_text("x")
    return path


DAMAGES = [flip, truncate, remove, unsign, garble, add]


@pytest.fixture(scope="module")
def finished(on_small_data, tmp_path_factory):
    """(configuration, work directory) of a tiny VAE that was trained to its end: steps 2 and 4 are saved."""
    config = on_small_data(load_config("vae_fashion_mnist", "tiny"))
    config["tracking"] = {**config["tracking"], "tensorboard": False}
    workdir = Workdir(tmp_path_factory.mktemp("finished") / "run")
    loop.train(build(config), workdir, time.time())
    assert saved(workdir.checkpoints) == [2, 4]
    return config, workdir


@pytest.fixture
def copy(finished, tmp_path):
    shutil.copytree(finished[1].folder, tmp_path / "run")
    return Workdir(tmp_path / "run")


def contents(config, workdir):
    run = build(config)
    keeper = run.checkpoints(workdir.checkpoints)
    return jax.device_get(keeper.restore(run.programs.described, run.programs.described_sums, 4))


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_newest_step_is_named_set_aside_and_made_again(finished, copy, damage, capsys):
    config, original = finished
    path = damage(copy.checkpoints / "4")
    loop.train(build(config), copy, time.time())
    said = capsys.readouterr().out
    assert f"step 4 is damaged ({path.relative_to(copy.checkpoints / '4').as_posix()} " in said
    assert "Resuming from step 2 of 4." in said
    assert len(list((copy.folder / "set_aside").glob("4_*"))) == 1
    jax.tree.map(np.testing.assert_array_equal, contents(config, copy), contents(config, original))
    assert copy.metrics.read_bytes() == original.metrics.read_bytes()


@pytest.mark.parametrize("damage", DAMAGES)
def test_none_intact_ends_the_run_and_touches_nothing(finished, copy, damage):
    for step in ("2", "4"):
        damage(copy.checkpoints / step)
    before = sorted(copy.folder.rglob("*"))
    with pytest.raises(UserError, match="None of the checkpoints in .* is intact .step 4: .*step 2: "):
        loop.train(build(finished[0]), copy, time.time())
    assert sorted(copy.folder.rglob("*")) == before


def test_sampling_passes_over_what_is_damaged_and_reads_no_more_than_it_needs(finished, copy, capsys):
    run = build(finished[0])
    for path in (copy.checkpoints / "4" / "opt_state.net").rglob("*"):
        if path.is_file():
            path.write_bytes(bytes(path.stat().st_size))
    assert int(trained.restore(run, copy).step) == 4, "a sampler reads no optimizer"
    assert "described_sums" not in vars(run.programs), "nor does it trace the training step"
    flip(copy.checkpoints / "4" / "ema.net")
    assert int(trained.restore(run, copy).step) == 2
    assert "step 4 is damaged (ema.net/" in capsys.readouterr().err
    flip(copy.checkpoints / "2" / "ema.net")
    with pytest.raises(UserError, match="no intact checkpoint"):
        trained.restore(run, copy)


@pytest.mark.parametrize("seed", range(20))
def test_every_flipped_bit_is_found(finished, tmp_path, seed):
    shutil.copytree(finished[1].checkpoints / "4", tmp_path / "4")
    files = sorted(path for path in (tmp_path / "4").rglob("*") if path.is_file() and path.stat().st_size)
    files.remove(tmp_path / "4" / manifest.NAME)
    assert manifest.fault(tmp_path / "4") == ""
    path = files[seed % len(files)]
    drills.flip(path, np.random.RandomState(seed))
    assert manifest.fault(tmp_path / "4") == f"{path.relative_to(tmp_path / '4').as_posix()} has another SHA-256"


def test_a_save_cut_off_is_no_damage(copy):
    """Killed between orbax's last file and the manifest: the step was never announced."""
    manifest.begin(copy.checkpoints / "4")
    unsign(copy.checkpoints / "4")
    step, lines = recover(copy.checkpoints)
    assert step == 2 and saved(copy.checkpoints) == [2]
    assert lines == ["The save of step 4 was cut off before it was finished, and is dropped."]
    shutil.rmtree(copy.checkpoints / "2")
    (copy.checkpoints / "2").mkdir()
    manifest.begin(copy.checkpoints / "2")
    assert recover(copy.checkpoints)[0] is None, "the first save was cut off: the run had nothing yet"
    assert not list(copy.checkpoints.iterdir())


def test_a_save_finished_but_for_its_mark_counts(copy):
    manifest.begin(copy.checkpoints / "4")
    assert recover(copy.checkpoints) == (4, [])
    assert not list(copy.checkpoints.glob(f"*{manifest.WRITING}"))


def test_verify_reports_every_step(copy):
    def verify(folder):
        command = [sys.executable, "-m", "aigc_jax.train", "verify", str(folder)]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    good = verify(copy.folder)
    assert good.returncode == 0
    assert re.findall(r"^step (\d).*intact$", good.stdout, re.MULTILINE) == ["2", "4"]
    assert "go on from step 4" in good.stdout
    truncate(copy.checkpoints / "4")
    bad = verify(copy.folder)
    assert bad.returncode == 1
    assert re.search(r"^step 4 .* bytes in place of \d+$", bad.stdout, re.MULTILINE)
    assert "go on from step 2" in bad.stdout
    none = verify(copy.folder / "nowhere")
    assert none.returncode == 1 and none.stderr.startswith("aigc_jax: There is no checkpoint in")
