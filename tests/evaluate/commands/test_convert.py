"""Weights are converted from the published file alone."""

import hashlib
import sys

import pytest

from aigc_jax.errors import UserError
from aigc_jax.evaluate.__main__ import main
from aigc_jax.metrics.features import efficientnet_lite0

FILE = efficientnet_lite0.SOURCE.file


@pytest.fixture
def published(tmp_path, monkeypatch):
    """A file that has the published hash, though it holds nothing."""
    path = tmp_path / FILE
    path.write_bytes(b"weights")
    source = efficientnet_lite0.SOURCE._replace(sha256=hashlib.sha256(b"weights").hexdigest())
    monkeypatch.setattr(efficientnet_lite0, "SOURCE", source)
    monkeypatch.setenv("AIGC_JAX_CACHE", str(tmp_path / "cache"))
    return path


def convert(path):
    main(["convert", str(path), "--name", "efficientnet_lite0"])


def test_another_file_is_refused(tmp_path):
    (tmp_path / FILE).write_bytes(b"other weights")
    with pytest.raises(UserError, match=f"has the SHA-256 [0-9a-f]{{64}}, and {FILE} has 579344248a93.*: take that"):
        convert(tmp_path / FILE)
    with pytest.raises(UserError, match="There is no file"):
        convert(tmp_path / "absent.pth")


def test_without_pytorch(published, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)  # as if it were not installed
    with pytest.raises(UserError, match="needs PyTorch: pip install torch"):
        convert(published)
    assert not list(published.parent.rglob("*.safetensors"))


def test_what_is_no_network(capsys):
    with pytest.raises(SystemExit):
        main(["convert", FILE, "--name", "lpips"])
    assert "inception" in capsys.readouterr().err
