"""Writes the tables of experiments in README.md and README.zh-CN.md, from the heads of the files in configs/.

    python docs/tables.py

A head ends with the row of its file, in English and in Chinese:

    Table: family | model | data | result
    表: …

Rows of one family make a table. A row may go on in the next line.
"""

import sys
from itertools import groupby
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from aigc_jax.commands.configs import row  # noqa: E402

MARK = "<!-- EXPERIMENTS -->"  # before and after the tables
PAGES = {  # file -> (label of the rows in its language, head of each table)
    "README.md": ("Table", "| configuration | model | data | result |"),
    "README.zh-CN.md": ("表", "| 配置 | 模型 | 数据 | 结果 |"),
}
CONFIGS = sorted((ROOT / "configs").glob("*.py"))


def family(path: Path) -> str:
    """In English, for sorting and grouping."""
    return row(path, "Table").family.casefold()


def tables(label: str, head: str) -> str:
    """The tables of all families in one language, families and files in alphabetical order of English."""
    parts = []
    for _, group in groupby(sorted(CONFIGS, key=family), key=family):
        rows = [(path.stem, row(path, label)) for path in group]
        lines = [f"| [{name}](configs/{name}.py) | {each.model} | {each.data} | {each.result} |" for name, each in rows]
        parts.append("\n".join([f"### {rows[0][1].family}", "", head, "|---|---|---|---|", *lines]))
    return "\n\n".join(parts)


def page(name: str) -> str:
    """The text of a README with its tables."""
    before, _, after = (ROOT / name).read_text("utf-8").split(MARK)
    return f"{before}{MARK}\n\n{tables(*PAGES[name])}\n\n{MARK}{after}"


if __name__ == "__main__":
    for name in PAGES:
        (ROOT / name).write_text(page(name), "utf-8")
