"""A run that trains does what it is asked for, at a step that it keeps to, and comes to the same end as without."""

import json
import os
import shutil
import signal
import time

import jax
import numpy as np
import pytest
from support import load_config, same

from aigc_jax.build import build
from aigc_jax.errors import Stopped, UserError
from aigc_jax.train import loop, requests, tasks
from aigc_jax.train.requests import BITS, BY_CLOCK, Requests
from aigc_jax.train.stopping import STOP, Abandoned, Meetings
from aigc_jax.train.workdir import Workdir

BEST = "bits_per_char"


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    monkeypatch.setattr(requests, "LOOK", 0.0)


@pytest.fixture(scope="module")
def run():
    """It logs each second step of six, saves at 1, 2, ... , and evaluates and samples after the last."""
    config = load_config("gpt_sentences", "tiny")
    config["train"] |= {"steps": 6}
    config["checkpoint"] |= {"every": 1, "keep_last": 9, "best": BEST}
    config["evaluate"] |= {"every": 6}
    return build(config, devices=jax.devices()[:1])


def train(run, folder):
    loop.train(run, Workdir(folder), time.time())
    return Workdir(folder)


@pytest.fixture(scope="module")
def plain(run, tmp_path_factory):
    """The same run, asked for nothing."""
    return train(run, tmp_path_factory.mktemp("plain") / "run")


def ask(workdir, *names):
    workdir.requests.mkdir(parents=True, exist_ok=True)
    for name in names:
        (workdir.requests / name).touch()


def asked(run, folder, *names):
    """A run that was asked before its first step, and so does it after its second."""
    ask(Workdir(folder), *names)
    return train(run, folder)


def metrics(workdir):
    return [json.loads(line) for line in workdir.metrics.read_text("utf-8").splitlines()]


def state(run, workdir, step=6):
    keeper = run.checkpoints(workdir.checkpoints)
    try:
        return keeper.restore(run.programs.described, run.programs.described_sums, step)[:2]
    finally:
        keeper.close()


def measured(run, workdir):
    """The steps whose checkpoints are compared, and the best of them."""
    keeper = run.checkpoints(workdir.checkpoints)
    try:
        return [each.step for each in keeper._finished() if each.metrics], keeper.best()
    finally:
        keeper.close()


def answers(workdir):
    return {path.name: path.read_bytes() for path in workdir.samples.iterdir()}


def test_a_request_is_met_and_changes_nothing_else(run, plain, tmp_path, capsys):
    workdir = asked(run, tmp_path / "run", "sample", "evaluate", "save")
    assert "Done as asked at step 2: evaluate, sample, save.\n" in capsys.readouterr().out
    assert not list(workdir.requests.iterdir())
    assert same(state(run, workdir), state(run, plain))
    assert metrics(plain) == [record for record in metrics(workdir) if (record["step"], record["group"]) != (2, "test")]
    assert answers(plain).items() < answers(workdir).items()
    assert answers(workdir).keys() - answers(plain).keys() == {"step_00000002.txt"}
    steps = [json.loads(line)["step"] for line in workdir.records.read_text("utf-8").splitlines()]
    assert set(steps) == {2, 6}
    assert measured(run, workdir) == measured(run, plain) == ([6], 6), "a request decides on no best checkpoint"


def test_a_save_is_met_where_none_is_due(run, tmp_path):
    workdir = asked(run._replace(save_every=0), tmp_path / "run", "save")
    assert run.checkpoints(workdir.checkpoints).steps() == [2, 6]
    assert answers(workdir).keys() == {"step_00000006.txt"}


def test_a_run_resumed_from_before_meets_the_request_again(run, tmp_path):
    whole = asked(run, tmp_path / "whole", "sample", "evaluate")
    broken = Workdir(tmp_path / "broken")
    shutil.copytree(whole.folder, broken.folder)
    for step in range(2, 7):
        shutil.rmtree(broken.checkpoints / str(step))
    shutil.rmtree(broken.samples)
    train(run, broken.folder)
    assert metrics(broken) == metrics(whole) and answers(broken) == answers(whole)
    assert same(state(run, broken), state(run, whole))


def test_a_request_that_was_cut_off_is_met_on_resuming(run, plain, tmp_path, monkeypatch):
    workdir, work = Workdir(tmp_path / "run"), tasks.unless_asked

    def abandon(*_):
        raise Abandoned

    monkeypatch.setattr(tasks, "unless_asked", abandon)
    with pytest.raises(Stopped, match="Stopped at step 2 as asked"):
        asked(run, workdir.folder, "sample")
    assert [path.name for path in workdir.requests.iterdir()] == ["sample"], "it is not met yet"
    monkeypatch.setattr(tasks, "unless_asked", work)
    train(run, workdir.folder)
    assert not list(workdir.requests.iterdir())
    assert answers(workdir).keys() == {"step_00000002.txt", "step_00000006.txt"}
    assert metrics(workdir) == metrics(plain) and same(state(run, workdir), state(run, plain))


def test_a_request_that_comes_late_is_met_by_the_last_step(run, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(requests, "LOOK", 1e9)
    workdir = Workdir(tmp_path / "run")

    class Late(Requests):
        def met(self, step, done):
            if step == 6:
                ask(workdir, "sample")
            super().met(step, done)

    monkeypatch.setattr(loop, "Requests", Late)
    train(run, workdir.folder)
    assert "Done as asked at step 6: sample.\n" in capsys.readouterr().out
    assert not list(workdir.requests.iterdir()) and requests.requested(workdir) == {6: {"sample"}}


@pytest.mark.parametrize("name", ["smaple", "stop", b"\xff".decode("utf-8", "surrogateescape"), "folder/"])
def test_an_unknown_request_is_set_aside(run, tmp_path, name, capsys):
    workdir = Workdir(tmp_path / "run")
    ask(workdir)
    if name.endswith("/"):
        (workdir.requests / name).mkdir()
    else:
        (workdir.requests / name).write_text("kept")
    (workdir.requests / ".nfs0001").touch()
    train(run, workdir.folder)
    lines = [line for line in capsys.readouterr().out.splitlines() if "Nobody knows the request" in line]
    assert len(lines) == 1 and lines[0].endswith("Known: evaluate, sample, save.")
    assert [path.name for path in workdir.requests.iterdir()] == [".nfs0001"]
    (aside,) = (workdir.folder / "set_aside").iterdir()
    assert aside.is_dir() or aside.read_text() == "kept"
    assert not workdir.requested.exists()


def test_a_model_that_draws_nothing_knows_no_samples(run, tmp_path):
    mute = run._replace(programs=type("Mute", (), {"method": run.programs.method._replace(sample=None)}))
    said, workdir = [], Workdir(tmp_path)
    listening = Requests(mute, workdir)
    listening.listen(said.append)
    ask(workdir, "sample", "save")
    assert listening.wanted() == BITS["save"]
    assert said[0].endswith("Known: evaluate, save.")


def test_a_request_that_cannot_be_removed_is_met_once(run, tmp_path):
    said, workdir = [], Workdir(tmp_path)
    listening = Requests(run, workdir)
    listening.listen(said.append)
    (workdir.requests / "save").mkdir()
    listening.plan(2, listening.wanted())
    listening.met(2, ["save"])
    assert "cannot be removed" in said[0] and listening.wanted() == 0


def test_a_folder_that_is_away_asks_for_nothing(run, tmp_path):
    listening = Requests(run, Workdir(tmp_path / "none"))
    assert listening.wanted() == 0


def test_it_looks_once_a_second(run, tmp_path, monkeypatch):
    looks, listdir = [], os.listdir
    listening = Requests(run, Workdir(tmp_path))
    monkeypatch.setattr(requests, "LOOK", 1.0)
    monkeypatch.setattr(os, "listdir", lambda path: looks.append(path) or listdir(path))
    until = time.monotonic() + 0.2
    while time.monotonic() < until:
        listening.wanted()
    assert len(looks) == 1


def test_sigusr1_saves_and_samples(run, plain, tmp_path, monkeypatch, capsys):
    train_once = run.programs.train
    calls = []

    def signalled(*arguments):
        calls.append(1)
        if len(calls) == 1:
            signal.raise_signal(signal.SIGUSR1)
        return train_once(*arguments)

    monkeypatch.setattr(run.programs, "train", signalled)
    before = signal.getsignal(signal.SIGUSR1)
    workdir = train(run._replace(save_every=0), tmp_path / "run")
    assert "Done as asked at step 2: sample, save.\n" in capsys.readouterr().out
    assert run.checkpoints(workdir.checkpoints).steps() == [2, 6]
    assert "step_00000002.txt" in answers(workdir)
    assert same(state(run, workdir), state(run, plain)) and signal.getsignal(signal.SIGUSR1) == before


def test_what_was_asked_for_and_cannot_be_read_is_refused(run, tmp_path):
    workdir = Workdir(tmp_path)
    workdir.requested.write_text("{", "utf-8")
    with pytest.raises(UserError, match=r"requested\.json cannot be read"):
        Requests(run, workdir)


# By the clock


def test_checkpoints_by_the_clock_count_among_the_last_and_resume_to_the_same_bits(run, plain, tmp_path, capsys):
    by_clock = build(
        {**run.config, "checkpoint": {**run.config["checkpoint"], "every": 6, "minutes": 1e-9, "keep_last": 2}},
        devices=jax.devices()[:1],
    )
    workdir = train(by_clock, tmp_path / "run")
    assert run.checkpoints(workdir.checkpoints).steps() == [5, 6]
    assert "as asked" not in capsys.readouterr().out and not workdir.requested.exists()
    assert measured(run, workdir) == measured(run, plain)
    assert same(state(run, workdir, 5), state(run, plain, 5))
    shutil.rmtree(workdir.checkpoints / "6")
    train(by_clock, workdir.folder)
    assert "Resuming from step 5 of 6." in capsys.readouterr().out
    assert same(state(run, workdir), state(run, plain))
    assert metrics(workdir) == metrics(plain) and answers(workdir) == answers(plain)


def test_the_clock_starts_anew_at_every_save(run, tmp_path):
    listening = Requests(run._replace(save_minutes=1.0), Workdir(tmp_path))
    listening.listen(print)
    assert listening.wanted() == 0
    listening._saved -= 61
    assert listening.wanted() == BY_CLOCK
    listening.plan(3, BY_CLOCK)
    assert listening.at(3) == {"save"} and not listening.at(2)
    listening.met(3, ["save"])
    assert listening.wanted() == 0
    listening._saved -= 61
    listening.met(4, ["log"])
    assert listening.wanted() == BY_CLOCK


# Several processes


def test_all_processes_do_what_one_is_asked_for_at_one_call(monkeypatch):
    """Each hears of the others' bits, at the same calls."""
    from aigc_jax.train import stopping

    heard = []
    monkeypatch.setattr(jax, "process_count", lambda: 2)
    others = {1: 0, 2: BITS["save"], 3: STOP}

    def gather(mine):
        other = np.array([others[len(heard) + 1], 1e9], np.float32)  # slow: they meet at every call
        heard.append(mine)
        return np.stack([mine, other])

    monkeypatch.setattr(stopping.multihost_utils, "process_allgather", gather)
    meetings = Meetings()
    wants = [BITS["sample"], BITS["sample"] | BY_CLOCK, 0]
    agreed = [meetings.agreed(call, lambda bits=bits: bits) for call, bits in enumerate(wants, 1)]
    assert agreed == [BITS["sample"], BITS["sample"] | BITS["save"] | BY_CLOCK, STOP]


def test_the_bits_are_apart():
    bits = [STOP, *BITS.values(), BY_CLOCK]
    assert sum(bits) == 2 ** len(bits) - 1
