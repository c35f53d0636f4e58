"""How configurations are written and where they come from: this package, a file, or a finished run; and what a
command line changes in them.

A configuration file gives `get_config = Experiment(...)`.
"""

import json
import runpy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from absl import flags
from ml_collections import ConfigDict, config_flags

from aigc_jax.config import (
    OPEN,
    REQUIRED,
    SECTIONS,
    check,
    check_overrides,
    completed,
    has,
    leaves,
    literal,
    merged,
    nearest,
    resolved,
    without,
)
from aigc_jax.errors import ConfigError, UserError, other_version
from aigc_jax.places import expanded

FOLDER = "configs"
NAMED = ("evals", "frozen", "encoders", "adapters")  # sections of sections: a command line may begin another one
ALIKE = 0.75  # of two keys, from which one is taken for a misspelling of the other
SLIP = 2  # letters that it has besides, at most


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """The settings of an experiment, or of a part of one. Called with a size it returns the configuration.

    start: what it starts from: configurations or parts, by the names or paths that `--config` takes. Where several
    are given, later ones change what earlier ones say.
    without: dotted keys or sections of these that it leaves out.
    full: what it has of its own, or changes: sections, or dotted keys. A section with a `name` takes the whole place
    of the one that was there.
    tiny: dotted key -> value, what is smaller in its twin for tests, besides what TINY and the twins of `start` say.
    """

    start: str | Sequence[str] = ()
    without: Sequence[str] = ()
    full: Mapping[str, Any]
    tiny: Mapping[str, Any] = field(default_factory=dict)

    def __call__(self, size: str = "full") -> ConfigDict:
        """The configuration, "full" or "tiny". Raises ConfigError for a key that there is not."""
        return resolved(*self.settings(), size)

    def settings(self, within: tuple[str, ...] = ()) -> tuple[dict[str, Any], dict[str, Any]]:
        """(full, tiny) with those of `start`. within: the names of those that started from this one."""
        full: dict[str, Any] = {}
        tiny: dict[str, Any] = {}
        for name in (self.start,) if isinstance(self.start, str) else self.start:
            if name in within:
                raise ConfigError(f'The configuration "{name}" starts from itself: {" -> ".join([*within, name])}.')
            other = _get_config(name)
            if not isinstance(other, Experiment):
                raise ConfigError(f'"{name}" is nothing to start from: its get_config is no Experiment.')
            other_full, other_tiny = other.settings((*within, name))
            full, tiny = merged(full, other_full), tiny | other_tiny
        full = merged(without(full, self.without), self.full)
        there = completed(full)
        left_out = tuple(f"{key}." for key in self.without)
        kept = {key: value for key, value in tiny.items() if has(there, key) and not f"{key}.".startswith(left_out)}
        return full, {**kept, **self.tiny}


def shipped() -> dict[str, Path]:
    """The configurations that come with this package, by name."""
    return {name: path for name, path in _files().items() if "/" not in name}


def _files() -> dict[str, Path]:
    """As `shipped`, with the parts that they start from, whose names have a folder."""
    here = Path(__file__).parent
    folders = (here / FOLDER, here.parent / FOLDER)  # of an installed package, and of a checkout
    folder = next(filter(Path.is_dir, folders), folders[-1])
    return {path.relative_to(folder).with_suffix("").as_posix(): path for path in sorted(folder.rglob("[!_]*.py"))}


def load(name: str) -> ConfigDict:
    """The configuration that `--config` names: one of `shipped`, or a file's path; ":tiny" after it gives its twin.

    Raises ConfigError where there is no such configuration, or its file cannot be run.
    """
    path, _, size = name.partition(":")
    get_config = _get_config(path)
    return _of_file(path, lambda: get_config(*[size] if size else []))


def _get_config(name: str) -> Callable[..., ConfigDict]:
    """What the file of that name or path defines."""
    file = _files().get(name) or (expanded(name) if "/" in name or name.endswith(".py") else Path(name))
    if not file.is_file():
        raise ConfigError(_missing(name, file))
    get_config = _of_file(name, lambda: runpy.run_path(str(file)).get("get_config"))
    if get_config is None:
        raise ConfigError(f"{name} defines no get_config(size): docs/configs.md says how one is written.")
    return get_config


def _of_file(name: str, call: Callable[[], Any]) -> Any:
    try:
        return call()
    except UserError:
        raise
    except Exception as error:  # whatever the file's own code raises
        raise ConfigError(
            f"{name} cannot be used as a configuration ({type(error).__name__}: {error}): mend it."
        ) from error


def _missing(path: str, file: Path) -> str:
    if file.is_dir():
        return f'"{path}" is a folder, and neither a configuration nor a run: give --config a name or a file.'
    beside = [str(other) for other in file.parent.glob("*.py") if _configures(other)] if file.parent.is_dir() else []
    names = {f"{name}.py" if path.endswith(".py") else name: name for name in _files()}
    if close := get_close_matches(path, [*beside, *names], n=1, cutoff=0.5):
        return f'There is no configuration "{path}". Did you mean "{names.get(close[0], close[0])}"?'
    return f'There is no configuration "{path}": "aigc_jax configs" lists those that come with this package.'


def _configures(path: Path) -> bool:
    try:
        return "get_config" in path.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return False


def recorded(path: Path) -> ConfigDict:
    """The configuration of a run, from the JSON file in its folder. Keys that are newer than it have their defaults.

    Raises UserError where it has keys that there are no more, and ConfigError where it cannot be read.
    """
    try:
        settings = json.loads(path.read_text("utf-8"))
        return resolved(_thawed(settings), {})
    except ConfigError as error:
        raise other_version(path.parent, str(error).removesuffix(".")) from error
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ConfigError(f"{path} cannot be read ({error!r}): give --config beside --workdir.") from error


def _thawed(value: Any) -> Any:
    """A value as a configuration file has it, from its JSON."""
    if isinstance(value, dict):
        return {key: _thawed(each) for key, each in value.items()}
    return tuple(map(_thawed, value)) if isinstance(value, list) else REQUIRED if value is None else value


def updated(config: ConfigDict, settings: Mapping[str, Any]) -> ConfigDict:
    """The configuration with other values of some of its keys. settings: dotted key -> value.

    A key that it lacks may be given as on a command line. Raises ConfigError for any other, or a value of another type.
    """
    for key, value in settings.items():
        _add_lacking(config, key, value)
        known = leaves(config)
        if key not in known:
            raise ConfigError(f'There is no configuration key "{key}".{nearest(key, known)}')
        kind = Any if known[key] is None else type(known[key])
        config.update_from_flattened_dict({key: check(tuple(value) if kind is tuple else value, kind, key)})
    return config


def changed(config: ConfigDict, arguments: Sequence[str]) -> ConfigDict:
    """The configuration with a command line's --config.a.b=… applied.

    arguments: the program's name, and these flags alone. A key that the configuration lacks may be given where the
    reader of its section names it: that refuses any other. Raises ConfigError for a wrong key, type or flag.
    """
    for argument in arguments:
        name, equals, text = argument.lstrip("-").partition("=")
        if equals and name.startswith("config."):
            _add_lacking(config, name.removeprefix("config."), literal(text))
    check_overrides(config, arguments)
    values = flags.FlagValues()
    values.set_gnu_getopt(True)
    try:
        config_flags.DEFINE_config_dict("config", config, flag_values=values, sys_argv=list(arguments))
        rest = values(list(arguments))
    except flags.UnrecognizedFlagError as error:
        raise ConfigError(f'There is no flag "--{error.flagname}": --help lists those that there are.') from error
    except (flags.Error, TypeError, ValueError, KeyError, AttributeError) as error:
        raise ConfigError(f"{error}".strip().split("\n")[0] or type(error).__name__) from error
    if rest[1:]:
        raise ConfigError(f'"{rest[1]}" is no flag: write --name=value.')
    return values.config


def _add_lacking(config: ConfigDict, key: str, value: Any) -> None:
    """Adds a key that the configuration lacks to a section that is open, or begins another one of `NAMED`."""
    known = leaves(config)
    section, _, leaf = key.rpartition(".")
    first, *rest = section.split(".")
    beside = [other.removeprefix(f"{section}.") for other in known if other.startswith(f"{section}.")]
    if key in known or first not in (*SECTIONS, *OPEN) or any(other.startswith(f"{leaf}.") for other in beside):
        return
    begun = len(rest) == 1 and first in NAMED and not beside
    asked, others = (rest[0], [*config.get(first, {})]) if begun else (leaf, beside)
    alike = get_close_matches(asked, others, n=len(others) or 1, cutoff=ALIKE)
    if not (begun or beside) or any(_slip(asked, other) for other in alike):
        return
    place = config
    with config.unlocked():
        for part in (first, *rest):
            place[part] = place.get(part) or ConfigDict()
            place = place[part]
        place[leaf] = value


def _slip(asked: str, other: str) -> bool:
    """Whether one key may be the other, misspelled: `augmentation_target` beside `augmentation` is another key."""
    short, long = sorted((asked, other), key=len)
    return not (short in long and len(long) > len(short) + SLIP)
