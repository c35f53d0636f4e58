"""Folders of published weights: `config.json` and safetensors, in a format of `aigc_jax/weights/` or in our own.

Our own has the arrays under their paths, and the network's class and fields in config.json.
"""

import importlib
import json
import pkgutil
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from flax import traverse_util

from aigc_jax import weights
from aigc_jax.config import nearest
from aigc_jax.errors import ConfigError, UserError, naming
from aigc_jax.format import NOTHING, Entry

CONFIG, ARRAYS, PARTS = "config.json", "model.safetensors", "model.safetensors.index.json"
OWN = "aigc_jax"  # `model_type` of our own format
SETTINGS = "schedulers"  # a file beside the formats that reads no weights

Variables = Mapping[str, Any]  # collection -> nested dictionaries of arrays, as a module's `apply` takes them


class Published(NamedTuple):
    """A network in a folder."""

    network: Mapping[str, Any]  # its class under "name", and its fields
    variables: Callable[[], Variables]  # reads the arrays, float32


def read(folder: Path) -> Published:
    """The network in a folder. Raises UserError where there is none, or one that is not ours to compute.

    `variables` raises UserError that names every array that lacks, or that nothing reads.
    """
    described = _json(folder / CONFIG)
    kind = described.get("model_type")
    if kind == OWN:
        if not isinstance(described.get("network"), dict):
            raise UserError(f"{folder / CONFIG} does not say what network it is of: export it again.")
        return Published(described["network"], lambda: _nested(_arrays(folder)))
    key = "model_type"
    if kind is None and "_class_name" in described:
        key, kind = "_class_name", _of_class(described["_class_name"])
    format = _format(kind, f"{folder / CONFIG}: {key}")
    try:
        fields = format.fields(described)
        table = format.table(fields)
    except KeyError as error:
        raise UserError(f"{folder / CONFIG} lacks {error}, which the one of a {kind} has.") from error
    except ConfigError as error:
        raise UserError(f"{folder / CONFIG}: {error}.") from error
    except (TypeError, ValueError, ArithmeticError) as error:
        raise UserError(f"{folder / CONFIG} has sizes that no network has: {error}.") from error

    def variables() -> Variables:
        found = {_current(format, name): x for name, x in _arrays(folder, _file(format)).items()}
        found[NOTHING] = np.zeros(0, np.float32)
        names = {
            entry: next((n for n in (entry.theirs, entry.theirs.removeprefix(format.PREFIX)) if n in found), None)
            for entry in table
        }
        lacking = ", ".join(entry.theirs for entry, name in names.items() if name is None)
        unread = ", ".join(n for n in found if n and n not in names.values() and not re.search(format.BUFFERS, n))
        if lacking or unread:
            said = [f"lacks {lacking}"] * bool(lacking) + [f"has also {unread}, which nothing reads"] * bool(unread)
            raise UserError(f"{folder} is not the {kind} that its {CONFIG} describes: it {' and '.join(said)}.")
        arrays: dict[str, np.ndarray] = {}
        parts: dict[tuple[str, int], list[np.ndarray]] = {}  # (path, axis) -> what is stacked, in the table's order
        sources: dict[str, str] = {}  # path -> the name of the array that it was read from
        try:
            for entry, name in names.items():
                array, source = entry.form.ours(found[name or ""]), sources.setdefault(entry.ours, entry.theirs)
                if entry.part:
                    parts.setdefault((entry.ours, entry.part.axis), []).append(array)
                elif not np.array_equal(arrays.setdefault(entry.ours, array), array, equal_nan=True):
                    differ = f"{source} and {entry.theirs} differ, and are one array of {format.NETWORK}"
                    raise UserError(f"{folder} is no network of ours: {differ}.")
            arrays |= {path: np.stack(each, axis) for (path, axis), each in parts.items()}
        except ValueError as error:
            raise UserError(f"The arrays in {folder} are not of the sizes that its {CONFIG} has: {error}.") from error
        return _nested(arrays)

    return Published({"name": format.NETWORK, **fields}, variables)


def write(folder: Path, network: Mapping[str, Any], variables: Variables, kind: str = OWN) -> None:
    """Writes a network's arrays into a new folder. kind: the format.

    Raises UserError for a format of another network, and for a folder that is there.
    """
    from safetensors.numpy import save_file

    fields = {key: value for key, value in network.items() if key != "name"}
    arrays = {name: np.asarray(x) for name, x in traverse_util.flatten_dict(variables, sep="/").items()}
    described: dict[str, Any] = {"model_type": kind, "network": dict(network)}
    file = ARRAYS
    if kind != OWN:
        format = _format(kind, "The format")
        if network["name"] != format.NETWORK:
            raise UserError(f"{kind} is the format of {format.NETWORK}, and the network is {network['name']}.")
        if hasattr(format, "completed"):
            fields = format.completed(fields, arrays)
        typed = {} if hasattr(format, "CLASSES") else {"model_type": kind}
        described, table, file = {**typed, **format.config(fields)}, format.table(fields), _file(format)
        written = [entry for entry in table if entry.theirs != NOTHING]
        arrays = {entry.theirs: np.ascontiguousarray(_theirs(entry, arrays[entry.ours])) for entry in written}
    if folder.exists():
        raise UserError(f"{folder} is there already: name a new folder.")
    with naming(folder):
        folder.mkdir(parents=True)
        save_file(arrays, folder / file, metadata={"format": "pt"})  # which readers for PyTorch ask for
        (folder / CONFIG).write_text(json.dumps(described, indent=2) + "\n", "utf-8")


def kinds() -> list[str]:
    """The formats that there are, besides our own."""
    return sorted(module.name for module in pkgutil.iter_modules(weights.__path__) if module.name != SETTINGS)


def _format(kind: Any, where: str) -> Any:
    if kind not in kinds():
        raise UserError(f'{where} is "{kind}", and no format is.{nearest(str(kind), [OWN, *kinds()])}')
    return importlib.import_module(f"{weights.__name__}.{kind}")


def _theirs(entry: Entry, array: np.ndarray) -> np.ndarray:
    """Their array, of the one of ours that it is or is a part of."""
    return entry.form.theirs(np.take(array, entry.part.number, entry.part.axis) if entry.part else array)


def _of_class(name: Any) -> Any:
    """The format of a class in PyTorch; the name itself where there is none."""
    found = (kind for kind in kinds() if name in getattr(_format(kind, ""), "CLASSES", ()))
    return next(found, name)


def _current(format: Any, name: str) -> str:
    """The name that an array has in newer files."""
    for old, new in getattr(format, "RENAMED", {}).items():
        name = re.sub(old, new, name)
    return name


def _file(format: Any) -> str:
    return f"{getattr(format, 'FILE', 'model')}.safetensors"


def _arrays(folder: Path, file: str = ARRAYS) -> dict[str, np.ndarray]:
    """Name -> array of all safetensors of a folder, float32. Nothing else is read: a pickle could run anything."""
    from safetensors import SafetensorError, safe_open

    index = folder / f"{file}.index.json"
    parts = _json(index).get("weight_map") if index.is_file() else {"": file}
    if not isinstance(parts, dict):
        raise UserError(f'{index} has no "weight_map": which of the files has which array?')
    files = sorted({Path(str(file)).name for file in parts.values()})
    found: dict[str, np.ndarray] = {}
    for file in files:
        try:
            with safe_open(folder / file, framework="numpy") as arrays:
                found |= {name: arrays.get_tensor(name).astype(np.float32) for name in arrays.keys()}  # noqa: SIM118
        except FileNotFoundError as error:
            raise UserError(f"There is no {folder / file}: only weights in safetensors are read.") from error
        except (OSError, SafetensorError, TypeError) as error:
            raise UserError(f"{folder / file} cannot be read: {error}.") from error
    return found


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise UserError(f"There is no {path}: a folder of weights has one.") from error
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read: {error}.") from error
    if not isinstance(found, dict):
        raise UserError(f"{path} holds no object of JSON.")
    return found


def _nested(arrays: Mapping[str, np.ndarray]) -> Variables:
    return traverse_util.unflatten_dict(dict(arrays), sep="/")
