"""Writes keys.md: the keys of configurations, from the signatures that read them.

    python docs/keys.py

A key's meaning is the comment after it, or what the docstring says behind "key: ".
"""

import ast
import functools
import importlib
import inspect
import pkgutil
import re
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from flax import linen

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from aigc_jax import adapters, codecs, methods, nn  # noqa: E402
from aigc_jax.config import annotations, settable_parameters  # noqa: E402
from aigc_jax.data import sets  # noqa: E402

PAGE = ROOT / "docs" / "keys.md"
# By the data set or the codec, `precision` and the section `frozen`.
FILLED_IN = {"shape", "levels", "image_shape", "classes", "vocabulary", "length", "pad", "bos", "eos", "unk"}
FILLED_IN |= {"mask", "sentinels", "packed", "units", "dtype", "frozen"}
FILLED_IN |= {"source_vocabulary", "source_length", "source_pad"}
FROM_DATA = {"label_classes": "the data's"}  # where the configuration gives none
HEAD = """\
# Keys of networks, methods, sampling, codecs, adapters and data sets

`python docs/keys.py` writes this page from the signatures in the code; edit those. The keys of the trunk and of the
optimizers are in [configs.md](configs.md). Left out are the parameters that the data set, the codec,
`precision` or `frozen` fills in.
"""


def modules(package: types.ModuleType) -> Iterator[types.ModuleType]:
    """The files of a package, by name."""
    for name in sorted(module.name for module in pkgutil.iter_modules(package.__path__)):
        yield importlib.import_module(f"{package.__name__}.{name}")


def networks(module: types.ModuleType) -> Iterator[type]:
    """The Linen modules of a file that are no part of another one."""
    for name, value in vars(module).items():
        own = inspect.isclass(value) and value.__module__ == module.__name__ and issubclass(value, linen.Module)
        if own and name not in used(module):
            yield value


@functools.cache
def used(module: types.ModuleType) -> set[str]:
    """Every name that the code of a file uses."""
    return {node.id for node in ast.walk(ast.parse(inspect.getsource(module))) if isinstance(node, ast.Name)}


def meanings(reader: Callable) -> dict[str, str]:
    """Key -> meaning."""
    keys = "|".join(settable_parameters(reader))
    found = {}
    for paragraph in re.split(r"\n\s*\n", inspect.getdoc(reader) or ""):
        flat = " ".join(paragraph.split())
        parts = re.split(rf"(?:^|(?<=[.;] ))((?:{keys})(?:, (?:{keys}))*): ", flat)
        for names, meaning in zip(parts[1::2], parts[2::2], strict=True):
            found |= dict.fromkeys(names.split(", "), meaning.strip(" .;"))
    for line in inspect.getsource(reader).splitlines():
        if comment := re.match(rf"    ({keys}): .*?  # (?!noqa|type:|fmt:)(.+)$", line):
            found[comment[1]] = comment[2].strip(" .")
    return found


def kind(annotation: Any) -> tuple[str, str]:
    """(type, range), as the table says them."""
    origin, inside = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        name, within = kind(inside[0])
        return name, ", ".join(filter(None, [within, *(str(limit) for limit in inside[1:])]))
    if origin is Literal:
        return "choice", ", ".join(f"`{value!r}`".replace("'", '"') for value in inside)
    if origin is tuple:
        each = [kind(item) for item in inside if item is not Ellipsis]
        names = ", ".join(name for name, _ in each) + (", …" if Ellipsis in inside else "")
        return f"tuple ({names})", "; ".join(dict.fromkeys(within for _, within in each if within))
    if origin in (Union, types.UnionType):
        each = [kind(item) for item in inside]
        return " or ".join(name for name, _ in each), "; ".join(within for _, within in each if within)
    return getattr(annotation, "__name__", str(annotation)) if origin is None else "section", ""


def rows(reader: Callable, filled_in: set[str]) -> list[str]:
    """One row for each key that a configuration may give."""
    hints, said = annotations(reader), meanings(reader)
    lines = []
    for key, parameter in settable_parameters(reader).items():
        default = FROM_DATA.get(key, "required")
        if parameter.default is not inspect.Parameter.empty:
            default = f"`{parameter.default!r}`"
        if key in filled_in:
            continue
        name, within = kind(hints[key])
        lines.append(f"| `{key}` | {name} | {within} | {default} | {said.get(key, '')} |")
    return lines


def section(title: str, reader: Callable, doc: str | None, filled_in: set[str]) -> str:
    summary = " ".join((doc or "").strip().split("\n\n")[0].split())
    table = rows(reader, filled_in)
    head = ["| key | type | range | default | meaning |", "|---|---|---|---|---|"]
    return "\n".join([f"### `{title}`", "", summary, "", *([*head, *table] if table else ["No keys."]), ""])


def page() -> str:
    """The text of keys.md."""
    parts = [HEAD, "## Networks: `networks.<network>`\n"]
    for module in modules(nn):
        for network in networks(module):
            name = f"{module.__name__.rpartition('.')[2]}.{network.__name__}"
            parts.append(section(name, network, network.__doc__, FILLED_IN))
    parts.append("## Methods: `method`\n")
    for module in modules(methods):
        name = module.__name__.rpartition(".")[2]
        function = getattr(module, name)
        parts.append(section(name, function, function.__doc__, FILLED_IN))
    parts.append("## Sampling: `sample`\n\n`every`, `n`, `given` and `seed` are keys of all of them.\n")
    for module in modules(methods):
        if hasattr(module, "plan"):
            parts.append(section(module.__name__.rpartition(".")[2], module.plan, module.plan.__doc__, FILLED_IN))
    parts.append("## Codecs: `codec`\n")
    for module in modules(codecs):
        name = module.__name__.rpartition(".")[2]
        parts.append(section(name, getattr(module, name), module.__doc__, FILLED_IN))
    parts.append("## Adapters: `adapters.<network>`\n")
    for module in modules(adapters):
        name = module.__name__.rpartition(".")[2]
        function = getattr(module, name)
        parts.append(section(name, function, function.__doc__, FILLED_IN))
    parts.append("## Data sets: `data`\n\n`batch_size`, examples a step, is a key of all of them.\n")
    for module in modules(sets):
        parts.append(section(module.__name__.rpartition(".")[2], module.load, module.__doc__, {"data_dir"}))
    return "\n".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
