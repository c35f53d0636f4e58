"""List the configurations of this package, or describe one of them.

    aigc_jax configs
    aigc_jax configs ddpm_digits

Of one, prints what the head of its file says (paper, hardware, time, what to expect) and all its settings.
`--config=NAME` takes it.
"""

import argparse
import ast
import re
from pathlib import Path
from textwrap import shorten

from aigc_jax import experiments
from aigc_jax.config import leaves, nearest
from aigc_jax.errors import ConfigError

WIDE = 96  # columns of a line
ROW = r"^{}: (.+(?:\n(?!Table: |表: ).+)*)"  # a label and its paragraph, up to the other label
EXPERIMENT = ("family", "model", "data", "result")  # the columns of the table of experiments


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", nargs="?", help="of a configuration (default: list all)")


def run(options: argparse.Namespace) -> None:
    """Prints a line for each, or the head and settings of one. Raises ConfigError for a name that there is not."""
    found = experiments.shipped()
    if options.name is None:
        width = max(map(len, found), default=0)
        for name, path in found.items():
            said = "{family}: {model}; {data}; {result}".format(**row(path, "Table"))
            print(f"{name:<{width}}  {shorten(said, WIDE - width, placeholder=' ...')}")
        return
    if options.name not in found:
        raise ConfigError(f'There is no configuration "{options.name}".{nearest(options.name, found)}')
    print(f"{found[options.name]}\n\n{head(found[options.name])}\n")
    for key, value in leaves(experiments.load(options.name).to_dict()).items():
        print(f"{key} = {'required' if value is None else repr(value)}")


def head(path: Path) -> str:
    """The docstring of a file."""
    return ast.get_docstring(ast.parse(path.read_text("utf-8"))) or "-"


def row(path: Path, label: str, columns: tuple[str, ...] = EXPERIMENT) -> dict[str, str]:
    """Column -> what the head of a file says of it after a label: "Table" in English, "表" in Chinese.

    Raises ConfigError where a cell is missing.
    """
    found = re.search(ROW.format(label), head(path), re.MULTILINE)
    cells = [cell.strip() for cell in " ".join(found[1].split()).split(" | ")] if found else []
    if len(cells) != len(columns):
        raise ConfigError(f'The head of {path} lacks its row: write "{label}: {" | ".join(columns)}".')
    return dict(zip(columns, cells, strict=True))
