"""Several pieces at once: what is asked for, who waits, and figures without what making ready took."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks import figures, page, pieces, several
from benchmarks.turns import ROOT, Worker

NOBODY = 2**22 + 1  # is no process


def state(process):
    return Path(f"/proc/{process.pid}/stat").read_text().split()[2]


def test_all_are_prepared_and_each_is_measured(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(figures, "RESULTS", tmp_path)
    monkeypatch.setattr(sys, "argv", ["several", "matmul:tiny:ours", "bandwidth:tiny:ours", "--rounds=1", "--turn=0",
                                      "--pause", str(NOBODY), "--write"])  # fmt: skip
    with pytest.raises(SystemExit) as left:
        several.main()
    said = capsys.readouterr().out
    assert left.value.code == 0 and "matmul tiny on" in said and "bandwidth tiny on" in said and "compile" not in said
    (kept,) = figures.read(next(tmp_path.iterdir()))["matmul"]
    assert kept["command"] == (
        "python -m benchmarks.several matmul:tiny:ours bandwidth:tiny:ours --rounds=1 --turn=0 --write"
    )
    assert "first_run_s" not in kept["sides"]["ours"]
    assert "MiB |  |" in page.details("matmul", [kept], {})


def test_a_side_that_is_not_ready_in_time_has_failed(tmp_path):
    slow = Worker(sys.executable, "matmul", "ours", pieces.find("matmul").SIZES["tiny"], ROOT, tmp_path / "log")
    several.wait([slow], 0.01)
    assert "ended with code -9" in slow.failed


def test_what_is_paused_stands_still_and_goes_on():
    other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        with several.standing_still([other.pid]):
            time.sleep(0.1)
            assert state(other) == "T"
        time.sleep(0.1)
        assert state(other) in "SR"
    finally:
        other.send_signal(signal.SIGKILL)
        other.wait()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("matmul", 'there is no "matmul:"'),
        ("nothing:gpu", "there is no"),
        ("matmul:gpu:theirs", "matmul has no theirs"),
    ],
)
def test_wrong_pieces_get_one_line_with_what_there_is(given, said, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["several", given])
    with pytest.raises(SystemExit) as left:
        several.main()
    assert left.value.code == 2 and said in capsys.readouterr().err.splitlines()[-1]
