"""The documents hold: their code runs, their links lead somewhere, their tables say what the code says."""

import argparse
import ast
import dataclasses
import re
import shutil
import subprocess
from pathlib import Path

import jax
import numpy as np
import pytest
from printing import load_file, printing
from support import CONFIGS, PRINTED_FILE, ROOT, load_config

from aigc_jax.commands import board
from aigc_jax.config import OPTIMIZER, TRUNK, leaves, merged
from aigc_jax.data import catalogue
from aigc_jax.data.dataset import DataSet, Field
from aigc_jax.train.run import Judging

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
LAUNCHERS = sorted(path for path in (ROOT / "launch").iterdir() if path.suffix in (".sh", ".sbatch"))
BLOCK = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)  # what it holds belongs to other pages
LINK = re.compile(r"\]\((?!https?://|#|mailto:)([^)#\s]+)[^)]*\)")
# Networks that a method reads, and evaluations, have names of their own.
NAMED = re.compile(rf"frozen\.\w+\.weights|evals\.\w+\.({'|'.join(Judging._fields)})")
ROW = re.compile(r"^\| `([\w.]+)` \| `([^`]*)` \|", re.MULTILINE)


def text(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


@pytest.fixture
def printed(tmp_path):
    with printing(tmp_path) as write:
        yield write


def test_the_printed_configuration_starts_from_another(printed):
    config = load_file(printed("docs/configs.md")["wide.py"]).get_config()
    changes = {"networks.net.channels": 64, "train.steps": 4000}
    assert config.to_dict() == merged(load_config("ddpm_digits"), changes)


def test_the_printed_data_set_loads(printed, tmp_path):
    module = "aigc_jax/data/sets/bars.py"
    assert list(printed("docs/add-a-data-set.md")) == [module]
    data, again = (catalogue.load({"name": "bars", "pad": 1}, tmp_path / copy) for copy in "ab")
    assert data.facts == {"shape": (10, 10, 1), "levels": 256, "label_classes": 2}
    rows = data.splits["train"][np.arange(200)]
    np.testing.assert_array_equal(rows["image"], again.splits["train"][np.arange(200)]["image"])
    for image, label in zip(rows["image"][..., 0], rows["label"], strict=True):
        lines = image if label else image.T
        assert np.all(lines == lines[0])
    batch = data.prepare(jax.random.key(0), rows, True)
    assert batch.target.shape == (200, 10, 10, 1) and set(np.unique(batch.target)) == {-1, 1}
    assert data.made.show(rows["image"][:9]).write(tmp_path / "bars").is_file()


def test_the_board_is_what_the_documented_command_writes(tmp_path, monkeypatch):
    command = next(line for line in text("docs/evaluation.md").splitlines() if "evaluate board" in line)
    shutil.copytree(ROOT / "docs" / "records", tmp_path / "docs" / "records")
    monkeypatch.chdir(tmp_path)
    parser = argparse.ArgumentParser()
    board.arguments(parser)
    board.run(parser.parse_args(command.split(" board ")[1].split()))
    for name in ("docs/board.md", "docs/board.html"):
        assert (tmp_path / name).read_text("utf-8") == text(name), name


def test_the_page_on_sampling_names_the_settings_of_every_family():
    section = text("docs/keys.md").split("## Sampling: `sample`")[1].split("\n## ")[0]
    families = re.split(r"^### `(\w+)`$", section, flags=re.MULTILINE)[1:]
    keys = {
        name: re.findall(r"^\| `(\w+)` \|", rows, re.MULTILINE)
        for name, rows in zip(*[iter(families)] * 2, strict=True)
    }
    told, family = {}, ""
    for first, names in re.findall(r"^\| ?(`\w+`|) \| (`[^|]+`) \|", text("docs/sampling.md"), re.MULTILINE):
        family = first.strip("`") or family
        told.setdefault(family, []).extend(re.findall(r"`(\w+)`", names))
    assert told == keys


def test_the_tables_of_a_data_set_are_those_of_the_code():
    page = text("docs/add-a-data-set.md")
    told, of_field = (page.split(head)[1].split("\n\n")[0] for head in ("| part of a `DataSet` |", "| of a `Field` |"))
    assert re.findall(r"^\| `(\w+)` \|", told, re.MULTILINE) == [field.name for field in dataclasses.fields(DataSet)]
    names = [name for row in re.findall(r"^\| (`.*?`) \|", of_field, re.MULTILINE) for name in re.findall(r"\w+", row)]
    assert sorted(names) == sorted({name for name in {**vars(Field), **Field.__annotations__} if name[0] != "_"})


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for target in LINK.findall(BLOCK.sub("", page.read_text("utf-8"))):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"


@pytest.mark.parametrize(("heading", "keys"), [("TRUNK", leaves(TRUNK)), ("OPTIMIZER", leaves(OPTIMIZER))])
def test_the_tables_of_keys_are_those_of_the_code(heading, keys):
    """Every key is there with its default, and no other is."""
    section = text("docs/configs.md").split(f"<!-- {heading} -->")[1]
    printed = {key: ast.literal_eval(value) for key, value in ROW.findall(section)}
    assert printed == keys


def test_the_table_of_evaluations_is_that_of_the_code():
    section = text("docs/configs.md").split("<!-- EVALS -->")[1]
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \|", section, re.MULTILINE)
    assert [key for key, _ in rows] == list(Judging._fields)
    given = {key: ast.literal_eval(value.strip("`")) for key, value in rows if value != "required"}
    assert given == Judging._field_defaults


def keys_of_signatures() -> set[str]:
    """Those of docs/keys.md but of networks: no configuration gives some of them, since they have defaults."""
    parts = re.split(r"^## .*`(\w+)`$", text("docs/keys.md"), flags=re.MULTILINE)
    sections = zip(parts[1::2], parts[2::2], strict=True)
    return {f"{name}.{key}" for name, rows in sections for key in re.findall(r"^\| `(\w+)` \|", rows, re.MULTILINE)}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_named_configurations_and_keys_exist(page):
    content = page.read_text("utf-8")
    new = {block["path"] for block in PRINTED_FILE.finditer(content)}
    for path in set(re.findall(r"configs/\w+\.py", content)) - new:
        assert (ROOT / path).is_file(), f"{page.name} names {path}"
    known = set().union(*(leaves(load_config(name)) for name in CONFIGS), keys_of_signatures())
    for key in re.findall(r"--config\.([a-z_0-9.]*[a-z_0-9])(?==[^…])", content):
        assert key in known or NAMED.fullmatch(key), f"{page.name} sets {key}"


@pytest.mark.parametrize("path", LAUNCHERS, ids=lambda path: path.name)
def test_launchers_are_valid_and_explain_themselves(path):
    subprocess.run(["bash", "-n", str(path)], check=True, timeout=60)
    content = path.read_text("utf-8")
    assert content.startswith("#!/usr/bin/env bash\n")
    assert "set -euo pipefail" in content
    assert content.splitlines()[1].startswith("# "), "the arguments are explained on top"


# How docs/step.md names code: "`name` of `file.py`"; "name(…)  …  (file.py)" in its diagram; rows of its first table.
OF_FILE = re.compile(r"`([\w.]+)` of\s+`([\w/]+\.py)`")
DRAWN = re.compile(r"^[ │]*([A-Za-z_][\w.]*)\(.*\((aigc_jax/[\w/]+\.py)\)$", re.MULTILINE)
READ_IN_ORDER = re.compile(r"^\| `([\w/]+\.py)` \| (\d+) \| (`[^|]+`) \|", re.MULTILINE)


def defined(path: Path) -> dict[str, int]:
    """The functions, values, classes, and their functions and fields as Class.name, of a file: name -> lines."""
    found: dict[str, int] = {}

    def add(node: ast.stmt, within: str = "") -> None:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names = [node.name]
        elif isinstance(node, ast.Assign):
            names = [ast.unparse(target) for target in node.targets]
        else:
            names = [ast.unparse(node.target)] if isinstance(node, ast.AnnAssign) else []
        found.update({within + name: node.end_lineno - node.lineno + 1 for name in names})

    for node in ast.parse(path.read_text("utf-8")).body:
        add(node)
        for inner in node.body if isinstance(node, ast.ClassDef) else ():
            add(inner, f"{node.name}.")
    return found


def read_in_order(page: str) -> dict[str, tuple[int, list[str]]]:
    """File -> the lines that the page's first table says of it, and what it names."""
    return {path: (int(lines), re.findall(r"`([^`]+)`", names)) for path, lines, names in READ_IN_ORDER.findall(page)}


def test_the_files_and_functions_of_a_step_exist():
    page = text("docs/step.md")
    for path in re.findall(r"(?:aigc_jax|configs|tests)/[\w/]+\.py", page):
        assert (ROOT / path).is_file(), f"docs/step.md names {path}"
    in_order = [(name, path) for path, (_, names) in read_in_order(page).items() for name in names]
    drawn, told = DRAWN.findall(page), OF_FILE.findall(page)
    assert min(len(in_order), len(drawn), len(told)) >= 6
    for name, path in [*in_order, *drawn, *told]:
        assert name in defined(ROOT / path), f"docs/step.md names {name} of {path}"


def test_the_path_of_a_step_is_at_most_six_files_of_the_length_it_says():
    page = text("docs/step.md")
    said = read_in_order(page)
    assert 0 < len(said) <= 6
    read = {path: sum(defined(ROOT / path)[name] for name in names) for path, (_, names) in said.items()}
    assert all(abs(read[path] - lines) <= 0.1 * lines for path, (lines, _) in said.items()), read
    totals = re.search(r"about\s+([\d,]+) lines of these files' ([\d,]+)", page).groups()
    whole = sum(len(text(path).splitlines()) for path in said)
    for total, found in zip(
        (int(total.replace(",", "")) for total in totals), (sum(read.values()), whole), strict=True
    ):
        assert abs(found - total) <= 0.05 * total, (total, found)
