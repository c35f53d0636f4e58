"""Extractors by name: networks of this folder, and classifiers that were trained here."""

import importlib
import pkgutil
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from aigc_jax.config import nearest
from aigc_jax.errors import ConfigError
from aigc_jax.metrics import features
from aigc_jax.metrics.features import published, small
from aigc_jax.metrics.features.extractor import Extractor

SHIPPED = Path(__file__).parent / "weights"


def names() -> list[str]:
    """Every extractor there is: networks of this package's folder, and classifiers whose weights lie beside them."""
    networks = (name for name, module in _modules().items() if name in getattr(module, "SOURCES", {}))
    return sorted([*networks, *(path.stem for path in SHIPPED.glob("*.safetensors"))])


def fitting(shape: Sequence[int]) -> list[str]:
    """Extractors that take images of this shape [H, W, C]: networks that are not part of this package take any."""
    shipped = {path.stem: path for path in SHIPPED.glob("*.safetensors")}
    return [name for name in names() if name not in shipped or small.load(shipped[name]).shape == tuple(shape)]


def sources() -> dict[str, Sequence[published.PublishedFile]]:
    """network -> the published files of its weights, where those are not part of this package."""
    return {name: files for module in _modules().values() for name, files in getattr(module, "SOURCES", {}).items()}


def _modules() -> dict[str, ModuleType]:
    there = (module.name for module in pkgutil.iter_modules(features.__path__))
    return {name: importlib.import_module(f"{features.__name__}.{name}") for name in there}


def extractor(name: str, weights: Path | None) -> Extractor:
    """The extractor of this name. weights: the folder of weight files that are not part of this package; None = none.

    Raises ConfigError for a name that there is not, and UserError where its weights are missing or damaged.
    """
    if name not in names():
        raise ConfigError(f'There is no extractor "{name}".{nearest(name, names())}')
    if (shipped := SHIPPED / f"{name}.safetensors").is_file():
        return small.load(shipped)
    return importlib.import_module(f"{features.__name__}.{name}").load(published.place(weights, name))
