"""Every piece of work that benchmarks/ measures: its parts are there, our side does it, PyTorch's has the same size."""

import math
import subprocess
import sys

import pytest
from support import ROOT

from benchmarks import pieces
from benchmarks.work import Side

PIECES = pieces.names()
SLOW = {"dcgan_step", "ddpm_step", "fid", "input_share", "restore", "start"}  # 8 s and more each, most of it compiling
SAME = ("dcgan_step", "ddpm_step", "gpt_step", "sampling", "vae_step")  # where PyTorch's network is a copy of ours


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


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow) if n in SLOW else n for n in PIECES])
def test_our_side_does_the_work(name):
    of = pieces.find(name)
    work = of.SIDES["ours"].prepare(of.SIZES["tiny"])
    seconds = work.run()
    assert seconds is None or (math.isfinite(seconds) and seconds > 0)
    assert math.isfinite(work.items)
    assert work.items > 0
    assert work.parameters >= 0


@pytest.mark.parametrize("name", SAME)
def test_pytorch_trains_as_many_numbers_as_we_do(name):
    pytest.importorskip("torch")
    pytest.importorskip("diffusers" if name in ("ddpm_step", "sampling") else "transformers")
    of = pieces.find(name)
    ours, theirs = (of.SIDES[side].prepare(of.SIZES["tiny"]).parameters for side in ("ours", "eager"))
    assert ours == theirs
