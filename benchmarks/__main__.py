"""Runs one piece of work with ours and with its peers in turn, and prints how they compare.

    python -m benchmarks PIECE [--size=SIZE] [--set batch=16 …] [--sides ours,eager] [--rounds=5] [--turn=6]
                               [--processes=1] [--tcmalloc] [--write] [--before=CHECKOUT] [--python torch=PYTHON …]
    python -m benchmarks list

Same model, batch, precision, data and device for all. Peers live in environments of their own (`make peers`): a side
whose environment is not there is left out, and said so; with one that fails the exit code is 1. --before measures
another checkout's aigc_jax beside this one, with the configurations that it has.
--tcmalloc gives all sides that allocator, as launch/tcmalloc.sh does; without, all have the system's.
--write keeps the figures in benchmarks/results/, from which `python -m benchmarks.page` makes docs/performance.md.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from benchmarks import pieces
from benchmarks.figures import concluded, repeatable
from benchmarks.turns import Taken, in_turn, interpreters, tcmalloc


def main() -> None:
    """Reads the arguments, measures, prints and writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    known = pieces.names()
    parser.add_argument("piece", choices=["list", *known], metavar="PIECE")
    parser.add_argument("--size", help="a name of the piece's SIZES; default: the first")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="another value of a setting")
    parser.add_argument("--sides", help="names, separated by commas; default: all")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--processes", type=int, default=1, help="of each side, one after the other: so many × rounds")
    parser.add_argument("--turn", type=float, default=6.0, help="seconds that a turn lasts at least")
    parser.add_argument("--tcmalloc", action="store_true", help="all sides with tcmalloc, not the system's allocator")
    parser.add_argument("--before", type=Path, help="folder of another checkout of this project")
    parser.add_argument("--python", action="append", default=[], metavar="ENVIRONMENT=PYTHON")
    parser.add_argument("--write", action="store_true", help="keep the figures in benchmarks/results/")
    arguments = parser.parse_args()
    if arguments.piece == "list":
        for name in known:
            print(f"{name:<16} {pieces.find(name).__doc__.splitlines()[0]}")
        return
    piece = pieces.find(arguments.piece)
    size = arguments.size or next(iter(piece.SIZES))
    if size not in piece.SIZES:
        parser.error(f'--size: {arguments.piece} has no "{size}". Known: {", ".join(piece.SIZES)}.')
    if arguments.set and arguments.write:
        parser.error("--write keeps the figures of a size as it is: without --set.")
    settings = {**piece.SIZES[size], **changes(parser, arguments.set, piece.SIZES[size])}
    wanted = arguments.sides.split(",") if arguments.sides else list(piece.SIDES)
    if unknown := set(wanted) - set(piece.SIDES):
        parser.error(f"--sides: {arguments.piece} has no {', '.join(unknown)}. Known: {', '.join(piece.SIDES)}.")
    preload = tcmalloc() if arguments.tcmalloc else ""
    if arguments.tcmalloc and not preload:
        parser.error("--tcmalloc: it is not installed (Debian, Ubuntu: libtcmalloc-minimal4).")
    places, absent = interpreters(piece, wanted, arguments.python, arguments.before)
    facts, turns, failed = {}, {}, {}
    for _ in range(arguments.processes):
        left = {side: place for side, place in places.items() if side not in failed}
        of_each = in_turn(left, arguments.piece, settings, preload, arguments.rounds, arguments.turn)
        facts, failed = {**facts, **of_each.facts}, {**failed, **of_each.failed}
        turns = {side: turns.get(side, []) + of_each.turns.get(side, []) for side in places}
    command = " ".join(["python -m benchmarks", *repeatable(sys.argv[1:], arguments.before)])
    taken = Taken(facts, turns, failed)
    sys.exit(concluded(arguments.piece, size, settings, taken, absent, command, preload, arguments.write))


def changes(parser: argparse.ArgumentParser, given: list[str], settings: dict[str, Any]) -> dict[str, Any]:
    """The values of --set, read as JSON where they are."""
    found = {}
    for each in given:
        key, _, value = each.partition("=")
        if key not in settings:
            parser.error(f'--set: there is no setting "{key}". Known: {", ".join(settings)}.')
        try:
            found[key] = json.loads(value)
        except json.JSONDecodeError:
            found[key] = value
    return found


if __name__ == "__main__":
    main()
