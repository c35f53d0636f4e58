"""The two READMEs say the same: the same figures, rows, links and commands."""

import re
from collections import Counter

import pytest
from support import ROOT

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
    assert commands(english) == commands(chinese)
    assert names(english) == names(chinese)
    rows = [[line.count("|") for line in text.splitlines() if line.startswith("|")] for text in (english, chinese)]
    assert rows[0] == rows[1]
