"""Finds a data set by name and loads it."""

import importlib
import os
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from aigc_jax.config import bind, nearest
from aigc_jax.data import sets
from aigc_jax.data.dataset import DataSet
from aigc_jax.data.files import printable
from aigc_jax.errors import ConfigError
from aigc_jax.places import expanded


def names() -> list[str]:
    """The data sets that `load` knows: the modules of `aigc_jax.data.sets`."""
    return sorted(module.name for module in pkgutil.iter_modules(sets.__path__))


def loader(name: str) -> Callable[..., DataSet]:
    """The function `load` of a data set's module."""
    if name not in names():
        raise ConfigError(f'There is no data set "{name}" (key "data.name").{nearest(name, names())}')
    return importlib.import_module(f"{sets.__name__}.{name}").load


def default_data_dir() -> Path:
    """Where prepared data sets are kept: TFDS's own choice. Raises ConfigError where there is no home folder."""
    told = os.environ.get("TFDS_DATA_DIR")
    try:
        return expanded(told) if told else Path.home() / "tensorflow_datasets"
    except RuntimeError as error:
        raise ConfigError(
            "Where are data sets kept? This user has no home folder: give --data_dir=FOLDER, or set TFDS_DATA_DIR."
        ) from error


def load(section: Mapping[str, Any], data_dir: Path | None) -> DataSet:
    """The data set of a configuration's section `data`, prepared first where that was not done yet.

    section: "name" and the keyword arguments of that data set; with "target", another field than its own is the one
    that is generated. data_dir: None = `default_data_dir()`.
    Raises ConfigError for a wrong section, UserError for files that are missing or damaged.
    """
    if "name" not in section:
        raise ConfigError(f'The configuration lacks "data.name": one of {", ".join(names())}.')
    function = loader(section["name"])
    if not str(section.get("path", "none")).strip():  # which would be the current folder
        raise ConfigError('"data.path" is empty: is the variable set that it is taken from?')
    folder = default_data_dir() if data_dir is None else expanded(data_dir)
    if printable(folder) != str(folder):  # TFDS cannot write there
        raise ConfigError(
            f"The folder {printable(folder)} is no UTF-8, which prepared data needs: give another --data_dir."
        )
    own = {key: value for key, value in section.items() if key != "target"}
    data = function(**bind(function, own, "data", facts={"data_dir": folder}))
    target = section.get("target", data.target)
    if target not in data.fields:
        raise ConfigError(f'data.target: {data.name} has no field "{target}".{nearest(str(target), data.fields)}')
    return replace(data, target=target)
