"""The command line: help that fits a screen, configurations by name, finished runs by their folder alone."""

import json
import shutil
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest
from support import CONFIGS, ROOT

from aigc_jax import command, commands, console, experiments, modes
from aigc_jax.commands import __path__ as COMMANDS
from aigc_jax.errors import ConfigError, UserError

VERBS = [verb for verbs in console.VERBS for verb in verbs]
LINES, COLUMNS = 24, 100  # of a screen
OVERVIEW = 30  # lines of the list of all commands
TINY = "gpt_sentences:tiny"


def aigc_jax(*arguments):
    """The exit code of the console command, in this process."""
    return command.guarded(lambda argv: console.main(argv, time.time()), ["aigc_jax", *map(str, arguments)])


def main(*arguments):
    """The exit code of main.py, in this process."""
    return command.guarded(lambda argv: modes.run(argv, time.time()), ["main.py", *map(str, arguments)])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The folder of a tiny run, which was told how many samples to draw."""
    folder = tmp_path_factory.mktemp("cli") / "run"
    assert aigc_jax("train", TINY, f"--workdir={folder}", "--config.sample.n=3") == 0
    return folder


@pytest.fixture
def run(folder, tmp_path):
    """A copy of it."""
    shutil.copytree(folder, tmp_path / "run")
    return tmp_path / "run"


def texts(path):
    return [json.loads(line)["text"] for line in path.read_text("utf-8").splitlines()]


# Help


@pytest.mark.parametrize("arguments", [(), ("--help",), ("-h",), *((verb, "--help") for verb in VERBS)])
def test_help_fits_a_screen(arguments, capsys):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", "80")
        try:
            assert aigc_jax(*arguments) == 0
        except SystemExit as end:
            assert end.code == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(" ".join(["usage: aigc_jax", *arguments[:1]]).removesuffix("--help").removesuffix("-h"))
    assert len(lines) <= (LINES if arguments and arguments[0] in VERBS else OVERVIEW)
    assert max(map(len, lines)) <= COLUMNS


@pytest.mark.parametrize("flag", ["--help", "-h", "--helpfull"])
def test_main_answers_help(flag, capsys):
    with pytest.raises(SystemExit) as end:
        main("--config=none", flag)
    said = capsys.readouterr().out
    assert end.value.code == 0 and len(said.splitlines()) <= LINES
    assert all(name in said for name in ("--config", "--workdir", "--mode", "--data_dir", "--distributed"))


def test_every_command_is_in_the_overview():
    modules = {path.stem for folder in COMMANDS for path in sorted((ROOT / folder).glob("[!_]*.py"))}
    assert modules | {*console.MODES, "data"} == set(VERBS) and commands.__doc__
    assert console.MODES == tuple(command.MODES) == ("train", "preflight", "evaluate", "sample", "audit")


@pytest.mark.parametrize("verb", ["folders", "texts", "similarity"])
def test_help_names_the_usual_measures(verb, capsys):
    with pytest.raises(SystemExit):
        aigc_jax(verb, "--help")
    assert "(default: " in " ".join(capsys.readouterr().out.split())


# Configurations


def test_configurations_are_found_by_name_wherever_one_stands(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert list(experiments.shipped()) == CONFIGS
    assert experiments.load(TINY) == experiments.load(f"{ROOT}/configs/gpt_sentences.py:tiny")
    assert aigc_jax("configs") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == CONFIGS and all(len(line) <= COLUMNS for line in lines)
    assert aigc_jax("configs", "ddpm_digits") == 0
    assert "Expected: " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "Which configuration? Give --config=NAME"),
        (["--workdir=W"], "There is no run in W. Give --config=NAME"),
        (["--config=ddpm_digts", "--workdir=W"], 'no configuration "ddpm_digts". Did you mean "ddpm_digits"?'),
        (["--config=ddpm_digits.py", "--workdir=W"], 'Did you mean "ddpm_digits"?'),
        (["--config", "zzz", "--workdir", "W"], '"zzz": "aigc_jax configs" lists those'),
        (["--config=.", "--workdir=W"], '"." is a folder'),
        (["--config=broken.py", "--workdir=W"], "broken.py cannot be used as a configuration (KeyError: 'colour')"),
        (["--config=empty.py", "--workdir=W"], "empty.py defines no get_config(size)"),
        ([f"--config={TINY}"], "Where to? Give --workdir="),
        ([f"--config={TINY}", "--workdir="], "--workdir is empty: is the variable set"),
        ([f"--config={TINY}", "--workdirr=W"], 'There is no flag "--workdirr". Did you mean "workdir"?'),
        ([f"--config={TINY}", "--workdir=W", "--config.train.steps", "x"], "x"),
        ([f"--config={TINY}", "--workdir=W", "W"], '"W" is no flag: write --name=value.'),
        ([f"--config={TINY}", "--workdir=W", "--config.data.lenght=4"], '"data.lenght". Did you mean "data.length"?'),
        ([f"--config={TINY}", "--workdir=W", "--config.data.path=x"], "Nothing reads the configuration key"),
        ([f"--config={TINY}", "--workdir=W", "--config.sample.seed=-1"], "has to be an int, 0 to 4,294,967,295"),
    ],
)
def test_a_wrong_command_line_is_told_in_a_line(arguments, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken.py").write_text("def get_config(size='full'):\n    return {}['colour']\n")
    (tmp_path / "empty.py").write_text("")
    assert main(*arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line
    assert not (tmp_path / "W").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["trian"], 'There is no command "trian". Did you mean "train"?'),
        (["folders", "a"], "The following arguments are required: MADE, --extractor: see aigc_jax folders --help."),
        (["configs", "ddpm_digts"], 'Did you mean "ddpm_digits"?'),
        (["train", "runs/none"], 'There is no configuration "runs/none"'),
        (["data", "sho", "digits"], "invalid choice: 'sho'"),
    ],
)
def test_so_is_a_wrong_command(arguments, said, capsys):
    assert aigc_jax(*arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line


def test_a_key_that_the_file_lacks_may_be_given(tmp_path):
    line = ["main.py", "--config=ddpm_digits:tiny", "--workdir=W", "--config.data.name=image_folder"]
    keys = {"path": "photos", "image_size": 8, "colour": False, "augment": ()}
    asked = command.parse([*line, *(f"--config.data.{key}={value}" for key, value in keys.items())])
    assert asked.config["data"] == {"name": "image_folder", "batch_size": 8, **keys}
    with pytest.raises(ConfigError, match=r'no configuration key "train.path"'):
        command.parse([*line, "--config.train.path=photos"])


# Finished runs


def test_the_folder_alone_suffices(run, capsys):
    assert aigc_jax("evaluate", run) == 0
    assert "bits_per_char" in capsys.readouterr().out
    assert main("--mode=sample", f"--workdir={run}") == 0
    assert len(texts(run / "samples" / "sample_00000004.jsonl")) == 3, "as many as the run was told to draw"
    assert main(f"--workdir={run}") == 0
    assert "Nothing to train" in capsys.readouterr().out
    assert aigc_jax("train", run, "--config.train.steps=6") == 0
    assert "Resuming from step 4 of 6." in capsys.readouterr().out
    assert aigc_jax("train", run, "--config.seed=7") == 1
    assert "another configuration (seed differ)" in capsys.readouterr().err
    assert aigc_jax("verify", run) == 0
    assert aigc_jax("compare", run, run) == 0


def test_a_run_of_before_has_the_newer_keys_with_their_defaults(run):
    path = run / "config.json"
    settings = json.loads(path.read_text("utf-8"))
    del settings["sample"]["seed"], settings["optimizers"]["net"]["clip_norm"]
    path.write_text(json.dumps(settings), "utf-8")
    config = experiments.recorded(path)
    assert config.sample.seed == 0 and config.optimizers.net.clip_norm == 0.0
    settings["evaluate"]["samples"] = 0
    path.write_text(json.dumps(settings), "utf-8")
    with pytest.raises(UserError, match=r"another version of aigc_jax \(.*evaluate\.samples.*start=run:"):
        experiments.recorded(path)
    path.write_text("{", "utf-8")
    with pytest.raises(ConfigError, match=r"config\.json cannot be read .* give --config beside --workdir"):
        experiments.recorded(path)


def test_samples_of_another_request_stand_beside_those_there_are(run):
    def sample(*arguments):
        assert aigc_jax("sample", run, *arguments) == 0
        return {path.name: texts(path) for path in sorted((run / "samples").glob("sample_*.jsonl"))}

    first = sample()
    assert list(first) == ["sample_00000004.jsonl"]
    assert sample() == first, "the same request gives the same file"
    other = sample("--config.sample.seed=1")
    more = sample("--config.sample.n=5")
    assert list(more) == ["sample_00000004.jsonl", "sample_00000004_2.jsonl", "sample_00000004_3.jsonl"]
    assert first.items() <= other.items() <= more.items()
    assert more["sample_00000004_2.jsonl"] != first["sample_00000004.jsonl"] == more["sample_00000004_3.jsonl"][:3]
    assert sample("--config.sample.seed=1") == more
    files = {path.stem for path in (run / "samples").iterdir() if path.name.startswith("sample_")}
    assert files == {name.removesuffix(".jsonl") for name in more}, "each has the page that belongs to it"


# Measures and records under other names


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("frechett", 'Did you mean "frechet"?'),
        ("ppl", "no measure of samples"),
    ],
)
def test_a_measure_known_by_another_name(name, hint):
    from aigc_jax.evaluate.images import MEASURES
    from aigc_jax.evaluate.measure import named

    with pytest.raises(ConfigError) as error:
        named([name], MEASURES)
    assert hint in str(error.value)
    assert named(["FID", "frechet", "kid"], MEASURES) == [MEASURES["frechet"], MEASURES["kid"]]


def test_what_holds_no_records(tmp_path, capsys):
    assert aigc_jax("compare", tmp_path) == 1
    assert "give the folder of a run that was evaluated" in capsys.readouterr().err


def test_an_audit_of_files_and_one_of_a_run(monkeypatch):
    called = []
    monkeypatch.setattr(modes, "run", lambda argv, began, mode: called.append((mode, argv[1:])))
    monkeypatch.setattr(console, "run", lambda name, rest, program: called.append((name, rest)))
    monkeypatch.setattr(console.importlib, "import_module", lambda name: SimpleNamespace(run=modes.run))
    console.main(["aigc_jax", "audit", "runs/a"], 0.0)
    console.main(["aigc_jax", "audit", "--workdir=runs/a"], 0.0)
    console.main(["aigc_jax", "audit", "a", "b", "c", "--out=d"], 0.0)
    run_of_a = ("audit", ["--workdir=runs/a"])
    assert called == [run_of_a, run_of_a, ("audit", ["a", "b", "c", "--out=d"])]


# Installed


@pytest.mark.long(part="package")
def test_an_installed_package_works_in_any_folder(tmp_path):
    """It brings its configurations; what it stands on is this environment's."""
    pytest.importorskip("setuptools")
    source, home, empty = (tmp_path / name for name in ("source", "home", "empty"))
    ignored = shutil.ignore_patterns(".git", ".venv*", "runs", "build", "*.egg-info", "__pycache__", "tests", "docs")
    shutil.copytree(ROOT, source, ignore=ignored)
    build = [sys.executable, "setup.py", "--quiet", "build", f"--build-lib={home}"]  # a wheel's content
    subprocess.run(build, cwd=source, check=True, timeout=300)
    empty.mkdir()
    code = "import sys; sys.path.insert(0, sys.argv.pop(1)); from aigc_jax.__main__ import process; process()"

    def installed(*arguments):
        line = [sys.executable, "-c", code, str(home), *arguments]
        return subprocess.run(line, cwd=empty, capture_output=True, text=True, check=True, timeout=300).stdout

    assert [line.split()[0] for line in installed("configs").splitlines()] == CONFIGS
    assert "Done: step 4 of 4" in installed("train", "cddpm_digits:tiny", "--workdir=w")
    assert "samples of step 4" in installed("sample", "w")
    assert str(home) in installed("configs", "ddpm_digits")
