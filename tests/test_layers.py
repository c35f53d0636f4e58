"""The house's order, held by reading the imports: arrows point downward, families stay apart."""

import ast
import graphlib
from pathlib import Path

import pytest

pytestmark = pytest.mark.every_family

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "aigc_jax"
LONGEST = 400  # lines of a file that a person reads in one sitting

# What each room may import of the project, besides itself.
MAY_IMPORT = {
    "errors": set(),
    "ranges": set(),
    "consoles": set(),
    "config": {"errors"},
    "method": set(),
    "ops": {"errors"},
    "learner": {"method", "ops", "errors"},
    "nn": {"ops", "errors"},
    "format": {"errors"},
    "weights": {"format", "errors", "ops"},
    "published": {"format", "weights", "config", "errors"},
    "ctranslate2": {"weights", "errors"},
    "adapters": {"learner", "method", "ops", "errors"},
    "methods": {"method", "learner", "ops", "errors"},
    "codecs": {"method", "ops", "errors"},
    "encoders": {"method"},
    "data": {"method", "ops", "consoles", "places", "config", "errors"},
    "places": {"errors"},
    "metrics": {"nn", "ops", "config", "errors"},
    "plot": {"metrics"},
    "train": {"plot", "method", "ops", "data", "metrics", "consoles", "places", "config", "errors"},
    "evaluate": {
        *("method", "data", "metrics", "train", "published", "weights", "lookup"),
        *("places", "ops", "config", "errors"),
    },
    "preference": {"data", "metrics", "train", "errors"},
    "commands": {
        *("evaluate", "preference", "build", "sources", "published", "lookup", "ctranslate2"),
        *("data", "metrics", "train"),
        *("library", "editing", "latent_space", "method", "ops", "plot", "experiments", "places", "config", "errors"),
    },
    "lookup": {"nn", "config", "errors"},
    "sources": {
        *("lookup", "published", "adapters", "learner", "method"),
        *("train", "data", "metrics", "places", "config", "errors"),
    },
    "build": {
        *("sources", "lookup", "codecs", "encoders", "methods", "data", "train", "evaluate"),
        *("learner", "method", "ops", "places", "config", "errors"),
    },
    "experiments": {"places", "config", "errors"},
    "command": {"experiments", "consoles", "places", "config", "errors"},
    "modes": {"build", "sources", "train", "evaluate", "data", "command", "errors"},
    "console": {"places", "config", "errors"},  # the rest by name, when it is asked for
    "__main__": {"console", "consoles", "command", "commands", "data", "config", "errors"},
    "library": {"editing", "build", "train", "data", "experiments", "method", "errors"},
    "latent_space": {"method", "ops", "data", "train", "errors"},
    "editing": {"build", "latent_space", "method", "ops", "data", "train", "errors"},
    "__init__": {"library"},  # when it is asked for
}
FILES = sorted(PACKAGE.rglob("*.py"))


def room(path: Path) -> str:
    parts = path.relative_to(PACKAGE).parts
    return "__main__" if parts[-1] == "__main__.py" else parts[0].removesuffix(".py")  # a command line stands on top


def imports(path: Path) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            found += [f"{node.module}.{alias.name}" for alias in node.names]
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_arrows_point_downward(path):
    here = room(path)
    allowed = MAY_IMPORT[here] | {here, "__init__", "ranges"}  # ranges imports nothing
    for name in imports(path):
        if name.startswith("aigc_jax."):
            there = name.split(".")[1]
            assert there in allowed or there == "__version__", f"{path.name} imports {name}"


@pytest.mark.parametrize("path", sorted((PACKAGE / "methods").glob("*.py")), ids=lambda p: p.name)
def test_families_stay_apart(path):
    for name in imports(path):
        assert not name.startswith("aigc_jax.methods"), f"{path.name} imports {name}"


def test_no_files_import_each_other_in_a_circle():
    """The package itself is left out: its __init__ imports when it is asked for something."""
    files = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
        for path in [*FILES, *(ROOT / "benchmarks").rglob("*.py")]
    }
    graph = {}
    for name, path in files.items():
        found = {each if each in files else each.rpartition(".")[0] for each in imports(path)}
        graph[name] = (found & set(files)) - {name, PACKAGE.name}
    list(graphlib.TopologicalSorter(graph).static_order())  # raises CycleError


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_no_private_modules_of_others(path):
    assert not [name for name in imports(path) if "._src" in name]


def test_trainer_names_no_family():
    families = {path.stem for path in (PACKAGE / "methods").glob("*.py")} - {"__init__"}
    for path in [*(PACKAGE / "train").glob("*.py"), PACKAGE / "build.py", PACKAGE / "command.py", PACKAGE / "modes.py"]:
        names = {node.id for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Name)}
        strings = {
            node.value
            for node in ast.walk(ast.parse(path.read_text("utf-8")))
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
        }
        assert not families & (names | strings), path.name


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_a_file_is_read_in_one_sitting(path):
    assert len(path.read_text("utf-8").splitlines()) <= LONGEST
    assert ast.get_docstring(ast.parse(path.read_text("utf-8"))), "a file begins by saying what it is"


def test_nothing_is_unpickled_or_evaluated():
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                assert called not in {"eval", "exec", "pickle.load", "pickle.loads", "yaml.load"}, path.name
                assert not any(k.arg == "allow_pickle" and ast.unparse(k.value) == "True" for k in node.keywords)
