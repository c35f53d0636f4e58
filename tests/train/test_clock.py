"""Where time goes adds up to the wall time, and outlives a process that is killed."""

import json
import signal
import subprocess
import sys
import time

from support import ROOT

from aigc_jax.train import clock

KILLED = """
import sys, time
from pathlib import Path
from aigc_jax.train import clock
clock.OFTEN = 0.05
with clock.Clock(time.time(), Path(sys.argv[1])) as timing:
    timing.charge("steps")
    timing.step = 7
    print("on", flush=True)
    time.sleep(100)
"""


def test_kinds_add_up_to_the_wall_time(tmp_path):
    began = time.time()
    with clock.Clock(began, tmp_path / "time.jsonl") as timing:
        time.sleep(0.02)
        timing.charge("steps")
        time.sleep(0.03)
        with timing.during("save"):
            time.sleep(0.04)
        timing.within("restore", lambda: time.sleep(0.01))()
        inside = time.time() - began
    found, wall = clock.spent(tmp_path / "time.jsonl"), time.time() - began
    assert inside - 0.01 <= sum(found.seconds.values()) <= wall + 0.01
    assert found.seconds["save"] >= 0.04 and found.seconds["steps"] >= 0.03 and found.seconds["restore"] >= 0.01
    assert (found.starts, found.reached) == (1, 0)


def test_what_a_killed_process_spent_is_there(tmp_path):
    path = tmp_path / "time.jsonl"
    for _ in range(2):
        process = subprocess.Popen([sys.executable, "-c", KILLED, path], cwd=ROOT, stdout=subprocess.PIPE, text=True)
        process.stdout.readline()
        time.sleep(0.5)
        process.send_signal(signal.SIGKILL)
        process.wait()
    found = clock.spent(path)
    assert (found.starts, found.reached) == (2, 7)
    assert 0.8 < found.seconds["steps"] < 1.2


def test_a_line_is_written_over_and_one_cut_short_is_left(tmp_path):
    path = tmp_path / "time.jsonl"
    path.write_text('{"began": 1, "sta')
    with clock.Clock(time.time(), path) as timing:
        timing.step = 10**6
        timing.record()
        timing.step = 5  # it went back
        timing.record()
    cut, line = path.read_text().splitlines()
    assert cut == '{"began": 1, "sta' and json.loads(line)["step"] == 5
    assert clock.spent(path).starts == 1
    assert clock.spent(tmp_path / "none") == clock.Spent(dict.fromkeys(clock.KINDS, 0.0), 0, 0)
