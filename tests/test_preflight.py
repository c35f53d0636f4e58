"""`preflight` says what a run takes, and refuses in one line, with code 2, what cannot work; the run's folder stays."""

import math
import shutil
import sys
import time
from functools import partial

import jax
import pytest
from support import load_config

from aigc_jax import command, console, places
from aigc_jax.build import build
from aigc_jax.errors import ConfigError, UserError, free_bytes
from aigc_jax.train import checkpoint, loop, preflight
from aigc_jax.train.checkpoint import WHEN, Checkpoints
from aigc_jax.train.preflight import Tried, checkpoints, held, readable, times
from aigc_jax.train.run import Judging
from aigc_jax.train.workdir import Workdir

TINY = "gpt_sentences:tiny"
ROWS = ("data", "measures", "memory", "disk", "time", "ready")


def aigc_jax(*arguments):
    """The exit code of the console command, in this process."""
    return command.guarded(lambda argv: console.main(argv, time.time()), ["aigc_jax", *map(str, arguments)])


@pytest.fixture(scope="module")
def run():
    return build(load_config("gpt_sentences", "tiny"), devices=jax.devices()[:1])


@pytest.fixture(scope="module")
def trained(run, tmp_path_factory):
    workdir = Workdir(tmp_path_factory.mktemp("preflight") / "run")
    loop.train(run, workdir, time.time())
    return workdir


def content(folder):
    return {path: (path.stat().st_mtime_ns, path.is_file() and path.read_bytes()) for path in folder.rglob("*")}


def refused(capsys, *arguments):
    assert aigc_jax("preflight", *arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("aigc_jax: ")
    return line


# The table


def test_a_new_run(tmp_path, capsys):
    assert aigc_jax("preflight", TINY, f"--workdir={tmp_path / 'run'}") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines if not line.startswith(" ")] == list(ROWS)
    assert max(map(len, lines)) <= 100 and lines[-1].endswith("4 steps to take")
    assert not list(tmp_path.iterdir())


def test_one_that_there_is_goes_on(trained, capsys):
    before = content(trained.folder)
    assert aigc_jax("preflight", trained.folder) == 0
    said = capsys.readouterr().out
    assert "0 steps to take after the 4 that are saved" in said and "memory" not in said
    assert aigc_jax("preflight", trained.folder, "--config.train.steps=6") == 0
    assert "2 steps to take after the 4 that are saved" in capsys.readouterr().out
    assert content(trained.folder) == before


def test_a_model_that_draws_nothing(tmp_path, capsys):
    assert aigc_jax("preflight", "classifier_digits:tiny", f"--workdir={tmp_path / 'run'}") == 0
    assert "sampling" not in capsys.readouterr().out


# Refusals


def test_too_little_memory(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(preflight, "available", lambda: 10_000)
    said = refused(capsys, TINY, f"--workdir={tmp_path / 'run'}")
    assert "Training needs" in said and "and there are 10 kB: set a smaller data.batch_size" in said


def test_a_program_that_does_not_fit_after_all(run, tmp_path, monkeypatch):
    def full(*_):
        raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 8 bytes.\nmore")

    monkeypatch.setattr(run.programs, "train", full)
    with pytest.raises(ConfigError, match=r"memory does not hold it \(RESOURCE_EXHAUSTED: Out of .* bytes.\): set"):
        preflight.preflight(run, Workdir(tmp_path))


def test_too_little_disk_before_anything_takes_long(run, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(preflight, "free_bytes", lambda folder: 50_000)
    monkeypatch.setattr(preflight, "_memory", lambda run: pytest.fail("it compiles"))
    with pytest.raises(ConfigError, match=r"The run needs 2 × .* for checkpoints.* 50 kB are free .*: make room"):
        preflight.preflight(run, Workdir(tmp_path))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["ddpm_images:tiny", "--config.data.path=none"], "none"),
        ([TINY, "--config.evaluate.split=tset"], 'no split "tset"'),
        (["ddpm_digits:tiny", "--config.evals.quality.extractor=inception"], "inception"),
        (["ddpm_digits:tiny", "--config.evals.quality.measures=('frechett',)"], 'Did you mean "frechet"'),
        ([TINY, "--config.checkpoint.best=bits", "--config.checkpoint.every=2"], 'nothing measures "bits"'),
        ([TINY, "--config.tracking.wandb=mine"], "wandb needs wandb: pip install"),
    ],
)
def test_what_is_not_there(tmp_path, monkeypatch, arguments, said, capsys):
    monkeypatch.setattr(places, "weights", lambda: tmp_path)
    monkeypatch.setitem(sys.modules, "wandb", None)
    assert said in refused(capsys, *arguments, f"--workdir={tmp_path / 'run'}")
    assert not (tmp_path / "run").exists()


def test_a_folder_of_another_run(trained, capsys):
    before = content(trained.folder)
    assert "another configuration (seed differ)" in refused(capsys, trained.folder, "--config.seed=7")
    assert content(trained.folder) == before


def test_training_refuses_a_disk_for_no_checkpoint_before_it_compiles(run, tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "free_bytes", lambda folder: 1000)
    monkeypatch.setattr(loop, "_train", lambda *_: pytest.fail("it trains"))
    with pytest.raises(UserError, match=r"A checkpoint holds [\d,]+ bytes, and 1,000 are free under .*: make room"):
        loop.train(run, Workdir(tmp_path / "run"), time.time())
    monkeypatch.setattr(checkpoint, "free_bytes", lambda folder: None)  # nobody knows
    checkpoint.refuse_small_disk(tmp_path, run.programs.described)


# What the figures are


@pytest.mark.parametrize("parallel", [{"data": 1}, {"data": 2, "fsdp": 2, "tensor": 2}])
def test_bytes_of_a_state_are_those_of_its_shards(parallel):
    config = load_config("gpt_sentences")  # wide enough to be split
    config["parallel"] |= parallel
    programs = build(config, devices=jax.devices()[: math.prod(parallel.values())]).programs
    state = programs.init()
    shards = [shard for leaf in jax.tree.leaves(state) for shard in leaf.addressable_shards]
    on = {device: 0 for device in programs.layout.mesh.devices.flat}
    for shard in shards:
        on[shard.device] += shard.data.nbytes
    assert held(programs.described) == max(on.values())


def test_what_a_step_needs_is_the_compiler_s_and_more_for_more_rows(run, capsys):
    few = preflight._memory(run)
    config = load_config("gpt_sentences", "tiny")
    config["data"] |= {"batch_size": 64}
    many = preflight._memory(build(config, devices=jax.devices()[:1]))

    def work(said):
        number, unit = said.split("a step ")[1].split(")")[0].split()
        return float(number) * 1000 ** preflight.UNITS.index(unit)

    found = run.programs.memory()
    assert work(few) == pytest.approx(found.temp_size_in_bytes, rel=0.05)
    assert work(many) > 2 * work(few)


def test_bytes_of_a_checkpoint_are_those_of_its_arrays(run, trained):
    keeper = run.checkpoints(trained.checkpoints)
    saved, _, _ = keeper.restore(run.programs.described, run.programs.described_sums, 4)
    keeper.close()
    arrays = jax.tree.leaves((saved.params, saved.ema, saved.extra, saved.opt_state))
    assert checkpoint.size(run.programs.described) == sum(array.nbytes for array in arrays)


@pytest.mark.parametrize(
    "settings",
    [
        {"every": 1, "keep_last": 2},
        {"every": 2, "keep_last": 4},
        {"every": 1, "keep_last": 2, "keep_every": 3},
        {"every": 1, "keep_last": 2, "best": "bits_per_char"},
        {"every": 0, "keep_last": 2},
    ],
)
def test_no_more_checkpoints_lie_there_than_are_counted(run, settings, tmp_path, monkeypatch):
    section = {**run.config["checkpoint"], **settings}
    this = run._replace(
        config={**run.config, "checkpoint": section},
        checkpoints=partial(Checkpoints, **{key: value for key, value in section.items() if key not in WHEN}),
        pace=run.pace._replace(steps=8, log_every=8),
        evaluation=run.evaluation._replace(every=1 if section["best"] else 0),
        save_every=section["every"],
    )
    there, finish = [], Checkpoints._finish

    def counted(self, *arguments):
        there.append(len([path for path in self.folder.iterdir() if path.is_dir()]))
        return finish(self, *arguments)

    monkeypatch.setattr(Checkpoints, "_finish", counted)
    loop.train(this, Workdir(tmp_path / "run"), time.time())
    assert max(there) <= checkpoints(this, 8) <= max(there) + 2


def test_with_a_clock_as_many_are_counted_as_are_kept(run):
    assert checkpoints(run, 2) == 1
    assert checkpoints(run._replace(save_minutes=1.0), 2) == run.config["checkpoint"]["keep_last"] + 1


def test_how_often_something_is_done():
    for steps in range(20):
        for every in range(7):
            done = [step for step in range(1, steps + 1) if step == steps or (every and step % every == 0)]
            assert times(steps, every) == len(done)


def test_the_time_of_a_step_is_that_of_training(run, tmp_path, monkeypatch):
    once = run.programs.train
    monkeypatch.setattr(preflight, "SECONDS", 0.1)
    monkeypatch.setattr(run.programs, "train", lambda *arguments: time.sleep(0.05) or once(*arguments))
    tried = preflight._try(run, tmp_path)
    assert 0.05 <= tried.step < 0.5 and tried.picture > 0 and tried.evaluation > 0 and tried.drawing > 0


def test_the_whole_time_is_the_sum(run):
    said = preflight._time(run, 1000, Tried(step=0.1, evaluation=2.0, drawing=5.0, judging={}, picture=0))
    assert said.startswith("100 ms a step; about 18 min 25 s after compiling: 1,000 steps 1 min 40 s")
    assert "500 × evaluating 16 min 40 s" in said and "1 × sampling 5 s" in said


@pytest.mark.parametrize(("budget", "often"), [(60.0, 1), (0.0, 500), (200.0, 500)])
def test_samples_that_take_too_long_are_measured_at_the_end_alone(run, budget, often):
    asked = {"quality": Judging(100, ("frechet",))}
    judged = run._replace(judgings=asked, evaluation=run.evaluation._replace(budget=budget))
    tried = Tried(step=0.1, evaluation=2.0, drawing=5.0, judging={"quality": 100.0}, picture=0)
    said = preflight._time(judged, 1000, tried)
    assert f"{often} × quality" in said


def test_what_takes_long_is_not_done_twice(monkeypatch):
    calls = []
    preflight.seconds(lambda: calls.append(1))
    assert len(calls) == 2
    monkeypatch.setattr(preflight, "LONG", -1.0)
    preflight.seconds(lambda: calls.append(1))
    assert len(calls) == 3


def test_memory_is_what_the_container_may_use(tmp_path, monkeypatch):
    free = preflight.host()
    assert free > 0
    (tmp_path / "max").write_text("1000\n")
    (tmp_path / "current").write_text("400\n")
    (tmp_path / "unlimited").write_text("max\n")
    pairs = [(tmp_path / "unlimited", tmp_path / "current"), (tmp_path / "none", tmp_path / "current")]
    monkeypatch.setattr(preflight, "CGROUPS", pairs)
    assert preflight.host() > 1000
    monkeypatch.setattr(preflight, "CGROUPS", [*pairs, (tmp_path / "max", tmp_path / "current")])
    assert preflight.host() == 600


def test_room_is_that_of_the_nearest_folder_there_is(tmp_path):
    free = shutil.disk_usage(tmp_path).free
    assert free_bytes(tmp_path / "a" / "b") == pytest.approx(free, rel=0.05)


def test_sizes_are_told_in_three_figures():
    assert [readable(n) for n in (0, 999, 1000, 12_345, 5e9, 3e12, 4e15)] == [
        "0 bytes", "999 bytes", "1 kB", "12.3 kB", "5 GB", "3 TB", "4e+03 TB",
    ]  # fmt: skip


def test_memory_of_an_accelerator_is_what_jax_may_use_of_it(monkeypatch):
    class Device:
        platform = "gpu"

        def __init__(self, stats):
            self.memory_stats = lambda: stats

    for stats, there in (({"bytes_limit": 8, "bytes_in_use": 1}, 8), ({"bytes_in_use": 1}, None), (None, None)):
        monkeypatch.setattr(jax, "local_devices", lambda stats=stats: [Device(stats)])
        assert preflight.available() == there


def test_cpu_devices_share_the_memory(monkeypatch):
    monkeypatch.setattr(preflight, "host", lambda: 800)
    assert preflight.available() == 800 // jax.local_device_count() == 100
