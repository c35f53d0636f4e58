"""CI's choice among the longer parts of the suite, and what one family's tests are."""

import ast
import functools
import shutil
import subprocess
import sys
from fnmatch import fnmatch
from types import SimpleNamespace

import parts
import pytest
from family import Selection, families, mistake, settings
from support import ROOT

FOLDERS = [path for path in ROOT.iterdir() if not path.name.startswith(".") and path.name != "runs"]
FILES = [str(path.relative_to(ROOT)) for folder in FOLDERS for path in (folder, *folder.rglob("*")) if path.is_file()]


def marked():
    """The parts that tests name."""
    for path in (ROOT / "tests").rglob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.long":
                yield ast.literal_eval(node.keywords[0].value)


def test_every_part_has_tests_and_every_longer_test_has_a_part():
    folders = {name for name, part in parts.PARTS.items() if part.folder}
    assert {*marked(), *folders, parts.PARITY} == set(parts.PARTS)
    for name in folders:
        path = next((ROOT / "tests" / parts.PARTS[name].folder).rglob("test_*.py"))
        assert parts.of_folder(path) == name
    assert parts.of_folder(ROOT / "tests" / "test_parts.py") == ""


@pytest.mark.parametrize("name", parts.PARTS)
def test_what_a_part_covers_is_there(name):
    for pattern in parts.PARTS[name].covers:
        assert any(fnmatch(file, pattern) for file in FILES), pattern


def test_what_changed_comes_first_and_each_part_in_its_turn():
    count = len(parts.PARTS)
    assert {parts.order([], beginning)[0] for beginning in range(count)} == set(parts.PARTS)
    for beginning in range(count):
        ordered = parts.order(["aigc_jax/train/loop.py"], beginning)
        assert set(ordered[:3]) == {"soak", "processes", "stopping"} and sorted(ordered) == sorted(parts.PARTS)
        everything = parts.order(FILES, beginning)
        assert everything == parts.order([], beginning), "without history the date decides"


def test_a_part_runs_where_it_fits_and_the_first_always():
    ordered = parts.order([], 0)
    assert parts.chosen(ordered, 60, pace=1) == ordered
    assert parts.chosen(ordered, -3, pace=2) == ordered[:1]
    for minutes in range(2, 20):
        taken = parts.chosen(ordered, minutes, pace=1.5)
        left = minutes - sum(parts.length(name, 1.5) for name in taken)
        assert left >= 0 or len(taken) == 1
        assert all(parts.length(name, 1.5) > left for name in ordered if name not in taken)
        told = parts.told(ordered, taken, [], 1.5).splitlines()[1:]
        assert [line.split()[0] for line in told] == ["run" if name in taken else "left" for name in ordered]


def test_a_clone_without_history_chooses_too(tmp_path):
    def git(*arguments):
        author = ("-c", "user.name=a", "-c", "user.email=a@b")
        subprocess.run(["git", *author, *arguments], cwd=tmp_path, check=True, capture_output=True)

    (tmp_path / "whole" / "tests").mkdir(parents=True)
    shutil.copy(parts.__file__, tmp_path / "whole" / "tests")
    git("init", "whole")
    for number in range(2):
        git("-C", "whole", "add", ".")
        git("-C", "whole", "commit", "--allow-empty", "-m", str(number))
    git("clone", "--depth=1", f"file://{tmp_path / 'whole'}", "shallow")
    command = [sys.executable, "shallow/tests/parts.py", "--passed=1800", "--dry"]
    told = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True).stdout
    assert told.count("  run ") == 1 and told.count("left out") == len(parts.PARTS) - 1


def test_what_fails_is_told_to_ci(monkeypatch):
    codes = iter([1, 0, 0, 0])
    asked = []
    monkeypatch.setattr(
        parts.subprocess, "run", lambda line, **_: asked.append(line) or SimpleNamespace(returncode=next(codes))
    )
    assert parts.run(["soak", "parity", "package"]) == 1
    assert "long(part='soak') or long(part='package')" in asked[0] and asked[1] == ["make", "parity"]
    assert parts.run(["soak", "parity"]) == 0


# One family


selection = functools.cache(Selection)


def taken(family, path, marks=(), **parameters):
    """Whether a family's selection takes a test of this file."""
    item = SimpleNamespace(path=ROOT / "tests" / path, get_closest_marker=lambda name: name in marks or None)
    if parameters:
        item.callspec = SimpleNamespace(params=parameters)
    return selection(family).takes(item)


@pytest.mark.parametrize("family", families())
def test_a_family_has_its_own_tests_and_the_laws_for_its_configurations(family):
    assert taken(family, "test_contract.py", name="none") is False
    for name, config in settings().items():
        mine = config["method"]["name"] == family
        assert taken(family, "test_contract.py", name=name) is mine
    for path in (ROOT / "tests" / "methods").glob(f"test_{family}.py"):
        assert taken(family, path)


def test_a_family_has_the_tests_of_what_it_is_made_of_and_of_nothing_else():
    for name in ("test_dcgan.py", "test_adversarial.py", "test_strided.py", "test_learner.py"):
        assert all(taken("gan", path) for path in (ROOT / "tests").rglob(name)), name
    for name in ("test_unet.py", "test_vae.py", "test_samplers.py", "test_loop.py"):
        assert not any(taken("gan", path) for path in (ROOT / "tests").rglob(name)), name
    assert taken("gan", "test_layers.py", marks=["every_family"])


def test_a_family_that_is_not_there_is_told_in_a_line():
    assert not any(map(mistake, families()))
    assert mistake("gann") == f'There is no family "gann". Did you mean "gan"? There are: {", ".join(families())}.'
