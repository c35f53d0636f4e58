"""Weights are converted from the published files alone."""

import hashlib
import sys
import types

import numpy as np
import pytest

from aigc_jax import places
from aigc_jax.errors import ConfigError, UserError
from aigc_jax.evaluate.__main__ import main
from aigc_jax.metrics.features import lpips, published

BACKBONE, LINEAR = lpips.SOURCES["lpips_alex"]


class Tensor(np.ndarray):
    """What of PyTorch's tensors is used."""

    def numpy(self):
        return np.asarray(self)


@pytest.fixture
def files(tmp_path, monkeypatch):
    """Two files that have the published hashes, and a PyTorch that reads them."""
    held = {BACKBONE.file: {"features.0.weight": np.ones(3), "classifier.1.weight": np.ones(9)}}
    held[LINEAR.file] = {"lin0.model.1.weight": np.zeros(2)}
    sources = []
    for source in (BACKBONE, LINEAR):
        content = source.file.encode()
        (tmp_path / source.file).write_bytes(content)
        sources.append(source._replace(sha256=hashlib.sha256(content).hexdigest()))
    monkeypatch.setitem(lpips.SOURCES, "lpips_alex", tuple(sources))
    monkeypatch.setenv("AIGC_JAX_CACHE", str(tmp_path / "cache"))

    def load(path, map_location, weights_only):
        assert map_location == "cpu" and weights_only
        return {name: array.view(Tensor) for name, array in held[path.name].items()}

    monkeypatch.setitem(sys.modules, "torch", types.SimpleNamespace(load=load, Tensor=Tensor))
    return [tmp_path / source.file for source in sources]


def convert(*paths):
    main(["convert", *map(str, paths), "--name", "lpips_alex"])


def test_what_is_needed_is_written_whatever_the_order_of_the_files(files, capsys):
    convert(*files[::-1])
    path = places.weights() / "lpips_alex.safetensors"
    assert capsys.readouterr().out == f"{path}: the weights of {BACKBONE.file} and {LINEAR.file}\n"
    weights, _ = published.read(path, lpips.SOURCES["lpips_alex"])
    assert weights.keys() == {"features.0.weight", "lin0.model.1.weight"}


def test_other_files_are_refused(files, tmp_path):
    with pytest.raises(UserError, match=r"^alex\.pth has [0-9a-f]{64}, and .* has the SHA-256 .*: take that one from"):
        convert(files[0])
    files[1].write_bytes(b"other weights")
    with pytest.raises(UserError, match=r"^alex\.pth has"):
        convert(*files)
    with pytest.raises(UserError, match="There is no file"):
        convert(tmp_path / "absent.pth")


def test_without_pytorch(files, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)  # as if it were not installed
    with pytest.raises(UserError, match=r"needs torch: pip install 'aigc_jax\[torch\]'"):
        convert(*files)
    assert not list(files[0].parent.rglob("*.safetensors"))


def test_what_is_no_network():
    with pytest.raises(ConfigError, match=r"invalid choice: 'squeezenet' .*'inception'"):
        main(["convert", BACKBONE.file, "--name", "squeezenet"])
