"""The two READMEs say the same: the same figures, rows, links and commands; and what the configurations say."""

import importlib.util
import re
from collections import Counter

import pytest
from support import CONFIGS, ROOT

from aigc_jax.commands.configs import head, row
from aigc_jax.errors import ConfigError

NUMBER = re.compile(r"(?<![\w.])[-−]?\d+(?:[.,]\d+)*")


def parts(name: str) -> list[str]:
    """The page by its headings of second level, the head first."""
    return re.split(r"^## ", (ROOT / name).read_text("utf-8"), flags=re.MULTILINE)


ENGLISH, CHINESE = parts("README.md"), parts("README.zh-CN.md")
PAIRS = [pytest.param(*pair, id=pair[0].split("\n")[0]) for pair in zip(ENGLISH, CHINESE, strict=False)]


def numbers(text: str) -> Counter[str]:
    return Counter(number.replace("−", "-") for number in NUMBER.findall(text))


def links(text: str) -> list[str]:
    return [link for link in re.findall(r"\]\(([^)]+)\)", text) if not link.startswith("README")]


def commands(text: str) -> list[list[str]]:
    """The lines of each block, without comments."""
    blocks = re.findall(r"^```shell\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [[line.split("  #")[0].strip() for line in block.splitlines()] for block in blocks]


def spans(text: str) -> Counter[str]:
    """Code within lines."""
    return Counter(re.findall(r"`[^`\n]+`", text))


def names(text: str) -> list[str]:
    """The first column of a block of text: files and folders."""
    blocks = re.findall(r"^```text\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [re.split(r"\s{2,}", line.strip())[0] for block in blocks for line in block.splitlines()]


def test_the_readmes_have_the_same_sections():
    assert len(ENGLISH) == len(CHINESE)


@pytest.mark.parametrize(("english", "chinese"), PAIRS)
def test_the_figures_are_the_same(english, chinese):
    differing = {
        number: (numbers(english)[number], numbers(chinese)[number])
        for number in numbers(english) | numbers(chinese)
        if numbers(english)[number] != numbers(chinese)[number]
    }
    assert not differing, "number: (times in README.md, times in README.zh-CN.md)"


@pytest.mark.parametrize(("english", "chinese"), PAIRS)
def test_rows_links_and_commands_are_the_same(english, chinese):
    assert links(english) == links(chinese)
    assert spans(english) == spans(chinese)
    assert commands(english) == commands(chinese)
    assert names(english) == names(chinese)
    rows = [[line.count("|") for line in text.splitlines() if line.startswith("|")] for text in (english, chinese)]
    assert rows[0] == rows[1]


# The tables of experiments


@pytest.fixture(scope="module")
def tables():
    spec = importlib.util.spec_from_file_location("tables", ROOT / "docs" / "tables.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["README.md", "README.zh-CN.md"])
def test_the_tables_are_what_the_configurations_say(tables, name):
    assert tables.page(name) == (ROOT / name).read_text("utf-8"), "run: python docs/tables.py"


@pytest.mark.parametrize("name", CONFIGS)
def test_a_row_says_what_the_head_says(name):
    """Its figures are those of the head, and the same in both languages."""
    path = ROOT / "configs" / f"{name}.py"
    english, chinese = row(path, "Table"), row(path, "表")
    assert numbers(" ".join(english.values())) == numbers(" ".join(chinese.values()))
    body = head(path).split("\nTable: ")[0]
    assert not numbers(english["result"]).keys() - numbers(body).keys()


def test_a_family_has_one_name_in_each_language():
    paths = [ROOT / "configs" / f"{name}.py" for name in CONFIGS]
    pairs = {tuple(row(path, label)["family"] for label in ("Table", "表")) for path in paths}
    assert len(pairs) == len({english.casefold() for english, _ in pairs}) == len({chinese for _, chinese in pairs})


def test_a_new_configuration_makes_a_row_and_a_new_family_a_table(tables, tmp_path, monkeypatch):
    new = tmp_path / "flow_digits.py"
    new.write_text(
        '"""A flow.\n\nTable: Flow | RealNVP | digits |\nbits: 5.69\n表: 流模型 | RealNVP | 手写数字 | 5.69\n"""',
        "utf-8",
    )
    monkeypatch.setattr(tables, "CONFIGS", [*tables.CONFIGS, new])
    for name, title in (("README.md", "### Flow"), ("README.zh-CN.md", "### 流模型")):
        before, after = (ROOT / name).read_text("utf-8").splitlines(), tables.page(name).splitlines()
        added = Counter(after) - Counter(before)
        (line,) = (line for line in added if "(configs/flow_digits.py) | RealNVP | " in line)
        assert title in added and line.endswith("5.69 |")
        assert not Counter(before) - Counter(after)


@pytest.mark.parametrize("text", ["A flow.", "A flow.\n\nTable: Flow | RealNVP | 5.69 bits/dim"])
def test_a_head_without_a_whole_row_is_refused(tmp_path, text):
    path = tmp_path / "flow.py"
    path.write_text(f'"""{text}"""')
    with pytest.raises(ConfigError, match=r'flow.py lacks its row: write "Table: family \| model \| data \| result"'):
        row(path, "Table")
