"""Evaluations of files: `python -m aigc_jax.evaluate COMMAND --help`.

Each command is a module of `aigc_jax.commands`, and one of `aigc_jax` too.
"""

import pkgutil
import sys
from collections.abc import Sequence

from aigc_jax import command, commands, console
from aigc_jax.config import nearest
from aigc_jax.errors import ConfigError

PROGRAM = "python -m aigc_jax.evaluate"


def main(arguments: Sequence[str]) -> None:
    """Runs the command that the arguments name. Raises UserError."""
    known = sorted(module.name for module in pkgutil.iter_modules(commands.__path__))
    name, *rest = [*arguments] or ["--help"]
    if name in console.HELP:
        print(f"usage: {PROGRAM} COMMAND ...\n\nCommands: {', '.join(known)}.")
    elif name in known:
        console.run(name, rest, f"{PROGRAM} {name}")
    else:
        raise ConfigError(f'There is no command "{name}".{nearest(name, known)}')


if __name__ == "__main__":
    command.leave(command.guarded(main, sys.argv[1:]))
