"""Every piece of work that benchmarks/ measures: its parts are there, our side does it, PyTorch's had the same size."""

import json
import math
import re
import subprocess
import sys

import pytest
from support import ROOT

from benchmarks import figures, pieces
from benchmarks.work import Side

PIECES = pieces.names()
CLASSES = 1008  # torch-fidelity's Inception has a bias of their logits, which no feature depends on
COUNTED = 149_786_984_448  # FLOPs


@pytest.mark.parametrize("name", PIECES)
def test_a_piece_has_its_parts(name):
    of = pieces.find(name)
    assert of.__doc__.splitlines()[0].endswith(".")
    assert of.CEILING in ("", *PIECES)
    assert of.UNIT
    assert next(iter(of.SIZES)) != "tiny"
    assert "tiny" in of.SIZES
    assert "ours" in of.SIDES
    assert all(isinstance(side, Side) for side in of.SIDES.values())
    environments = {side.environment for side in of.SIDES.values()} - {"aigc_jax"}
    for environment in environments:
        assert (ROOT / f"benchmarks/requirements-{environment}.txt").is_file()


def test_pieces_import_nothing_that_an_environment_may_lack():
    code = "import importlib, sys; [importlib.import_module('benchmarks.pieces.' + name) for name in sys.argv[1:]]; "
    code += "print(*{'jax', 'flax', 'torch', 'aigc_jax', 'PIL'} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", code, *PIECES], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not found.stdout.strip()


@pytest.mark.parametrize("path", sorted((ROOT / "benchmarks").rglob("*.py")), ids=lambda path: path.stem)
def test_the_configurations_that_a_script_starts_from_are_there(path):
    names = re.findall(r'ours\.settings\("(\w+)"', path.read_text("utf-8"))
    assert [name for name in names if not (ROOT / f"configs/{name}.py").is_file()] == []


@pytest.mark.long(part="benchmarks")
@pytest.mark.parametrize("name", PIECES)
def test_our_side_does_the_work(name):
    of = pieces.find(name)
    work = of.SIDES["ours"].prepare(of.SIZES["tiny"])
    seconds = work.run()
    assert seconds is None or (math.isfinite(seconds) and seconds > 0)
    assert math.isfinite(work.items)
    assert work.items > 0
    assert work.parameters >= 0


@pytest.mark.parametrize("path", sorted(figures.RESULTS.glob("*/*.json")), ids=lambda path: path.stem)
def test_kept_figures_are_of_networks_of_one_size(path):
    kept = json.loads(path.read_text("utf-8"))
    sides = {side: facts for side, facts in kept["sides"].items() if side != "dewml"}  # whose network is its own
    counts = [facts["parameters"] for facts in sides.values()]
    assert max(counts) - min(counts) == (CLASSES if kept["piece"] == "fid" else 0)


def test_products_of_gpt_are_those_that_pytorch_counts():
    """FlopCounterMode of torch 2.13 on a CPU, where attention is not counted, for a step of 12 M."""
    gpt = pieces.find("gpt_step")
    settings = gpt.SIZES["12m-cpu"]
    assert 6 * settings["batch"] * settings["length"] * gpt.products(settings) == pytest.approx(COUNTED)
