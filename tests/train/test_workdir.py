"""One run trains in a folder at a time, and it is the run that the folder holds."""

import signal
import socket
import subprocess
import sys
import time

import pytest
from support import ROOT, load_config

from aigc_jax.config import merged
from aigc_jax.errors import UserError
from aigc_jax.train import workdir
from aigc_jax.train.workdir import Workdir

HOLDS = """
import sys, time
from aigc_jax.train.workdir import Workdir
with Workdir(sys.argv[1]).held():
    print("held", flush=True)
    time.sleep(100)
"""


@pytest.fixture
def holder(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", HOLDS, tmp_path], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()


def test_a_second_process_is_refused_until_the_first_is_gone(tmp_path, holder):
    wanted = rf"Another process trains in the work directory {tmp_path} \({socket.gethostname()} process {holder.pid}\)"
    with pytest.raises(UserError, match=wanted), Workdir(tmp_path).held():
        pass
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    for _ in range(2):  # and the lock is given back
        with Workdir(tmp_path).held():
            pass


def test_one_of_another_machine_is_waited_for(tmp_path, holder, monkeypatch, capsys):
    monkeypatch.setattr(workdir.socket, "gethostname", lambda: "elsewhere")
    monkeypatch.setattr(workdir, "LEASE", 2.5)
    began = time.monotonic()
    with pytest.raises(UserError, match="Another process trains"), Workdir(tmp_path).held():
        pass
    assert 2 < time.monotonic() - began < 10
    assert capsys.readouterr().out.count("Waiting for") == 1
    monkeypatch.setattr(workdir, "LEASE", 60.0)
    holder.send_signal(signal.SIGKILL)
    with Workdir(tmp_path).held():
        pass


def test_without_locks_nothing_is_held(tmp_path, monkeypatch):
    def none(*_):
        raise OSError("no locks")

    monkeypatch.setattr(workdir.fcntl, "flock", none)
    with Workdir(tmp_path).held(), Workdir(tmp_path).held():
        pass


def test_a_folder_given_relatively_is_one_place(tmp_path, monkeypatch):
    (tmp_path / "inner").mkdir()
    monkeypatch.chdir(tmp_path / "inner")
    for given, name in (("runs/x", "x"), ("../y", "y"), ("./z/", "z"), (".", "inner"), ("a/..", "inner")):
        found = Workdir(given)
        assert found.name == name
        assert found.folder.is_absolute()
        assert found.folder.resolve() == (tmp_path / "inner" / given).resolve()


@pytest.mark.parametrize("name", ["run [1]", "what?", "*", "C:\\runs"])
def test_a_path_that_reads_as_a_pattern_is_refused(tmp_path, name):
    with pytest.raises(UserError, match="pattern of names: choose another --workdir"):
        Workdir(tmp_path / name / "run")


def test_a_run_goes_on_with_other_evaluations_and_no_other_network(tmp_path):
    config = load_config("gpt_sentences", "tiny")
    there = Workdir(tmp_path)
    there.record(config, {})
    measured = merged(config, {"evals.more": dict(samples=8, measures=("distinct_2",))})
    assert set(there.check(measured)) == {"evals.more.samples", "evals.more.measures"}
    with pytest.raises(UserError, match=r"another configuration \(networks\.net\.layers differ\)"):
        there.check(merged(measured, {"networks.net.layers": 7}))
