"""Evaluations of files, whatever made them; `main.py --mode=evaluate` measures a run of this project.

    python -m aigc_jax.evaluate COMMAND --help

Each command is a module of `aigc_jax.evaluate.commands`.
"""

import argparse
import importlib
import pkgutil
import sys
from collections.abc import Sequence

from aigc_jax import command
from aigc_jax.evaluate import commands


def parser() -> argparse.ArgumentParser:
    """Of all commands."""
    whole = argparse.ArgumentParser("python -m aigc_jax.evaluate", description=commands.__doc__)
    each = whole.add_subparsers(metavar="COMMAND", required=True)
    for found in sorted(pkgutil.iter_modules(commands.__path__), key=lambda module: module.name):
        module = importlib.import_module(f"{commands.__name__}.{found.name}")
        one = each.add_parser(
            found.name,
            help=(module.__doc__ or "").split("\n")[0],
            description=module.__doc__,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.arguments(one)
        one.set_defaults(run=module.run)
    return whole


def main(arguments: Sequence[str]) -> None:
    """Runs the command that the arguments name. Raises UserError."""
    options = parser().parse_args(arguments)
    command.prepare_jax(distributed=False)
    options.run(options)


if __name__ == "__main__":
    command.leave(command.guarded(main, sys.argv[1:]))
