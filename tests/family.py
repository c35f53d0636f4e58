"""What one generative family can break: `make test FAMILY=gan`, or `pytest --family=gan`.

These are, by names alone, so that a new family is known as soon as its files are there:
- every test that has one of the family's configurations as a parameter, so the laws of `test_contract.py`;
- every test file that imports the family;
- `tests/<folder>/test_<module>.py` of its networks and codecs, and of each module of BELOW that these or the family
  import, directly or not;
- the tests with the mark `every_family`: they read the files of all families.
"""

import ast
import functools
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from support import CONFIGS, ROOT, load_config

PACKAGE = ROOT / "aigc_jax"
TESTS = ROOT / "tests"
BELOW = ("methods", "nn", "codecs", "ops", "learner")  # what families are made of


def families() -> list[str]:
    """The names that there are: of the modules of `aigc_jax.methods`."""
    return sorted(path.stem for path in (PACKAGE / "methods").glob("[!_]*.py"))


def mistake(name: str) -> str:
    """What is wrong with a family's name, in one line; "" = nothing."""
    if name in families():
        return ""
    close = get_close_matches(name, families(), n=1)
    hint = f' Did you mean "{close[0]}"?' if close else ""
    return f'There is no family "{name}".{hint} There are: {", ".join(families())}.'


class Selection:
    """The tests of one family."""

    def __init__(self, family: str):
        self.configs = {name for name, config in settings().items() if config["method"]["name"] == family}
        self.own = PACKAGE / "methods" / f"{family}.py"
        parts = {self.own}
        for config in (settings()[name] for name in self.configs):
            networks = [network["name"].partition(".")[0] for network in config["networks"].values()]
            parts |= {PACKAGE / "nn" / f"{network}.py" for network in networks if network}  # "" = another run's
            parts.add(PACKAGE / "codecs" / f"{config.get('codec', {}).get('name', 'identity')}.py")
        self.modules = reached(parts)
        self._files: dict[Path, bool] = {}

    def takes(self, item: Any) -> bool:
        """Whether a pytest item is one of these tests."""
        parameters = item.callspec.params.values() if hasattr(item, "callspec") else ()
        return (
            item.get_closest_marker("every_family") is not None
            or any(isinstance(value, str) and value in self.configs for value in parameters)
            or self._has(item.path)
        )

    def _has(self, path: Path) -> bool:
        if path not in self._files:
            mirrored = {TESTS / module.relative_to(PACKAGE).with_name(f"test_{module.name}") for module in self.modules}
            self._files[path] = path in mirrored or self.own in imported(path)
        return self._files[path]


def reached(modules: set[Path]) -> set[Path]:
    """These modules, and what they import of BELOW, directly or not."""
    found, new = set(modules), set(modules)
    while new:
        new = {module for path in new for module in imported(path) if _below(module)} - found
        found |= new
    return found


@functools.cache
def settings() -> dict[str, Any]:
    """All configurations by name."""
    return {name: load_config(name) for name in CONFIGS}


@functools.cache
def imported(path: Path) -> frozenset[Path]:
    """The modules of this package that a file imports."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        for name in names:
            file = ROOT / f"{name.replace('.', '/')}.py"
            if name.startswith("aigc_jax.") and file.is_file():
                found.add(file)
    return frozenset(found)


def _below(module: Path) -> bool:
    return module.relative_to(PACKAGE).parts[0].removesuffix(".py") in BELOW
