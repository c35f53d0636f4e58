"""Several pieces of work whose sides are all made ready at once, for a machine that is lent by the minute.

    python -m benchmarks.several ddpm_step:gpu gpt_decode:124m-batch1:ours,static … [--rounds=3] [--turn=1.5]
        [--patience=240] [--pause=PID …] [--before=CHECKOUT] [--python torch=PYTHON …] [--write]

When all sides of all pieces are ready, one piece is measured after the other, as `python -m benchmarks PIECE` does it:
nothing is compiled meanwhile, and the processes of --pause stand still. All sides have to fit into memory together, the
accelerator's too. What making them ready took is not kept: they shared the processors, and programs may come from a
cache.
"""

import argparse
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from tqdm import tqdm

from benchmarks import pieces
from benchmarks.figures import concluded, repeatable
from benchmarks.turns import Worker, interpreters, measured, start

MADE_READY = ("prepare_s", "first_run_s", "second_run_s")


class Asked(NamedTuple):
    """A piece to measure."""

    piece: str
    size: str
    sides: list[str]


def main() -> None:
    """Reads the arguments, prepares, measures, prints and writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pieces", nargs="+", metavar="PIECE:SIZE[:SIDE,SIDE]")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--turn", type=float, default=1.5, help="seconds that a turn lasts at least")
    parser.add_argument("--patience", type=float, default=240, help="seconds after which a side that is not ready ends")
    parser.add_argument("--pause", type=int, action="append", default=[], metavar="PID", help="stands still meanwhile")
    parser.add_argument("--before", type=Path, help='folder of another checkout of this project: a side "before"')
    parser.add_argument("--python", action="append", default=[], metavar="ENVIRONMENT=PYTHON")
    parser.add_argument("--write", action="store_true", help="keep the figures in benchmarks/results/")
    arguments = parser.parse_args()
    all_asked = [asked(parser, each, arguments.before) for each in arguments.pieces]
    command = " ".join(["python -m benchmarks.several", *repeatable(sys.argv[1:], arguments.before)])
    code = 0
    with tempfile.TemporaryDirectory() as logs:
        made = []
        for name, size, sides in all_asked:
            (folder := Path(logs) / f"{name}-{size}").mkdir()
            before = arguments.before if "before" in sides else None
            wanted = [side for side in sides if side != "before"]
            places, absent = interpreters(pieces.find(name), wanted, arguments.python, before)
            made.append((list(start(places, name, pieces.find(name).SIZES[size], "", folder)), absent))
        wait([worker for workers, _ in made for worker in workers], arguments.patience)
        with standing_still(arguments.pause):
            for (name, size, _), (workers, absent) in zip(all_asked, made, strict=True):
                taken = measured(workers, arguments.rounds, arguments.turn)
                facts = {side: {k: v for k, v in of.items() if k not in MADE_READY} for side, of in taken.facts.items()}
                settings, taken = pieces.find(name).SIZES[size], taken._replace(facts=facts)
                code |= concluded(name, size, settings, taken, absent, command, "", arguments.write)
    sys.exit(code)


def asked(parser: argparse.ArgumentParser, given: str, before: Path | None) -> Asked:
    """What "PIECE:SIZE[:SIDE,SIDE]" asks for: all sides where it names none."""
    name, size, sides = [*given.split(":"), "", ""][:3]
    if name not in pieces.names() or size not in pieces.find(name).SIZES:
        parser.error(f'there is no "{name}:{size}": python -m benchmarks list names the pieces, SIZES their sizes.')
    known = [*(["before"] if before else []), *pieces.find(name).SIDES]
    wanted = sides.split(",") if sides else known
    if unknown := set(wanted) - set(known):
        parser.error(f"{name} has no {', '.join(sorted(unknown))}. Known: {', '.join(known)}.")
    return Asked(name, size, wanted)


def wait(workers: list[Worker], patience: float) -> None:
    """Until all are ready or have failed; those that are not after `patience` seconds have failed."""
    threads = [threading.Thread(target=worker.ready) for worker in workers]
    for thread in threads:
        thread.start()
    end = time.monotonic() + patience
    for worker, thread in tqdm(list(zip(workers, threads, strict=True)), unit="side"):
        thread.join(max(0.0, end - time.monotonic()))
        if thread.is_alive():
            worker.kill()
            thread.join()


@contextmanager
def standing_still(processes: list[int]) -> Iterator[None]:
    """Stops processes meanwhile."""

    def send(which: signal.Signals) -> None:
        for process in processes:
            with suppress(ProcessLookupError):
                os.kill(process, which)

    send(signal.SIGSTOP)
    try:
        yield
    finally:
        send(signal.SIGCONT)


if __name__ == "__main__":
    main()
