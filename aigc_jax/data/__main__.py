"""Prepares a data set, or shows what is in it.

    aigc_jax data prepare digits
    aigc_jax data show image_folder --path=photographs --image_size=64
    aigc_jax data show tang_poems --path=quantangshi --length=128 --out=sheets
    aigc_jax data prepare cifar10

NAME is a data set of aigc_jax.data.sets or one of TensorFlow Datasets. The keys are those of the
section `data` of a configuration, as --key=value or key=value.
"""

import argparse
import inspect
import sys
import time
import typing
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from aigc_jax import command, console
from aigc_jax.config import literal, nearest
from aigc_jax.data import catalogue
from aigc_jax.data.files import printable
from aigc_jax.errors import ConfigError

# Values for keys that only training cares about, where the command line does not give them.
USUAL: dict[str, Any] = dict(
    image="image",
    label="label",
    validation=0,
    pad=0,
    augment=(),
    image_size=0,
    colour=True,
    length=128,
    vocabulary_size=4000,
    documents="files",
)  # fmt: skip


def section_of(name: str, settings: Sequence[str]) -> dict[str, Any]:
    """The section `data` that a command line means."""
    section: dict[str, Any] = {"name": name} if name in catalogue.names() else {"name": "tfds", "dataset": name}
    function = catalogue.loader(section["name"])
    keys = [key for key in inspect.signature(function).parameters if key != "data_dir"]
    section |= {key: USUAL[key] for key in keys if key in USUAL}
    hints = typing.get_type_hints(function)
    for setting in settings:
        key, equals, value = setting.removeprefix("--").partition("=")
        if not equals:
            raise ConfigError(f'"{setting}" is not understood: write --key=value.')
        if key not in keys:
            raise ConfigError(f'The data set "{name}" has no key "{key}".{nearest(key, keys)}')
        section[key] = value if hints[key] is str else literal(value)
    return section


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit code."""
    parser = console.Parser(prog="python -m aigc_jax.data")
    given = sys.argv[1:] if arguments is None else [*arguments]
    return command.guarded(lambda rest: command_line(parser, rest), given)


def command_line(parser: console.Parser, arguments: Sequence[str]) -> None:
    """Runs the command line. parser: without arguments yet. Raises UserError."""
    parser.describe(__doc__)
    parser.add_argument("command", choices=("prepare", "show"))
    parser.add_argument("name", metavar="NAME", help=f"{', '.join(catalogue.names())}, or a name of TFDS")
    parser.add_argument("settings", nargs="*", metavar="--key=value", help="keys of the section data")
    parser.add_argument("--data_dir", type=Path, help="where data sets are kept (default: TFDS's folder)")
    parser.add_argument("--out", type=Path, default=Path("."), help="show: where the contact sheet goes")
    known, others = parser.parse_known_args(arguments)
    run(known, section_of(known.name, [*known.settings, *others]))


def run(options: argparse.Namespace, section: dict[str, Any]) -> None:
    """Prepares the data set if needed, and prints what it is."""
    began = time.perf_counter()
    data = catalogue.load(section, options.data_dir)
    seconds = time.perf_counter() - began
    for line in data.notes:
        print(line)
    if options.command == "show":
        for split, source in data.splits.items():
            said = (field.describe(source, name) for name, field in data.fields.items())
            print(f"{split}: {len(source):,} examples{''.join(said)}")
        split = "train" if "train" in data.splits else next(iter(data.splits))
        sheet = data.made.sheet(data.splits[split], data.target).write(options.out / data.name.replace("/", "_"))
        print(f"sheet: {printable(sheet)}")
        return
    print("; ".join(f"{split}: {len(source):,} examples" for split, source in data.splits.items()))
    if data.folder:
        size = sum(file.stat().st_size for file in data.folder.rglob("*") if file.is_file())
        print(f"folder: {data.folder} ({size:,} bytes)")
        print(f"licence: {_licence(data.folder)}")
    print(f"seconds: {seconds:.1f}")


def _licence(folder: Path) -> str:
    path = folder / "LICENSE"
    return " ".join(path.read_text("utf-8").split()) if path.is_file() else "see the data set's homepage"


if __name__ == "__main__":
    command.leave(main())
