"""The commands over files: figures of folders, comparisons, boards, and what they refuse in one line."""

import json

import numpy as np
import pytest
from PIL import Image

from aigc_jax import command
from aigc_jax.data import catalogue
from aigc_jax.evaluate.__main__ import main
from aigc_jax.metrics.record import read_records


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Digits as files: two halves of the training images, and the test images as an array."""
    data = catalogue.load({"name": "digits"}, None)
    folder = tmp_path_factory.mktemp("digits")
    images = data.splits["train"][np.arange(400)]["image"]
    for name, part in (("real", images[:200]), ("made", images[200:])):
        (folder / name).mkdir()
        for number, image in enumerate(part):
            Image.fromarray(image[..., 0]).save(folder / name / f"{number:04d}.png")
    np.save(folder / "heldout.npy", data.splits["test"][np.arange(360)]["image"])
    return folder


def guarded(*arguments):
    return command.guarded(main, [str(each) for each in arguments])


def measure(folders, out, *more):
    usual = ("folders", folders / "real", folders / "made", "--grey", "--extractor", "digits", "--out", out)
    return guarded(*usual, *more)


def test_folders(folders, tmp_path, capsys):
    out = tmp_path / "records.jsonl"
    assert measure(folders, out, "--heldout", folders / "heldout.npy") == 0
    printed = capsys.readouterr().out
    distance, kernel = read_records(out)
    assert (distance.protocol.measure, kernel.protocol.measure) == ("FD-digits", "KID-digits")
    assert distance.run == "made" and distance.protocol.data == "real" and distance.protocol.samples == 200
    assert distance.value == pytest.approx(distance.floor, rel=0.7)
    assert f"FD-digits            {distance.value:.4g}" in printed


def test_comparing(folders, tmp_path, capsys):
    one, other = tmp_path / "one.jsonl", tmp_path / "other.jsonl"
    assert measure(folders, one) == 0
    assert measure(folders, other, "--seed", 1) == 0
    assert guarded("compare", one, other) == 0
    assert "200 samples against 200 of real" in capsys.readouterr().out
    changed = [json.loads(line) for line in other.read_text().splitlines()]
    for record in changed:
        record["protocol"]["samples"] = 100
    other.write_text("\n".join(map(json.dumps, changed)))
    assert guarded("compare", one, other) == 1
    assert "were not measured alike (samples: 200 and 100)" in capsys.readouterr().err


def test_a_board(folders, tmp_path, capsys):
    records = tmp_path / "records"
    records.mkdir()
    assert measure(folders, records / "one.jsonl") == 0
    (records / "published.json").write_text(
        json.dumps([{"model": "WGAN", "value": "21.5", "protocol": "another", "source": "a paper"}])
    )
    assert guarded("board", records, "--out", tmp_path / "board.md") == 0
    page, picture = ((tmp_path / f"board.{kind}").read_text("utf-8") for kind in ("md", "html"))
    assert "board " + str(records) in page and picture.count("<svg") == 2
    assert guarded("board", records, "--out", tmp_path / "one.md", "--measures", "KID-digits") == 0
    assert "FD-digits" not in (tmp_path / "one.md").read_text("utf-8")
    (value, _) = (record.value for record in read_records(records / "one.jsonl"))
    assert f"| made | {value:.4g}<br><small>" in page and "| WGAN | 21.5 | another | a paper |" in page
    again = [json.dumps({**json.loads(line), "seed": 7}) for line in (records / "one.jsonl").read_text().splitlines()]
    (records / "two.jsonl").write_text("\n".join(again) + "\n", "utf-8")
    assert guarded("board", records, "--out", tmp_path / "seeds.md") == 0
    assert (tmp_path / "seeds.md").read_text("utf-8").count(f"| made | {value:.4g}<br>") == 2, "a row for each seed"
    run = tmp_path / "runs" / "a"
    run.mkdir(parents=True)
    (records / "one.jsonl").rename(run / "records.jsonl")
    assert guarded("board", tmp_path / "runs", "--out", tmp_path / "runs.md") == 0  # a folder of runs
    assert f"| made | {value:.4g}<br>" in (tmp_path / "runs.md").read_text("utf-8")
    assert guarded("board", tmp_path / "nothing", "--out", tmp_path / "board.md") == 1
    assert "There are no such records in" in capsys.readouterr().err


def test_unpacking(folders, tmp_path, capsys):
    images = np.load(folders / "heldout.npy")[:3]
    np.savez(tmp_path / "samples.npz", image=images, label=np.arange(3))
    (tmp_path / "samples.jsonl").write_text('{"text": "one\\ntwo"}\n{"text": "three"}\n', "utf-8")
    assert guarded("unpack", tmp_path / "samples.npz", tmp_path / "images") == 0
    assert guarded("unpack", tmp_path / "samples.jsonl", tmp_path / "texts") == 0
    found = [np.asarray(Image.open(path)) for path in sorted((tmp_path / "images").iterdir())]
    np.testing.assert_array_equal(found, images[..., 0])
    assert [path.read_text("utf-8") for path in sorted((tmp_path / "texts").iterdir())] == ["one\ntwo", "three"]
    assert guarded("unpack", tmp_path / "samples.npz", tmp_path / "images") == 1
    assert "images is not empty: give another folder" in capsys.readouterr().err


def test_what_is_refused(folders, tmp_path, capsys):
    def refused(*arguments):
        assert guarded("folders", *arguments, "--extractor", "digits", "--grey") == 1
        (line,) = capsys.readouterr().err.splitlines()
        return line

    (tmp_path / "empty").mkdir()
    assert "There are no images in" in refused(tmp_path / "empty", folders / "made")
    assert "neither a folder of images nor" in refused(tmp_path / "absent", folders / "made")
    np.save(tmp_path / "floats.npy", np.zeros((2, 8, 8, 1)))
    assert "holds float64 [2, 8, 8, 1]" in refused(tmp_path / "floats.npy", folders / "made")
    broken = tmp_path / "broken"
    broken.mkdir()
    for number in range(3):
        Image.fromarray(np.zeros((8, 8), np.uint8)).save(broken / f"{number}.png")
    (broken / "1.png").write_bytes((broken / "1.png").read_bytes()[:40])
    assert "1.png cannot be read as an image" in refused(folders / "real", broken)
    Image.fromarray(np.zeros((9, 8), np.uint8)).save(broken / "1.png")
    assert "1.png is 8 × 9 and" in refused(folders / "real", broken)
