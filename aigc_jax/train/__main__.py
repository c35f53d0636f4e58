"""`python -m aigc_jax.train verify RUN`: as `aigc_jax verify RUN`."""

import sys
from collections.abc import Sequence

from aigc_jax import command, console
from aigc_jax.errors import ConfigError

PROGRAM = "python -m aigc_jax.train"


def main(arguments: Sequence[str]) -> None:
    """Runs the command that the arguments name. Raises UserError."""
    name, *rest = [*arguments] or ["--help"]
    if name in console.HELP:
        print(f"usage: {PROGRAM} verify RUN")
    elif name == "verify":
        console.run(name, rest, f"{PROGRAM} {name}")
    else:
        raise ConfigError(f'There is no command "{name}": {PROGRAM} verify RUN is.')


if __name__ == "__main__":
    command.leave(command.guarded(main, sys.argv[1:]))
