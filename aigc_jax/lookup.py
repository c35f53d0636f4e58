"""What configurations name, found in the package: its modules, and the networks in them."""

import dataclasses
import importlib
import pkgutil
from collections.abc import Callable, Mapping
from typing import Any

from flax import linen

from aigc_jax import nn
from aigc_jax.config import bind, check, nearest
from aigc_jax.errors import ConfigError


def module(package: Any, name: str, where: str) -> Any:
    """The file `name` of a package. where: the key that names it. Raises ConfigError."""
    known = [module.name for module in pkgutil.iter_modules(package.__path__)]
    if name not in known:
        raise ConfigError(f'{where}: there is no "{name}".{nearest(name, known)}')
    return importlib.import_module(f"{package.__name__}.{name}")


def network(section: Mapping[str, Any], where: str, dtype: Any, facts: Mapping[str, Any]) -> linen.Module:
    """The network that a section describes: its class under "name", and its fields.

    facts: see `config.bind`; they fill the fields too that the class names under FILLED, where the section has 0.
    """
    kind = _class(check(section.get("name"), str, f"{where}.name"), f"{where}.name")
    filled = {name: facts[name] for name in getattr(kind, "FILLED", ()) if name in facts and not section.get(name)}
    return kind(**bind(kind, {**section, **filled}, where, facts), dtype=dtype)


def described(module: linen.Module) -> dict[str, Any]:
    """What a network was built from: its class, as `networks.*.name` has it, and its fields."""
    file, kind = type(module).__module__.rpartition(".")[2], type(module).__name__
    fields = [field.name for field in dataclasses.fields(module) if field.name not in ("parent", "name", "dtype")]
    return {"name": f"{file}.{kind}", **{field: getattr(module, field) for field in fields}}


def rules(module: linen.Module) -> Any:
    """What the network splits over the mesh's tensor axis."""
    return getattr(module, "TENSOR_RULES", ())


def _class(name: str, where: str) -> Callable[..., Any]:
    file, _, class_name = name.partition(".")
    found = module(nn, file, where)
    classes = [
        key for key, value in vars(found).items() if isinstance(value, type) and value.__module__ == found.__name__
    ]
    if class_name not in classes:
        raise ConfigError(f'{where}: {file} has no network "{class_name}".{nearest(class_name, classes)}')
    return getattr(found, class_name)
