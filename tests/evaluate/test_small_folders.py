"""Folders with few images, of another colour or size, and files that hold none."""

import json
from pathlib import Path

import numpy as np
import pytest

from aigc_jax import command
from aigc_jax.evaluate.__main__ import main
from aigc_jax.metrics.record import read_records


@pytest.fixture
def evaluated(tmp_path, capfd, monkeypatch):
    """Runs a command in a folder of its own; -> (its code, standard output, the line on the standard error)."""
    monkeypatch.chdir(tmp_path)

    def run(*argv):
        code = command.guarded(main, list(argv))
        out, err = capfd.readouterr()
        assert err.count("\n") == (code != 0), err
        return code, out, err

    return run


def save(path, count, side=8, channels=1):
    shape = (count, side, side, channels)
    np.save(path, np.random.RandomState(len(path)).randint(0, 256, shape, np.uint8))


def test_what_can_be_measured_of_few_images_is(evaluated):
    save("many.npy", 40)
    save("few.npy", 5)
    for real, made in (("many.npy", "few.npy"), ("few.npy", "many.npy")):
        code, out, err = evaluated("folders", real, made, "--grey", "--extractor=digits", f"--out={made}.jsonl")
        assert code == 1 and "KID-digits" in out
        assert "Left out: FD-digits: A Fréchet distance over 64 features needs more than 64" in err
        (record,) = read_records(Path(f"{made}.jsonl"))
        assert record.protocol.measure == "KID-digits" and record.protocol.settings == {"subsets": 100, "size": 5}
    small = ("mmd", "precision_recall", "density_coverage", "classes")
    code, out, _ = evaluated("folders", "many.npy", "few.npy", "--grey", "--extractor=digits", "--measures", *small)
    assert code == 0 and all(name in out for name in ("MMD-digits", "recall", "coverage", "class_JS"))
    assert "inf" not in out and "nan" not in out


@pytest.mark.parametrize(
    ("side", "channels", "remedy"),
    [
        (8, 3, "give --grey, or an extractor"),
        (28, 3, "give --grey --size=8, or an extractor"),
    ],
)
def test_an_extractor_that_does_not_fit_is_refused_with_the_flags_that_make_it_fit(evaluated, side, channels, remedy):
    save("a.npy", 3, side, channels)
    code, out, err = evaluated("folders", "a.npy", "a.npy", "--extractor=digits")
    assert code == 2 and not out and f"takes [8, 8, 1], and these images are [{side}, {side}, {channels}]" in err
    assert remedy in err and "inception" in err


def test_files_that_hold_no_images_or_texts(evaluated, tmp_path):
    save("a.npy", 3)
    save("none.npy", 0)
    np.savez("labelled.npz", label=np.arange(3), image=np.load("a.npy"))
    for path in ("a", "b"):
        (tmp_path / f"{path}.jsonl").write_text(json.dumps({"text": None if path == "b" else "abcabcabcabc"}) + "\n")
    grey = ("--grey", "--extractor=digits", "--measures", "mmd")
    assert "none.npy holds uint8 [0, 8, 8, 1]" in evaluated("folders", "none.npy", "a.npy", *grey)[2]
    assert evaluated("folders", "labelled.npz", "a.npy", *grey)[0] == 0
    assert "--size=-1 is no side" in evaluated("folders", "a.npy", "a.npy", "--size=-1", *grey)[2]
    assert "None is no text" in evaluated("texts", "a.jsonl", "b.jsonl")[2]
    code, _, err = evaluated("folders", "a.npy", "a.npy", *grey, f"--out={tmp_path}")
    assert code == 1 and "Is a directory" in err and "intact" not in err
    (tmp_path / "records.jsonl").write_bytes(b"\xff\xfe\n")
    assert "line 1, holds no record" in evaluated("compare", str(tmp_path))[2]
