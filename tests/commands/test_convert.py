"""Weights are converted from the published files alone."""

import hashlib
import shutil
from pathlib import Path

import pytest
from state_dictionaries import FILES

from aigc_jax import places
from aigc_jax.errors import ConfigError, UserError
from aigc_jax.evaluate.__main__ import main
from aigc_jax.metrics.features import lpips, published
from aigc_jax.metrics.features.published import PublishedFile

SOURCES = tuple(
    PublishedFile(f"{name}.pth", hashlib.sha256((FILES / f"{name}.pth").read_bytes()).hexdigest(), "a shelf", prefix)
    for name, prefix in (("zipped", "w"), ("plain", "b"))
)


@pytest.fixture
def files(tmp_path, monkeypatch):
    """Two files that have the published hashes."""
    monkeypatch.setitem(lpips.SOURCES, "lpips_alex", SOURCES)
    monkeypatch.setenv("AIGC_JAX_CACHE", str(tmp_path / "cache"))
    return [Path(shutil.copy(FILES / source.file, tmp_path)) for source in SOURCES]


def convert(*paths):
    main(["convert", *map(str, paths), "--name", "lpips_alex"])


def test_what_is_needed_is_written_whatever_the_order_of_the_files(files, capsys):
    convert(*files[::-1])
    path = places.weights() / "lpips_alex.safetensors"
    assert capsys.readouterr().out == f"{path}: the weights of zipped.pth and plain.pth\n"
    weights, _ = published.load(path, SOURCES)
    assert weights.keys() == {"weight", "bias"}


def test_other_files_are_refused(files, tmp_path):
    with pytest.raises(UserError, match=r"^plain\.pth has [0-9a-f]{64}, and .* has the SHA-256 .*: take that one from"):
        convert(files[0])
    files[1].write_bytes(b"other weights")
    with pytest.raises(UserError, match=r"^plain\.pth has"):
        convert(*files)
    with pytest.raises(UserError, match="There is no file"):
        convert(tmp_path / "absent.pth")


def test_what_is_no_network():
    with pytest.raises(ConfigError, match=r"invalid choice: 'squeezenet' .*'inception'"):
        main(["convert", "plain.pth", "--name", "squeezenet"])
