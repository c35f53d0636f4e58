"""New files, such as the documents print, where the package finds them beside its own: no old file is touched."""

import importlib
import importlib.util
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jax
import pytest
from support import PRINTED_FILE, ROOT

from aigc_jax import experiments
from aigc_jax.build import build
from aigc_jax.method import State
from aigc_jax.train import loop
from aigc_jax.train.run import Run
from aigc_jax.train.trained import restore
from aigc_jax.train.workdir import Workdir


@contextmanager
def standing(folder: Path) -> Iterator[Callable[[str, str], Path]]:
    """A function: path in the checkout, code -> the file, written below `folder`. Afterwards the package forgets it."""
    before, shipped = set(sys.modules), experiments._files
    configs = folder / "configs"

    def known() -> dict[str, Path]:
        found = {path.relative_to(configs).with_suffix("").as_posix(): path for path in configs.rglob("*.py")}
        return {**shipped(), **found}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(experiments, "_files", known)

        def write(name: str, code: str) -> Path:
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(code, "utf-8")
            if name.startswith("aigc_jax/"):
                package = importlib.import_module(".".join(Path(name).parent.parts))
                if str(path.parent) not in package.__path__:
                    patch.setattr(package, "__path__", [*package.__path__, str(path.parent)])
            importlib.invalidate_caches()
            return path

        yield write
    for name in set(sys.modules) - before:
        parent, _, child = name.rpartition(".")
        if str(folder) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]
            vars(sys.modules[parent]).pop(child, None) if parent in sys.modules else None


def trained_in(folder: Path, config: dict[str, Any]) -> tuple[Run, State]:
    """(a run of a configuration, trained on one device to its end in `folder`/run, its weights)."""
    run, workdir = build(config, devices=jax.devices()[:1]), Workdir(folder / "run")
    loop.train(run, workdir, time.time())
    return run, restore(run, workdir)


@contextmanager
def printing(folder: Path) -> Iterator[Callable[[str], dict[str, Path]]]:
    """A function: page -> path as printed -> the file, as `standing` writes it."""
    with standing(folder) as write:

        def of(page: str) -> dict[str, Path]:
            files = {}
            for block in PRINTED_FILE.finditer((ROOT / page).read_text("utf-8")):
                followed = ROOT / block["path"]  # by who wrote the page's files into the checkout, as it asks for
                if followed.exists():
                    assert followed.read_text("utf-8") == block["code"], f"{block['path']} differs from {page}"
                files[block["path"]] = write(block["path"], block["code"])
            return files

        yield of


def load_file(path: Path) -> Any:
    """A file as a module."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
