"""The yardstick: turns, ratios of one round, sides that fail, and a page that is what the results make."""

import json
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest
from support import ROOT

from benchmarks import figures, page, pieces
from benchmarks.__main__ import main
from benchmarks.turns import Taken, Worker, refuse_other_devices, rounds
from benchmarks.worker import turn

NAMES = pieces.names()


def run(*arguments, **options):
    return subprocess.run(
        [sys.executable, "-m", "benchmarks", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=200,
        **options,
    )


def record(preload="", **rates):
    sides = {
        side: dict(
            items=2, parameters=3, cost=8.0 if side == "ours" else 0.0, device="cpu", versions={"python": "3"},
            prepare_s=1.0, first_run_s=2.0, second_run_s=0.5,
        )
        for side in rates
    }  # fmt: skip
    turns = {
        side: [dict(runs=1, seconds=2 / rate, peak_bytes=1 << 20) for rate in each] for side, each in rates.items()
    }
    return figures.record(
        "matmul", "cpu", {"side": 4}, sides, turns, {"compiled": "no compiler"}, "python -m …", preload
    )


def test_a_turn_is_whole_runs_until_its_seconds_are_over():
    runs, seconds = turn(lambda: time.sleep(0.02), 0.1)
    assert 3 <= runs <= 5 and 0.1 <= seconds < 0.2
    assert turn(lambda: None, 0)[0] == 1


def test_a_run_that_names_its_seconds_counts_those_alone():
    runs, seconds = turn(lambda: time.sleep(0.02) or 0.001, 0.05)
    assert seconds == pytest.approx(0.001 * runs)


def test_rates_and_ratios_are_of_the_same_round():
    of = record(ours=[10, 40, 30], torch=[10, 20, 60])
    assert of["sides"]["ours"]["rates"] == [10, 40, 30]
    assert figures.ratios(of, "ours", "torch") == [1, 2, 0.5]
    assert figures.spread(figures.ratios(of, "ours", "torch")) == "1.00 [0.50, 2.00]"


def test_the_ceiling_is_the_best_rate_of_any_side():
    found = {"matmul": [record(ours=[10, 40], torch=[10, 20])]}
    assert page.ceilings(found) == {"matmul": 8 / 2 * 40}


def test_what_is_printed_names_sides_ratios_and_what_is_absent():
    printed = figures.printed(record(ours=[10, 10], torch=[5, 5]))
    assert "ours / torch: 2.00 [2.00, 2.00]" in printed and "compiled: not measured: no compiler" in printed


def test_figures_are_kept_and_found_again(tmp_path, monkeypatch):
    monkeypatch.setattr(figures, "RESULTS", tmp_path)
    of = record(ours=[1], torch=[2])
    path = figures.write(of)
    assert path.name == "matmul-cpu.json" and figures.read(path.parent) == {"matmul": [of]}
    with pytest.raises(FileExistsError, match="has figures of torch as well"):
        figures.write(record(ours=[2]))
    assert figures.read(path.parent) == {"matmul": [of]}
    assert figures.write(record(ours=[2], torch=[1], compiled=[3])) == path


def test_figures_with_another_allocator_are_kept_and_named_apart(tmp_path, monkeypatch):
    monkeypatch.setattr(figures, "RESULTS", tmp_path)
    of = record(ours=[1], torch=[2], preload="libtcmalloc_minimal.so.4")
    assert figures.write(of).name == "matmul-cpu-tcmalloc.json"
    assert "| cpu, tcmalloc |" in page.summary({"matmul": [of]}) and "matmul cpu, tcmalloc on" in figures.printed(of)


def test_tcmalloc_is_asked_for_in_vain_where_it_is_not(monkeypatch, capsys):
    monkeypatch.setattr("benchmarks.__main__.tcmalloc", lambda: "")
    monkeypatch.setattr(sys, "argv", ["benchmarks", "matmul", "--tcmalloc"])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 2 and "--tcmalloc: it is not installed" in capsys.readouterr().err


def test_every_side_has_the_allocator_that_was_asked_for(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(subprocess, "Popen", lambda command, env, **rest: asked.append(env["LD_PRELOAD"]) or 1 / 0)
    for preload in ("", "libm.so.6"):
        with pytest.raises(ZeroDivisionError):
            Worker(sys.executable, "matmul", "ours", {}, ROOT, tmp_path / "log", preload)
    assert asked == ["", "libm.so.6"]


def test_the_share_of_a_ceiling_is_of_items_however_many_a_run_makes():
    of = record(ours=[10], torch=[10])
    of["absent"], of["sides"]["torch"]["items"] = {}, 8
    assert page.details("gpt_step", [{**of, "sides": {"ours": of["sides"]["ours"], "eager": of["sides"]["torch"]}}],
                        {"matmul": 80.0}).count("| 50% |") == 2  # fmt: skip


def test_our_steps_are_those_of_a_call():
    piece = pieces.find("gpt_step")
    settings = piece.SIZES["tiny"]
    steps = piece.config(settings)["train"]["steps_per_call"]
    work = piece.SIDES["ours"].prepare(settings)
    assert steps > 1 and work.items == steps * settings["batch"] * settings["length"]


def test_rounds_of_several_processes_are_joined_and_a_side_that_failed_is_not_started_again(monkeypatch, capsys):
    asked = []

    def of_each(places, *settings):
        asked.append(list(places))
        of = record(**{side: [10 * len(asked)] for side in places})
        turns = {side: [dict(runs=1, seconds=2 / (10 * len(asked)), peak_bytes=1)] for side in places}
        return Taken(of["sides"], turns, {"torch": "no memory"} if "torch" in places else {})

    monkeypatch.setattr("benchmarks.__main__.in_turn", of_each)
    arguments = ["matmul", "--processes=3", "--python", f"torch={sys.executable}"]
    monkeypatch.setattr(sys, "argv", ["benchmarks", *arguments])
    with pytest.raises(SystemExit) as left:
        main()
    said = capsys.readouterr().out
    assert asked == [["ours", "torch"], ["ours"], ["ours"]] and left.value.code == 1
    assert "20 [10, 30]/s" in said and "torch: not measured: failed: no memory" in said and "ours / torch" not in said


def test_sides_take_turns_in_processes_of_their_own(tmp_path):
    settings = pieces.find("matmul").SIZES["tiny"]
    workers = [Worker(sys.executable, "matmul", "ours", settings, ROOT, tmp_path / str(i)).ready() for i in range(2)]
    workers[1].side = "again"
    taken = rounds(workers, 2, 0.05)
    for worker in workers:
        worker.close()
        assert worker.facts["cost"] == 2 * settings["side"] ** 3 and worker.facts["device"] == "cpu"
    assert [len(each) for each in taken.values()] == [2, 2]
    assert all(each["runs"] > 1 and each["peak_bytes"] > 1 << 20 for many in taken.values() for each in many)


def test_a_side_that_cannot_start_says_why(tmp_path):
    worker = Worker(sys.executable, "matmul", "nobody", {}, ROOT, tmp_path / "log").ready()
    assert "nobody" in worker.failed and "ended with code 1" in worker.failed and worker.take_turn(1) == {}


def test_a_side_that_is_killed_while_it_waits_has_failed(tmp_path):
    settings = pieces.find("matmul").SIZES["tiny"]
    worker = Worker(sys.executable, "matmul", "ours", settings, ROOT, tmp_path / "log").ready()
    worker.kill()
    worker._process.wait()
    assert worker.take_turn(0) == {} and "ended with code -9" in worker.failed


def test_a_side_on_another_kind_of_device_has_failed():
    ours, eager, compiled = (SimpleNamespace(side=side, failed="", facts={}) for side in ("ours", "eager", "compiled"))
    ours.facts, eager.facts, compiled.failed = {"device": "NVIDIA H100"}, {"device": "cpu"}, "no compiler"
    refuse_other_devices([compiled, ours, eager])
    assert (ours.failed, eager.failed, compiled.failed) == ("", "ran on cpu, and ours on NVIDIA H100", "no compiler")


def test_what_is_counted_by_a_run_of_its_own_is_no_part_of_preparing(tmp_path):
    (tmp_path / "aigc_jax").mkdir()
    (tmp_path / "aigc_jax/__init__.py").write_text("")
    code = (
        "import time; from benchmarks import pieces, worker; from benchmarks.work import Side, Work;"
        "piece = pieces.find('matmul');"
        "piece.SIDES['ours'] = Side('', lambda _: Work(lambda: None, 1, cost=lambda: time.sleep(0.5) or 7.0), '');"
        f"worker.main('matmul', 'ours', {{}}, {str(tmp_path)!r})"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, input="", capture_output=True, text=True, check=True)
    facts = json.loads(done.stdout)
    assert facts["cost"] == 7 and facts["prepare_s"] + facts["first_run_s"] + facts["second_run_s"] < 0.3


def test_an_environment_that_is_not_there_is_said_and_ours_is_measured():
    done = run("matmul", "--size=tiny", "--rounds=1", "--turn=0", "--python", "torch=/nowhere/python")
    assert done.returncode == 0 and "torch: not measured: no environment: make peers" in done.stdout, done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nothing"], "invalid choice: 'nothing'"),
        (["matmul", "--size=huge"], 'matmul has no "huge". Known: cpu'),
        (["matmul", "--set", "sides=3"], 'no setting "sides". Known: side'),
        (["matmul", "--sides=theirs"], "matmul has no theirs. Known: ours, torch"),
        (["matmul", "--set", "side=3", "--write"], "--write keeps the figures of a size as it is"),
    ],
)
def test_wrong_arguments_get_one_line_with_what_there_is(arguments, said):
    done = run(*arguments)
    assert done.returncode == 2 and said in done.stderr.splitlines()[-1] and "Traceback" not in done.stderr


def test_the_list_names_every_piece():
    listed = run("list").stdout
    assert [line.split()[0] for line in listed.splitlines()] == NAMES


def test_the_pages_are_what_the_results_make():
    for path, text in page.pages().items():
        assert path.read_text("utf-8") == text, "python -m benchmarks.page"


def test_a_page_names_another_checkout_measured_or_not():
    measured, absent = record(ours=[10], before=[5], torch=[5]), record(ours=[10], torch=[5])
    absent["absent"]["before"] = absent["absent"].pop("compiled")
    measured["absent"] = {}
    assert "2.00 [2.00, 2.00] |" in page.summary({"matmul": [measured]}).splitlines()[-1]
    assert "| ours before | 5 [5, 5] |" in page.details("matmul", [measured], {})
    assert "* Not measured: ours before: no compiler" in page.details("matmul", [absent], {})


def test_another_checkout_is_measured_beside_this_one(tmp_path):
    copy = tmp_path / "aigc_jax"
    copy.mkdir()
    (copy / "__init__.py").write_text("")
    settings = {"side": 8, "precision": "float32"}
    worker = Worker(sys.executable, "matmul", "before", settings, tmp_path, tmp_path / "log").ready()
    assert worker.facts["cost"] == 2 * 8**3, worker.failed
    worker.close()
    empty = Worker(sys.executable, "matmul", "before", settings, tmp_path / "no", tmp_path / "2").ready()
    assert "AssertionError" in empty.failed or "No module" in empty.failed


def test_a_command_is_kept_without_what_is_of_one_machine():
    given = ["matmul", "--python", "torch=/a/python", "--rounds=2", "--python=torch=/b", "--before", "/c", "--write"]
    assert figures.repeatable(given, None) == ["matmul", "--rounds=2", "--write"]
    assert figures.repeatable(given, ROOT)[-1] == f"--before={figures.commit()}"


def test_figures_just_written_do_not_make_a_commit_another(tmp_path):
    def git(*arguments):
        author = "-c", "user.name=a", "-c", "user.email=a@b"
        subprocess.run(["git", *author, *arguments], cwd=tmp_path, check=True, capture_output=True)

    (tmp_path / "benchmarks/results").mkdir(parents=True)
    kept, code = tmp_path / "benchmarks/results/a.json", tmp_path / "code.py"
    for path in (kept, code):
        path.write_text("1")
    git("init")
    git("add", ".")
    git("commit", "-m", "first")
    name = figures.commit(tmp_path)
    kept.write_text("2")
    assert figures.commit(tmp_path) == name and not name.endswith("+")
    code.write_text("2")
    assert figures.commit(tmp_path) == f"{name}+"
