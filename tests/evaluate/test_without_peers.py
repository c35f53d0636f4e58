"""The package evaluates where neither PyTorch nor TensorFlow is."""

import ast
import subprocess
import sys

from support import ROOT

ABSENT = ("torch", "tensorflow")

SCRIPT = """
import importlib.abc
import pkgutil
import sys
from pathlib import Path

class Absent(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("torch", "tensorflow"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())

import jax
import numpy as np

import aigc_jax

for module in pkgutil.walk_packages(aigc_jax.__path__, "aigc_jax."):
    importlib.import_module(module.name)

from aigc_jax.data.dataset import ArraySource, DataSet
from aigc_jax.data.fields.pixels import Pixels
from aigc_jax.evaluate.images import MEASURES
from aigc_jax.evaluate.judge import build_judge
from aigc_jax.metrics.features import catalogue, small
from aigc_jax.nn.convnet import ConvNet

folder = Path(sys.argv[1])
random = np.random.RandomState(0)
images = {split: random.randint(0, 256, (40, 8, 8, 1), np.uint8) for split in ("train", "test", "made")}
network = {"widths": [8], "image_shape": [8, 8, 1], "classes": 3}
params = ConvNet((8,), (8, 8, 1), 3).init(jax.random.key(0), images["made"])["params"]
small.save(folder / "random.safetensors", params, network, {})
catalogue.SHIPPED = folder
splits = {split: ArraySource({"image": images[split]}) for split in ("train", "test")}
data = DataSet("noise", splits, {"image": Pixels((8, 8, 1))}, "image")
measures = [name for name in MEASURES if not name.startswith("class_")]
judging = build_judge(data, "train", "test", 40, measures, "random", folder, None)
figures = judging.figures([judging.look({"image": images["made"]})], seed=0)
assert [figure.protocol.measure for figure in figures] == list(judging.names) and figures[0].floor is not None
assert not {name.split(".")[0] for name in sys.modules} & {"torch", "tensorflow"}
print(len(figures), "figures")
"""


def test_an_evaluation_without_either(tmp_path):
    command = [sys.executable, "-c", SCRIPT, str(tmp_path)]
    found = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=120)
    assert found.returncode == 0, found.stderr
    assert found.stdout.endswith("figures\n")


def test_no_file_names_either():
    for path in (ROOT / "aigc_jax").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "optional":
                names.append(ast.literal_eval(node.args[0]))
            assert not any(name.split(".")[0] in ABSENT for name in names), path
