"""List the configurations of this package, or describe one of them.

    aigc_jax configs
    aigc_jax configs ddpm_digits

Of one, prints what the head of its file says: paper, hardware, time, what to expect. `--config=NAME` takes it.
"""

import argparse
import ast
from pathlib import Path
from textwrap import shorten

from aigc_jax import experiments
from aigc_jax.config import nearest
from aigc_jax.errors import ConfigError

WIDE = 96  # columns of a line


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", nargs="?", help="of a configuration (default: list all)")


def run(options: argparse.Namespace) -> None:
    """Prints a line for each, or the head of one. Raises ConfigError for a name that there is not."""
    found = experiments.shipped()
    if options.name is None:
        width = max(map(len, found), default=0)
        for name, path in found.items():
            print(f"{name:<{width}}  {shorten(_head(path), WIDE - width, placeholder=' ...')}")
        return
    if options.name not in found:
        raise ConfigError(f'There is no configuration "{options.name}".{nearest(options.name, found)}')
    print(f"{found[options.name]}\n\n{_head(found[options.name])}")


def _head(path: Path) -> str:
    return ast.get_docstring(ast.parse(path.read_text("utf-8"))) or "-"
