"""Records survive a crash, and those of steps taken again are dropped."""

import json

import pytest

from aigc_jax.train import report
from aigc_jax.train.journal import Journal, Tracking, duration, keep_until, read
from aigc_jax.train.workdir import Workdir


@pytest.fixture
def workdir(tmp_path):
    made = Workdir(tmp_path / "run")
    with made.held():
        made.record({"seed": 0, "train": {"steps": 10}, "networks": {"net": {"width": 3}}}, {})
        yield made


def records(workdir, start, steps):
    journal = Journal(workdir, start, 10, Tracking(False, ""), {})
    for step in steps:
        journal.scalars(step, "train", {"loss": 1.0 / step})
    journal.close()


def test_resuming_drops_what_is_taken_again(workdir):
    records(workdir, 0, [2, 4, 6])
    with workdir.metrics.open("a", encoding="utf-8") as file:
        file.write('{"step": 8, "los')  # a crash in the middle of a line
    records(workdir, 4, [6, 8])
    assert [record["step"] for record in read(workdir.metrics)] == [2, 4, 6, 8]


def test_what_is_not_finite_is_null_and_the_file_stays_json(workdir):
    journal = Journal(workdir, 0, 10, Tracking(False, ""), {})
    journal.scalars(1, "train", {"loss": float("nan")})
    journal.close()
    assert json.loads(workdir.metrics.read_text("utf-8"))["loss"] is None


def test_keep_until_without_a_file_does_nothing(tmp_path):
    keep_until(tmp_path / "none.jsonl", 3)
    assert not (tmp_path / "none.jsonl").exists()


def test_tensorboard_gets_the_scalars(workdir):
    journal = Journal(workdir, 0, 10, Tracking(True, ""), {})
    journal.scalars(1, "train", {"loss": 0.5})
    journal.close()
    assert any(path.stat().st_size > 0 for path in (workdir.folder / "tensorboard").iterdir())


@pytest.mark.parametrize(("seconds", "text"), [(7.4, "7 s"), (200, "3 min 20 s"), (7500, "2 h 05 min")])
def test_durations(seconds, text):
    assert duration(seconds) == text


def test_the_report_holds_everything_and_needs_nothing_else(workdir):
    records(workdir, 0, [2, 4, 6])
    (workdir.samples / "step_1.txt").write_text("天地 <b>玄黃</b>", "utf-8")
    page = report.write(workdir).read_text("utf-8")
    assert "天地 &lt;b&gt;玄黃" in page
    assert "train/loss: 0.5 → 0.1667" in page
    assert "http" not in page, "self-contained"
