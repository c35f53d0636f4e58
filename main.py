"""Train, evaluate and sample any configuration.

python main.py --config=configs/ddpm_cifar.py --workdir=runs/cifar --config.train.steps=1000
"""

import gc
import sys
import time

from aigc_jax import allocator, consoles

if __name__ == "__main__":
    allocator.prefer_tcmalloc()
    consoles.make_lasting()
BEGAN = time.time()
gc.set_threshold(50_000)  # a trace is many objects, and all stay: looking through them takes a seventh of tracing

from aigc_jax import command, modes  # noqa: E402 - the clock starts before the imports that take seconds


def main(argv: list[str]) -> None:
    """Does what the command line asks for. Raises UserError."""
    modes.run(argv, BEGAN)


if __name__ == "__main__":
    command.leave(command.guarded(main, sys.argv))
