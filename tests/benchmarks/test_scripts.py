"""Every script of the benchmarks can be started: what it imports is there."""

import importlib
from pathlib import Path

import pytest

SCRIPTS = sorted(path.stem for path in (Path(__file__).parents[2] / "benchmarks").glob("[a-z]*.py"))
RIVALS = {"torch"}  # which an environment of ours lacks


@pytest.mark.parametrize("name", SCRIPTS)
def test_what_a_script_imports_is_there(name):
    try:
        importlib.import_module(f"benchmarks.{name}")
    except ModuleNotFoundError as error:
        if error.name not in RIVALS:
            raise
        pytest.skip(f"{error.name} is not installed")
