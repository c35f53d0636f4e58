"""Writes the tables of both READMEs, experiments and data, from the heads of the files in configs/.

    python docs/tables.py

A head ends with the row of its file, in English and in Chinese; a row may go on in the next line:

    Table: family | model | data | result
    表: …

Experiments of one family make a table. The row of a file in configs/data/ has two cells: data, how to get it.
"""

import sys
from itertools import groupby
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from aigc_jax.commands.configs import row  # noqa: E402

EXPERIMENTS, DATA = "<!-- EXPERIMENTS -->", "<!-- DATA -->"  # before and after what is written
PAGES = {  # file -> (label of the rows in its language, columns of the experiments, columns of the data)
    "README.md": ("Table", "configuration | model | data | result", "data | how to get it"),
    "README.zh-CN.md": ("表", "配置 | 模型 | 数据 | 结果", "数据 | 获取方式"),
}
CONFIGS = sorted((ROOT / "configs").glob("*.py"))
SETS = sorted((ROOT / "configs" / "data").glob("*.py"))


def family(path: Path) -> str:
    """In English, for sorting and grouping."""
    return row(path, "Table")["family"].casefold()


def table(columns: str, rows: list[str]) -> str:
    return "\n".join(f"| {line} |" for line in (columns, " | ".join("---" for _ in columns.split("|")), *rows))


def experiments(label: str, columns: str) -> str:
    """A table for each family. Families and files stand in alphabetical order of English."""
    parts = []
    for _, group in groupby(sorted(CONFIGS, key=family), key=family):
        said = {path.stem: row(path, label) for path in group}
        line = "[{0}](configs/{0}.py) | {model} | {data} | {result}"
        rows = [line.format(name, **cells) for name, cells in said.items()]
        parts.append(f"### {next(iter(said.values()))['family']}\n\n{table(columns, rows)}")
    return "\n\n".join(parts)


def data(label: str, columns: str) -> str:
    """A row for each data set of configs/data/."""
    return table(columns, [" | ".join(row(path, label, ("data", "how to get it")).values()) for path in SETS])


def page(name: str) -> str:
    """The text of a README with its tables."""
    label, of_experiments, of_data = PAGES[name]
    text = (ROOT / name).read_text("utf-8")
    for mark, written in ((EXPERIMENTS, experiments(label, of_experiments)), (DATA, data(label, of_data))):
        before, _, after = text.split(mark)
        text = f"{before}{mark}\n\n{written}\n\n{mark}{after}"
    return text


if __name__ == "__main__":
    for name in PAGES:
        (ROOT / name).write_text(page(name), "utf-8")
