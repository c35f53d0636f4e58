"""A page of pairs names nothing, is drawn evenly, and refuses what cannot be compared in one line."""

import base64
import io
import json
import re
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest
from PIL import Image, PngImagePlugin
from support import ROOT

from aigc_jax.errors import ConfigError, UserError
from aigc_jax.evaluate.__main__ import main
from aigc_jax.preference import page
from aigc_jax.preference.page import PageKey, matched, write

QUESTION = "Which one is better?"


def images(folder, level, count=6, side=12):
    """Grey noise about a level, each file with its folder's name in its metadata."""
    random, info = np.random.RandomState(level), PngImagePlugin.PngInfo()
    info.add_text("parameters", f"made by {folder.name}")
    (folder / "inner").mkdir(parents=True)
    for number in range(count):
        pixels = (level + random.randint(0, 20, (side, side, 3))).astype(np.uint8)
        Image.fromarray(pixels).save(folder / "inner" / f"{folder.name}_sample_{number}.png", pnginfo=info)
    return folder


def texts(folder, lines):
    folder.mkdir(parents=True)
    for number, line in enumerate(lines):
        (folder / f"poem_{number}.txt").write_text(line, "utf-8")
    return folder


@pytest.fixture
def folders(tmp_path):
    return [images(tmp_path / name, level) for name, level in [("kestrel", 20), ("osprey", 120), ("harrier", 220)]]


def content(page):
    return json.loads(re.search(r'id="content">(.*?)</script>', page.read_text("utf-8"), re.DOTALL)[1])


def decoded(uri):
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.split(",")[1]))))


def test_the_key_says_what_the_page_shows(folders, tmp_path):
    out = tmp_path / "out" / "page.html"
    key = PageKey.load(write(folders, out, QUESTION, 20, size=0, seed=0))
    shown = content(out)
    assert key.folders == tuple(map(str, folders)) and key.page == shown["page"] and len(key.pairs) == 20
    for pair, numbers in zip(key.pairs, shown["pairs"], strict=True):
        for sample, number in zip(pair, numbers, strict=True):
            expected = np.asarray(Image.open(folders[sample.folder] / sample.file))
            np.testing.assert_array_equal(decoded(shown["samples"][number]), expected)
    order = list(dict.fromkeys(number for pair in shown["pairs"] for number in pair))
    assert order == list(range(len(shown["samples"]))), "numbers say when a sample is shown, and nothing else"


def test_nothing_in_the_page_names_a_folder_or_a_file(folders, tmp_path):
    out = tmp_path / "page.html"
    write(folders, out, QUESTION, 30, size=0, seed=0)
    page = out.read_text("utf-8")
    bare = page + "".join(base64.b64decode(uri.split(",")[1]).decode("latin-1") for uri in content(out)["samples"])
    for folder in folders:
        assert folder.name not in bare
        for path in folder.rglob("*"):
            assert path.stem not in bare
    assert "made by" not in bare and str(tmp_path) not in bare
    assert not re.findall(r"""(?:src|href|url)\s*[=(]\s*["']?(?!data:|")""", page.split("<script", 1)[0])
    assert "http://" not in page and "https://" not in page


def test_the_same_seed_gives_the_same_bytes_and_another_one_another_page(folders, tmp_path):
    first, again, other = (tmp_path / f"{name}.html" for name in ("first", "again", "other"))
    keys = [write(folders, path, QUESTION, 9, 0, seed) for path, seed in ((first, 1), (again, 1), (other, 2))]
    assert first.read_bytes() == again.read_bytes() != other.read_bytes()
    assert keys[0].read_bytes() == keys[1].read_bytes()
    assert PageKey.load(keys[0]).page != PageKey.load(keys[2]).page


@pytest.mark.parametrize("counts", [[40, 40], [50, 7, 100]], ids=str)
def test_pairs_are_drawn_evenly(counts):
    drawn = list(matched(counts, 1201, seed=0))
    assert len(drawn) == 1201
    meetings = Counter(frozenset(folder for folder, _ in pair) for pair in drawn)
    assert len(meetings) == len(counts) * (len(counts) - 1) / 2
    assert max(meetings.values()) - min(meetings.values()) <= 1
    shown = Counter(sample for pair in drawn for sample in pair)
    for folder, count in enumerate(counts):
        times = [shown[folder, number] for number in range(count)]
        assert max(times) - min(times) <= 1
    sides = Counter((a[0], b[0]) for a, b in drawn)
    assert all(abs(times - sides[b, a]) <= 2 for (a, b), times in sides.items())
    assert drawn == list(matched(counts, 1201, seed=0)) != list(matched(counts, 1201, seed=1))


def test_which_side_comes_next_cannot_be_told():
    first = np.array([a[0] for a, _ in matched([40, 40], 1000, seed=0)])
    for lag in (1, 2, 3):
        assert abs(np.mean(first[lag:] == first[:-lag]) - 0.5) < 3 * 0.5 / np.sqrt(1000)


def test_texts_are_shown_as_they_are(tmp_path):
    wild = '</script><script>alert("1")</script> {{content}} & 春眠不覺曉'
    folders = [texts(tmp_path / "kestrel", [wild]), texts(tmp_path / "osprey", [""])]
    out = tmp_path / "page.html"
    write(folders, out, QUESTION, 3, size=0, seed=0)
    assert sorted(content(out)["samples"]) == ["", wild]
    assert out.read_text("utf-8").count("<script") == 2


def test_size_brings_images_to_one(folders, tmp_path):
    images(tmp_path / "large", 60, side=30)
    out = tmp_path / "page.html"
    with pytest.raises(UserError, match=r"30 × 30.*12 × 12|12 × 12.*30 × 30"):
        write([folders[0], tmp_path / "large"], out, QUESTION, 5, size=0, seed=0)
    assert not out.exists() and not out.with_suffix(".key.json").exists()
    write([folders[0], tmp_path / "large"], out, QUESTION, 5, size=8, seed=0)
    assert {decoded(uri).shape for uri in content(out)["samples"]} == {(8, 8, 3)}


def damaged(folders, tmp_path):
    path = next(folders[1].rglob("*_3.png"))
    path.write_bytes(path.read_bytes()[:60])
    return folders, path.name


def empty(folders, tmp_path):
    (tmp_path / "nothing").mkdir()
    return [*folders, tmp_path / "nothing"], "no images and no .txt files in .*nothing"


def mixed(folders, tmp_path):
    return [folders[0], texts(tmp_path / "poems", ["a"])], "kestrel holds images and .*poems holds texts"


def no_text(folders, tmp_path):
    (texts(tmp_path / "poems", ["a"]) / "poem_0.txt").write_bytes(b"\xff\xfe\xfa")
    return [tmp_path / "poems", texts(tmp_path / "others", ["b"])], "poem_0.txt cannot be read as UTF-8"


@pytest.mark.parametrize("case", [damaged, empty, mixed, no_text], ids=lambda case: case.__name__)
def test_samples_that_cannot_be_shown(folders, tmp_path, case):
    given, said = case(folders, tmp_path)
    with pytest.raises(UserError, match=said):
        write(given, tmp_path / "page.html", QUESTION, 50, 0, 0)
    assert not (tmp_path / "page.html").exists()


@pytest.mark.parametrize(
    ("names", "out", "count", "said"),
    [
        (["kestrel"], "page.html", 9, "two folders or more"),
        (["kestrel", "kestrel/../kestrel"], "page.html", 9, "each once"),
        (["kestrel", "kestral"], "page.html", 9, "no folder .*kestral"),
        (["kestrel", "osprey", "harrier"], "page.html", 2, "--pairs=2 is too few.*3 pairs"),
        (["kestrel", "osprey"], "page.htm", 9, "end in .html"),
        (["kestrel", "osprey"], "there.html", 9, "there.key.json is there already"),
    ],
)
def test_a_wrong_command_line(folders, tmp_path, names, out, count, said):
    (tmp_path / "there.key.json").write_text("{}")
    with pytest.raises(ConfigError, match=said):
        write([tmp_path / name for name in names], tmp_path / out, QUESTION, count, 0, 0)


def test_a_page_that_browsers_could_not_open(folders, tmp_path, monkeypatch):
    monkeypatch.setattr(page, "LARGEST", 10_000)
    with pytest.raises(UserError, match="fewer --pairs"):
        write(folders, tmp_path / "page.html", QUESTION, 30, 0, 0)


def test_the_command_writes_both_files(folders, tmp_path, capsys):
    main(["prefer", "page", *map(str, folders), "--out", str(tmp_path / "page.html"), "--pairs", "6", "--question=Hm?"])
    said = capsys.readouterr().out
    assert "page.html" in said and str(tmp_path / "page.key.json") in said
    assert content(tmp_path / "page.html")["question"] == PageKey.load(tmp_path / "page.key.json").question == "Hm?"


def test_an_installed_package_has_the_template(tmp_path):
    pytest.importorskip("setuptools", reason="pip install setuptools")
    build = [sys.executable, "setup.py", "-q", "build_py", "--build-lib", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, timeout=120)
    assert (tmp_path / "aigc_jax/preference/page.html").read_bytes() == (
        ROOT / "aigc_jax/preference/page.html"
    ).read_bytes()
