"""Records survive a crash, and those of steps taken again are dropped."""

import json
import struct

import pytest

from aigc_jax.train import report
from aigc_jax.train.journal import Journal, Tracking, duration, keep_until, read_metrics
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
    assert [record["step"] for record in read_metrics(workdir.metrics)] == [2, 4, 6, 8]


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
    assert "http" not in page.replace('xmlns="http://www.w3.org/2000/svg"', ""), "self-contained"


def scalars(folder):
    """{tag: {step: value}} as TensorBoard shows them: a start at a step drops what was recorded at it or later."""
    from tensorboardX.proto.event_pb2 import Event, SessionLog

    found = {}
    for path in sorted(folder.iterdir()):
        data, at = path.read_bytes(), 0
        while at < len(data):
            (length,) = struct.unpack_from("<Q", data, at)
            event = Event.FromString(data[at + 12 : at + 12 + length])
            at += 16 + length
            if event.HasField("session_log") and event.session_log.status == SessionLog.START:
                for steps in found.values():
                    for step in [step for step in steps if step >= event.step]:
                        del steps[step]
            for value in event.summary.value:
                found.setdefault(value.tag, {})[event.step] = value.simple_value
    return found


def test_a_run_that_goes_on_keeps_the_step_it_goes_on_from_in_tensorboard(workdir):
    for start, steps in ((0, [2, 4, 6]), (4, [6, 8]), (8, [])):
        journal = Journal(workdir, start, 10, Tracking(True, ""), {})
        for step in steps:
            journal.scalars(step, "train", {"loss": step + start / 10})
        journal.close()
        (file,) = (workdir.folder / "tensorboard").glob("events*")
        file.rename(file.with_name(f"{start}"))  # their own names have the second, and these come within one
    found = scalars(workdir.folder / "tensorboard")["train/loss"]
    assert found == pytest.approx({2: 2.0, 4: 4.0, 6: 6.4, 8: 8.4})


def test_the_report_says_what_went_wrong(workdir):
    journal = Journal(workdir, 0, 10, Tracking(False, ""), {})
    journal.scalars(2, "train", {"loss": float("nan"), "skipped": 3.0})
    journal.close()
    (workdir.folder / "nearest.json").write_text(json.dumps({"step": 2, "said": "Near.", "alike": True}), "utf-8")
    page = report.write(workdir).read_text("utf-8")
    assert "At step 2 this is not finite: loss." in page and "3 updates were skipped" in page
    assert "All samples are the same." in page
