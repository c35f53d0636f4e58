"""Each mistake of a user gets one line, a remedy and a non-zero exit, and loses nothing."""

import errno
import io
import json
import os
import re
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from types import SimpleNamespace

import jax
import pytest
from support import ROOT, write_idx, write_images, write_texts

import main
from aigc_jax import command
from aigc_jax.errors import naming

SMALL = "--config=configs/gpt_sentences.py:tiny"
GAN = "--config=configs/gan_fashion_mnist.py:tiny"


@pytest.fixture(autouse=True)
def here(monkeypatch):
    """main.py runs in this process, whose compiled programs are kept where the suite keeps them."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("AIGC_JAX_CACHE", "")


def run(*arguments):
    """main.py in this process, which has eight devices: its exit code and what it printed."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = command.guarded(main.main, ["main.py", *map(str, arguments)])
    return SimpleNamespace(returncode=code, stdout=out.getvalue(), stderr=err.getvalue())


def test_main_ends_with_what_went_wrong(tmp_path):
    """The rest of this file asks within one process."""
    line = [sys.executable, "main.py", SMALL, f"--workdir={tmp_path / 'run'}", "--config.train.steps=many"]
    env = {**os.environ, "JAX_PLATFORMS": "cpu"}
    refused(subprocess.run(line, env=env, capture_output=True, text=True, timeout=280), 2, '"train.steps" has to be')


def refused(result, code, *said):
    assert result.returncode == code, result.stdout + result.stderr
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("aigc_jax: ")
    for words in said:
        assert re.search(words, lines[0]), lines[0]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--workdir=W"], "Give --config="),
        ([SMALL], "Give --workdir="),
        (["--config=configs/gpt_sentence.py", "--workdir=W"], 'Did you mean "configs/gpt_sentences.py"'),
        (["--config=configs/gpt_sentences.py:huge", "--workdir=W"], 'There is no size "huge"'),
        ([SMALL, "--workdir=W", "--mode=trian"], "train.*evaluate.*sample"),
        ([SMALL, "--workdir=W", "--config.train.step=3"], 'no configuration key "train.step".*"train.steps"'),
        ([SMALL, "--workdir=W", "--config.train.steps=many"], '"train.steps" has to be an int'),
        ([SMALL, "--workdir=W", "--config.seed=1.5"], '"seed" has to be an int'),
        ([SMALL, "--workdir=W", "--config.networks.net.name=transformer.Transformr"], 'Did you mean "Transformer"'),
        ([SMALL, "--workdir=W", "--config.method.name=autoregresive"], 'Did you mean "autoregressive"'),
        ([SMALL, "--workdir=W", "--config.optimizers.net.name=adamm"], "one of 'adam'"),
        ([SMALL, "--workdir=W", "--config.precision=float16"], 'no "float16".*"bfloat16"'),
        ([SMALL, "--workdir=W", "--config.evaluate.split=tset"], 'no split "tset"'),
        ([SMALL, "--workdir=W", "--config.train.steps_per_call=3"], "multiple of train.steps_per_call"),
        ([SMALL, "--workdir=W", "--config.parallel.data=3"], "needs 3 devices and there are 8"),
    ],
    ids=lambda value: value[-1].split("=")[0] + value[-1][-8:] if isinstance(value, list) else "",
)
def test_a_wrong_command_line_or_configuration(tmp_path, arguments, said):
    arguments = [a.replace("--workdir=W", f"--workdir={tmp_path / 'run'}") for a in arguments]
    result = run(*arguments)
    refused(result, 2, said)


def test_a_batch_that_the_devices_do_not_divide(tmp_path):
    result = run(SMALL, f"--workdir={tmp_path / 'run'}", "--config.data.batch_size=3")
    refused(result, 2, "batch of 3 cannot be split evenly over 8 devices")


def test_bad_data(tmp_path):
    workdir = f"--workdir={tmp_path / 'run'}"
    refused(run(GAN, workdir, f"--config.data.path={tmp_path / 'none'}"), 1, r"none")
    refused(run("--config=configs/gpt_tang.py:tiny", workdir, f"--config.data.path={tmp_path / 'none'}"), 1, r"none")

    idx = write_idx(tmp_path / "idx")
    whole = (idx / "train-images-idx3-ubyte.gz").read_bytes()
    (idx / "train-images-idx3-ubyte.gz").write_bytes(whole[: len(whole) // 2])
    refused(run(GAN, workdir, f"--config.data.path={idx}"), 1, r"train-images-idx3-ubyte\.gz")

    images = write_images(tmp_path / "images")
    (images / "train" / "odd" / "001.png").write_bytes(b"not a picture")
    data = dict(name="image_folder", path=str(images), image_size=28, colour=False, augment=(), batch_size=8)
    (tmp_path / "folder.py").write_text(
        "from aigc_jax.experiments import Experiment\n\n"
        f"get_config = Experiment(start='dcgan_fashion_mnist', full=dict(data={data}))\n"
    )
    refused(run(f"--config={tmp_path / 'folder.py'}:tiny", workdir), 1, r"001\.png")

    texts = write_texts(tmp_path / "texts")
    (texts / "050.txt").write_bytes("天地".encode("gbk"))
    result = run("--config=configs/gpt_tang.py:tiny", workdir, f"--config.data.path={texts}")
    refused(result, 1, r"050\.txt", "UTF-8")
    assert not (tmp_path / "run" / "checkpoints").exists()


def test_a_whole_run_and_what_its_folder_refuses(tmp_path):
    folder = tmp_path / "run"
    workdir = f"--workdir={folder}"
    refused(run(SMALL, workdir, "--mode=sample"), 1, "no checkpoint.*train first")

    trained = run(SMALL, workdir)
    assert trained.returncode == 0, trained.stderr
    assert "First step after" in trained.stdout
    for name in ("report.html", "metrics.jsonl", "config.json", "parameters.txt", "checkpoints"):
        assert (folder / name).exists(), name
    assert str(folder / "report.html") in trained.stdout

    again = run(SMALL, workdir)
    assert again.returncode == 0
    assert "Nothing to train" in again.stdout

    for mode, said in (("evaluate", "bits_per_char"), ("sample", "sample_00000004.txt, ")):
        result = run(SMALL, workdir, f"--mode={mode}", "--config.sample.n=11")  # more than a batch
        assert result.returncode == 0, result.stderr
        assert said in result.stdout
    lines = (folder / "samples" / "sample_00000004.jsonl").read_text("utf-8").splitlines()
    texts = [json.loads(line)["text"] for line in lines]
    assert len(texts) == 11 and len(set(texts)) > 8, "batches differ"

    changed = run(SMALL, workdir, "--config.sample.temperature=0.5", "--mode=sample")
    assert changed.returncode == 0 and "_2.jsonl" in changed.stdout, "other samples, beside the first ones"
    refused(run(SMALL, workdir, "--config.sample.warmth=0.5", "--mode=sample"), 2, "sample.warmth")
    refused(run(SMALL, workdir, "--config.networks.net.width=32", "--mode=sample"), 1, "networks.net.width")

    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}
    refused(
        run(SMALL, workdir, "--config.optimizers.net.learning_rate=0.5"), 1, "another configuration", "learning_rate"
    )
    refused(run(SMALL, workdir, "--config.sample.given=★", "--mode=sample"), 2, "★")
    assert before == {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}, "nothing is lost"


def test_a_workdir_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("in the way", "utf-8")
    refused(run(SMALL, f"--workdir={tmp_path / 'file' / 'run'}"), 1, "cannot be written")
    assert (tmp_path / "file").read_text("utf-8") == "in the way"


def test_a_disk_error_names_the_file_and_the_room(tmp_path, capsys):
    """That of a write to a full disk names nothing by itself."""

    def full(_):
        with naming(tmp_path / "metrics.jsonl"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    assert command.guarded(full, []) == 1
    said = capsys.readouterr().err
    wanted = (
        rf"aigc_jax: No space left on device \({tmp_path}/metrics.jsonl; [\d,]+ bytes are free\): what was saved .*\n"
    )
    assert re.fullmatch(wanted, said)

    def gone(_):
        (tmp_path / "none" / "metrics.jsonl").open("a")

    assert command.guarded(gone, []) == 1
    assert f"({tmp_path}/none/metrics.jsonl; the folder is gone)" in capsys.readouterr().err


@pytest.mark.parametrize(
    "error, told",
    [
        (
            jax.errors.JaxRuntimeError("UNKNOWN: Gloo AllGather failed: Connection closed by peer"),
            "another process has",
        ),
        (ValueError("a mistake of ours"), "Traceback"),
    ],
)
def test_an_error_beside_other_processes_leaves_without_them(monkeypatch, capsys, error, told):
    """An error that went on to the interpreter's end would wait there for the others."""

    def fail(argv):
        raise error

    monkeypatch.setattr(jax.distributed, "is_initialized", lambda: True)
    assert command.guarded(fail, []) == 1
    said = capsys.readouterr().err
    assert told in said and ("Traceback" in said) == isinstance(error, ValueError)
    monkeypatch.setattr(jax.distributed, "is_initialized", lambda: False)
    with pytest.raises(type(error)):
        command.guarded(fail, [])


def test_a_path_that_is_wrong_is_not_said_to_be_a_full_disk(tmp_path, capsys):
    """Nothing was being saved there."""
    (tmp_path / "folder").mkdir()
    assert command.guarded(lambda _: (tmp_path / "folder").read_text(), []) == 1
    assert capsys.readouterr().err == f"aigc_jax: {tmp_path}/folder: Is a directory: check the path.\n"
