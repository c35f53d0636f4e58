"""`aigc_jax ask` says what came of it: of a run that trains, one that does not, and one that is over."""

import threading
import time

import jax
import pytest
from support import load_config

from aigc_jax import command, console
from aigc_jax.build import build
from aigc_jax.commands import ask as asking
from aigc_jax.train import loop, requests
from aigc_jax.train.workdir import Workdir


def ask(folder, *arguments):
    """(exit code) of the command, in this process."""
    return command.guarded(lambda argv: console.main(argv, 0.0), ["aigc_jax", "ask", str(folder), *arguments])


@pytest.fixture(scope="module")
def run():
    return build(load_config("gpt_sentences", "tiny"), devices=jax.devices()[:1])


@pytest.fixture
def slow(run, monkeypatch):
    """Its steps take half a second."""
    once = run.programs.train
    monkeypatch.setattr(run.programs, "train", lambda *arguments: time.sleep(0.5) or once(*arguments))
    monkeypatch.setattr(requests, "LOOK", 0.0)
    return run


@pytest.fixture(scope="module")
def over(run, tmp_path_factory):
    workdir = Workdir(tmp_path_factory.mktemp("over") / "run")
    loop.train(run, workdir, time.time())
    return workdir


def test_a_run_that_trains_answers(slow, tmp_path, capsys):
    workdir = Workdir(tmp_path / "run")
    training = threading.Thread(target=loop.train, args=(slow, workdir, time.time()))
    training.start()
    while not workdir.networks.exists():
        time.sleep(0.01)
    assert ask(workdir.folder, "sample", "save") == 0
    ((step, kinds),) = requests.requested(workdir).items()
    said = capsys.readouterr().out
    training.join()
    assert kinds == {"sample", "save"} and 2 <= step <= 4
    assert f"sample: step {step}, {workdir.samples}/step_0000000{step}.txt\n" in said
    assert f"save: step {step}, {workdir.checkpoints}/{step}\n" in said


def test_one_that_does_not_is_asked_for_later(over, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(asking, "SILENT", 0.1)
    workdir = Workdir(tmp_path)
    for path in (over.config, over.networks):
        (workdir.folder / path.name).write_bytes(path.read_bytes())
    assert ask(workdir.folder, "evaluate") == 0
    assert "Nothing trains in" in capsys.readouterr().out
    assert (workdir.requests / "evaluate").exists()
    assert ask(workdir.folder, "evaluate", "--wait=0") == 0
    assert "Not met after 0 s, and still asked for: evaluate." in capsys.readouterr().out


def test_one_that_is_over_is_named_and_left_as_it_is(over, monkeypatch, capsys):
    monkeypatch.setattr(asking, "SILENT", 0.1)
    assert ask(over.folder, "sample") == 1
    assert f"aigc_jax: The run in {over.folder} is over: see aigc_jax sample" in capsys.readouterr().err
    assert not list(over.requests.iterdir())


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["sample"], 1, "There is no run in"),
        (["smaple"], 2, "invalid choice: 'smaple'"),
        ([], 2, "required: WHAT"),
    ],
)
def test_what_cannot_be_asked(tmp_path, arguments, code, said, capsys):
    assert ask(tmp_path / "none", *arguments) == code
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line and not (tmp_path / "none").exists()
