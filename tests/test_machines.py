"""Machines as people have them: no home, folders that cannot be written, consoles that are closed or show little."""

import errno
import io
import os
import pwd
import subprocess
import sys
import time
from pathlib import Path

import jax
import numpy as np
import pytest
from support import ROOT

from aigc_jax import command, console, consoles, places
from aigc_jax.data import catalogue, store
from aigc_jax.errors import ConfigError, UserError, unwritable
from aigc_jax.metrics.features.catalogue import extractor
from aigc_jax.metrics.features.extractor import Answers, remembered
from aigc_jax.train import clock
from aigc_jax.train.workdir import Workdir

CONFIG = f"--config={ROOT / 'configs' / 'gpt_sentences.py'}:tiny"


@pytest.fixture
def homeless(monkeypatch, tmp_path):
    """A user whom the system does not know, as containers have them."""
    for variable in ("HOME", places.CACHE, "TFDS_DATA_DIR"):
        monkeypatch.delenv(variable, raising=False)

    def unknown(_):
        raise KeyError("uid not found")

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    monkeypatch.setattr(pwd, "getpwnam", unknown)


@pytest.fixture
def cache_settings():
    """Puts jax's settings of its cache back."""
    names = "jax_compilation_cache_dir", "jax_persistent_cache_min_compile_time_secs"
    before = {name: getattr(jax.config, name) for name in names}
    yield
    for name, value in before.items():
        jax.config.update(name, value)


# Homes


def test_a_user_without_a_home(homeless, monkeypatch, tmp_path):
    assert places.cache("programs") is None and places.weights() is None
    with pytest.raises(ConfigError, match="no home folder: give --data_dir=FOLDER, or set TFDS_DATA_DIR"):
        catalogue.load({"name": "digits"}, None)
    for path in ("~/runs", "~nobody/runs"):
        with pytest.raises(ConfigError, match="write the path in full"):
            Workdir(path)
    with pytest.raises(ConfigError, match="write the path in full"):
        catalogue.load({"name": "digits"}, Path("~/data"))
    with pytest.raises(ConfigError, match="write the path in full"):
        catalogue.load({"name": "tang_poems", "path": "~/p", "length": 8, "vocabulary_size": 9}, tmp_path)
    with pytest.raises(UserError, match="set AIGC_JAX_CACHE"):
        extractor("inception", places.weights())
    assert extractor("digits", places.weights()).name == "digits", "what is shipped needs no folder"
    monkeypatch.setenv(places.CACHE, str(tmp_path / "told"))
    assert places.cache("programs") == tmp_path / "told" / "programs"
    assert places.weights() == tmp_path / "told" / "weights"


@pytest.mark.parametrize("told", ["", " "])
def test_nothing_is_kept_where_that_is_asked_for(homeless, monkeypatch, capsys, cache_settings, told):
    monkeypatch.setenv(places.CACHE, told)
    assert places.cache("programs") is None
    command.prepare_jax(distributed=False)
    assert capsys.readouterr().err == ""


def test_a_home_that_cannot_hold_a_cache_is_said_in_one_line(monkeypatch, tmp_path, capsys, cache_settings):
    (tmp_path / "file").touch()
    monkeypatch.delenv(places.CACHE)
    monkeypatch.setenv("HOME", str(tmp_path / "file"))
    assert places.cache("programs") is None
    command.prepare_jax(distributed=False)
    (line,) = capsys.readouterr().err.splitlines()
    assert "not kept" in line and places.CACHE in line


def test_a_home_is_found_as_it_was(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("TFDS_DATA_DIR")
    assert catalogue.default_data_dir() == tmp_path / "tensorflow_datasets"
    monkeypatch.setenv(places.CACHE, "~/cache")
    assert places.cache("programs") == tmp_path / "cache" / "programs"
    assert (tmp_path / "cache" / "programs").stat().st_mode & 0o777 == 0o700
    assert places.expanded("~/runs") == tmp_path / "runs"


def test_answers_are_given_where_they_cannot_be_kept(tmp_path, monkeypatch):
    class Using:
        name, sha256, pixels = "one", "0", "any"

        def __call__(self, images):
            return Answers(np.ones((2, 3)), np.zeros((2, 2)))

    images = np.zeros((2, 4, 4, 1), np.uint8)
    (tmp_path / "file").touch()
    assert remembered(Using(), images, tmp_path / "file" / "features").features.shape == (2, 3)

    def full(path, **_):
        Path(path).write_bytes(b"PK")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    assert remembered(Using(), images, tmp_path / "features").features.shape == (2, 3)
    assert not list((tmp_path / "features").iterdir()), "nothing half written stays"


# Folders that runs are asked to use


def parsed(*arguments):
    return command.parse(["main.py", *arguments]).config


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([CONFIG, "--workdir="], "--workdir is empty"),
        ([CONFIG, "--workdir", ""], "--workdir is empty"),
        ([CONFIG, "--workdir=  "], "--workdir is empty"),
        ([CONFIG, "--workdir=w", "--data_dir="], "--data_dir is empty"),
        (["--config=", "--workdir=w"], "--config is empty"),
    ],
)
def test_an_empty_flag_is_refused(tmp_path, monkeypatch, arguments, said):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=f"{said}: is the variable set"):
        parsed(*arguments)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (["report", "RUN", "--out="], "--out"),
        (["board", "", "--out=page.html"], "FOLDER"),
        (["folders", "", "MADE"], "REAL"),
        (["texts", "TRAINING", ""], "MADE"),
        (["prefer", "page", "A", "B", "--out=", "--pairs=2"], "--out"),
        (["data", "show", "digits", "--out="], "--out"),
        (["data", "show", "digits", "--data_dir="], "--data_dir"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_an_empty_path_is_refused_by_every_command(tmp_path, monkeypatch, cache_settings, arguments, name):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=f"(?i)argument {name}: is empty: is the variable set"):
        console.main(["aigc_jax", *arguments], time.time())
    assert not list(tmp_path.iterdir())


def test_an_empty_name_is_no_work_directory():
    for name in ("", " "):
        with pytest.raises(UserError, match="empty: is the variable set"):
            Workdir(name)


def test_paths_of_commands_may_begin_with_a_tilde(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    parser = console.Parser(prog="x")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--page", type=Path, default=Path("page.html"))
    assert parser.parse_args(["--out=~/page.html"]).out == tmp_path / "page.html"
    assert parser.parse_args([]).page == Path("page.html")
    with pytest.raises(ConfigError, match="~no-such-user/x: there is no such home folder"):
        parser.parse_args(["--out=~no-such-user/x"])


def test_a_work_directory_that_cannot_be_written_is_refused_before_anything_is_built(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("nowhere")
    for path in ("file", "file/run", "link", "link/run"):
        with pytest.raises(
            UserError, match="work directory .* cannot be written .*is no folder.*choose another --workdir"
        ):
            parsed(CONFIG, f"--workdir={tmp_path / path}")
    for path in ("", "new", "new/deeper"):
        assert unwritable(tmp_path / path) == ""
    assert parsed(CONFIG, f"--workdir={tmp_path / 'new' / 'deeper'}")["seed"] is not None
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(UserError, match=f"{tmp_path} is not yours to write"):
        parsed(CONFIG, f"--workdir={tmp_path / 'new'}")
    assert not (tmp_path / "new").exists()


def test_a_work_directory_that_is_no_utf_8_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"run\\xff is no UTF-8.*PYTHONUTF8=1"):
        Workdir(os.fsdecode(bytes(tmp_path / "run") + b"\xff"))


def test_data_is_prepared_where_the_file_system_has_no_locks(tmp_path, monkeypatch):
    def none(*_):
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    monkeypatch.setattr(store.fcntl, "flock", none)
    data = catalogue.load({"name": "sentences", "length": 64}, tmp_path)
    assert data.folder.is_relative_to(tmp_path) and len(data.splits["train"]) > 0


# Consoles


def lasting(script, *redirections, **environment):
    """(exit code, standard output) of a shell that runs Python so."""
    command_line = f'{sys.executable} -c "$SCRIPT" {" ".join(redirections)}'
    prologue = "import sys; from aigc_jax import consoles; consoles.make_lasting()\n"
    env = {**os.environ, "PYTHONPATH": str(ROOT), "SCRIPT": prologue + script, **environment}
    done = subprocess.run(["bash", "-c", f"set -o pipefail; {command_line}"], env=env, capture_output=True, timeout=60)
    return done.returncode, done.stdout + done.stderr


MANY = "for _ in range(20000): print('a line'); print('an error', file=sys.stderr)\nsys.exit(7)"


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("where", ["2>&1 | head -1", ">/dev/full 2>&1", ">&- 2>&-", ">&- 2>&- <&-"])
def test_what_becomes_of_the_console_ends_nothing(where, unbuffered):
    code, said = lasting(MANY, where, PYTHONUNBUFFERED=unbuffered)
    assert code == 7
    assert said in ((b"a line\n", b"an error\n") if "head" in where else (b"",))


def test_a_closed_console_is_no_file_of_the_run(tmp_path):
    """A file opened next would have its number, and get what threads and C++ write there."""
    script = f"import os\nfile = open({str(tmp_path / 'kept')!r}, 'w')\nos.write(2, b'x'); print('y')\nfile.write('z')"
    assert lasting(script, ">&- 2>&- <&-") == (0, b"")
    assert (tmp_path / "kept").read_text() == "z"


@pytest.mark.parametrize(
    ("encoding", "shown"),
    [
        ("ascii", rb"\u6a21 \xd7 \udcff"),
        ("latin-1", b"\\u6a21 \xd7 \\udcff"),
        ("cp936", "模 × ".encode("cp936") + rb"\udcff"),
        ("utf-8", "模 × ".encode() + rb"\udcff"),
    ],
)
def test_what_a_console_cannot_show_is_escaped(encoding, shown):
    script = "print('模 × ' + chr(0xdcff)); print('模 × ' + chr(0xdcff), file=sys.stderr)"
    assert lasting(script, PYTHONIOENCODING=encoding) == (0, (shown + b"\n") * 2)


def test_streams_that_others_put_there_stay(monkeypatch):
    """As those of tests and notebooks."""
    own, text = io.TextIOWrapper(io.BytesIO(), "ascii"), io.StringIO()
    monkeypatch.setattr(sys, "stdout", own)
    monkeypatch.setattr(sys, "stderr", text)
    assert command.guarded(lambda _: print("模"), []) == 0
    assert sys.stdout is own and sys.stderr is text
    own.flush()
    assert own.buffer.getvalue() == b"\\u6a21\n"
    consoles.make_lasting()
    assert sys.stdout is own


def test_main_and_every_module_that_is_run_makes_its_console_last():
    for path in [ROOT / "main.py", *(ROOT / "aigc_jax").rglob("__main__.py")]:
        text = path.read_text("utf-8")
        assert "consoles.make_lasting()" in text or "command.guarded(" in text or "process(main)" in text, path


def test_a_setting_that_jax_does_not_know_ends_in_a_line():
    env = {**os.environ, "JAX_ENABLE_X64": "maybe"}
    done = subprocess.run([sys.executable, str(ROOT / "main.py")], env=env, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and done.stderr.count("\n") == 1, done.stderr
    assert "'maybe'" in done.stderr and "JAX_ENABLE_X64" in done.stderr and "unset" in done.stderr


# Clocks


def test_a_clock_that_is_set_back_takes_no_time_away(monkeypatch, tmp_path):
    now = time.time()
    with clock.Clock(now, tmp_path / "time.jsonl") as timing:
        monkeypatch.setattr(time, "time", lambda: now - 3600)
        with timing.during("save"):
            time.sleep(0.01)
    assert 0.01 <= clock.spent(tmp_path / "time.jsonl").seconds["save"] < 60
    assert 0 < timing.wall() < 60
    assert clock.Clock(now, None).wall() >= 0
