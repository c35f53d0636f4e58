"""The notebook runs from top to bottom without a network, and shows pictures."""

import os
import shutil
import subprocess
import sys
import types
from pathlib import Path

import pytest
from support import ROOT

nbclient = pytest.importorskip("nbclient")
nbformat = pytest.importorskip("nbformat")

NOTEBOOK = ROOT / "colab" / "quickstart.ipynb"


def read():
    return nbformat.read(NOTEBOOK, as_version=4)


def outputs(notebook):
    return [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]


def test_the_notebook_is_kept_without_outputs():
    notebook = read()
    nbformat.validate(notebook)
    assert not outputs(notebook)
    assert all(cell.execution_count is None for cell in notebook.cells if cell.cell_type == "code")


@pytest.mark.long(part="notebook")
def test_the_notebook_runs(tmp_path, monkeypatch):
    monkeypatch.setenv("AIGC_JAX_NOTEBOOK_STEPS", "20")
    monkeypatch.setenv("AIGC_JAX_NOTEBOOK_WORKDIR", str(tmp_path / "run"))
    monkeypatch.delenv("XLA_FLAGS")  # as users run it: this network takes longer unoptimized than it takes to optimize
    monkeypatch.setenv("JAX_PLATFORMS", "cpu")
    monkeypatch.setenv("JAX_NUM_CPU_DEVICES", "1")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    assert os.environ["TFDS_DATA_DIR"], "prepared data sets are kept apart from the user's"
    notebook = read()
    resources = {"metadata": {"path": str(NOTEBOOK.parent)}}
    nbclient.NotebookClient(notebook, timeout=580, kernel_name="python3", resources=resources).execute()
    shown = outputs(notebook)
    assert not [output for output in shown if output.output_type == "error"]
    assert len([output for output in shown if "image/png" in output.get("data", {})]) == 3
    assert (tmp_path / "run" / "report.html").is_file()


@pytest.fixture
def colab(monkeypatch, tmp_path):
    """(begins the notebook as on Colab, the commands that it runs): REPOSITORY -> the folder in which it goes on."""
    monkeypatch.setitem(sys.modules, "google.colab", types.ModuleType("google.colab"))
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.chdir(tmp_path)
    source = next(cell.source for cell in read().cells if cell.cell_type == "code")
    commands = []

    def run(command, **_):
        commands.append(command)
        if command[0] == "git":
            Path(command[-1]).mkdir()
            Path(command[-1], "main.py").touch()
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(subprocess, "run", run)

    def begin(repository):
        exec(source.replace('REPOSITORY = ""', f"REPOSITORY = {repository!r}"), {})
        return Path.cwd()

    return begin, commands


@pytest.mark.parametrize(
    ("gpu", "tpu", "extra"), [(True, False, ".[cuda]"), (False, True, ".[tpu]"), (False, False, ".")]
)
def test_colab_gets_what_its_accelerator_needs(colab, monkeypatch, tmp_path, gpu, tpu, extra):
    begin, commands = colab
    monkeypatch.setattr(shutil, "which", lambda name: name if gpu else None)
    if tpu:
        monkeypatch.setenv("TPU_ACCELERATOR_TYPE", "v5e-1")
    assert begin("https://example.org/project") == tmp_path / "aigc_jax"
    (clone,) = [command for command in commands if command[0] == "git"]
    assert clone[-2:] == ["https://example.org/project", "aigc_jax"]
    install = commands[-1]
    assert extra in install and install[-2:] == ["--constraint", "requirements/constraints.txt"]
    assert (ROOT / install[-1]).is_file()
    assert extra == "." or f'"{extra[2:-1]}": [' in (ROOT / "setup.py").read_text("utf-8")
    count = len(commands)
    assert begin("https://example.org/project") == tmp_path / "aigc_jax", "the cell may be run again"
    assert len(commands) == count


def test_colab_asks_for_the_address_in_one_line(colab):
    begin, commands = colab
    with pytest.raises(SystemExit, match="Set REPOSITORY"):
        begin("")
    assert not commands
