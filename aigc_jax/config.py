"""Configurations: how one is completed, checked and bound to the code that reads it.

A configuration file gives sections (`experiments.Experiment`), which the trunk below completes. Each section is the
keyword arguments of one function or network: what that signature does not name is refused, what it needs and does not
get is asked for, and every value is held against its annotation, which gives every number its range
(`aigc_jax.ranges`). So no key is read by nobody, and no default hides in the code.
"""

import ast
import difflib
import inspect
import json
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from functools import partial, reduce
from pathlib import Path
from typing import Annotated, Any, Literal

import ml_collections
from ml_collections.config_dict import placeholder

from aigc_jax.errors import ConfigError
from aigc_jax.ranges import NotEmpty, Range, Regular

LIMITS = (Range, NotEmpty, Regular)
BOOLEANS = ("true", "t", "1", "false", "f", "0")  # as absl reads them
REQUIRED = object()  # stands for a string that the command line has to give

TRUNK: dict[str, Any] = dict(
    seed=0,
    precision="float32",  # of the networks' arithmetic; weights, optimizer and loss stay float32
    train=dict(
        steps_per_call=1,  # optimizer steps compiled into one program: raise it where steps are short
        log_every=100,
        max_skipped=10,  # updates in a row that could not be taken: then it goes back and leaves their batches out
        spike=0.0,  # a gradient this many times larger than usual is no update; 0 = however large it is
    ),
    evaluate=dict(
        every=0,  # steps; 0 = only after the last one
        split="test",
        batch_size=256,
        batches=0,  # 0 = the whole split
        budget=60.0,  # seconds that training may wait for the measures of samples; 0 = any number
    ),
    evals={},  # by name: samples to draw and hold against the data (`train.run.Judging`)
    sample=dict(
        every=0,  # steps; 0 = only after the last one
        n=64,
        given="",  # what to sample from: a class, a prompt, "split:test", a .jsonl file; "" = anything
        seed=0,  # of the samples: another one gives others; the method's own settings stand here too
    ),
    checkpoint=dict(
        every=1000,  # steps
        minutes=0.0,  # and whenever so much time has passed since the last; 0 = by steps alone
        keep_last=3,  # at least 2: the one before is what a damaged one is replaced by
        keep_best=1,
        best="",  # the evaluation measure that decides which is best; "" = none
        best_is="lowest",
        keep_every=0,  # steps between checkpoints kept for good; 0 = none
    ),
    parallel=dict(
        data=-1,  # devices along each axis of the mesh; -1 = all that remain
        fsdp=1,
        tensor=1,
        compile="jit",  # "pmap": data parallel only
    ),
    tracking=dict(
        tensorboard=True,
        wandb="",  # the project's name there; "" = do not report
    ),
)

NETWORK: dict[str, Any] = dict(
    start="",  # where its weights come from: `aigc_jax.sources`; "" = random numbers
    fresh="",  # a pattern searched in the paths of weights: those begin with random numbers all the same; "" = none
)

OPTIMIZER: dict[str, Any] = dict(
    name="adam",
    learning_rate=1e-3,
    schedule="constant",
    warmup_steps=0,
    reference_steps=1,  # of the schedule inverse_sqrt: up to there the rate is constant
    b1=0.9,
    b2=0.999,
    eps=1e-8,
    weight_decay=0.0,  # of matrices only
    clip_norm=0.0,  # 0 = do not clip
    unit_norm="",  # a pattern searched in the paths of weights: those have a mean square of 1 after each update
    ema_decay=0.0,  # of the average to sample with; 0 = none
    ema_warmup=False,
    ema_width=0.0,  # of the average to sample with, in place of ema_decay: docs/averages.md
    ema_widths=(),  # of further averages, kept with every checkpoint
    accumulate=1,
    trainable="",  # a pattern searched in the paths of weights: those move; "" = all
)

TINY: dict[str, Any] = {  # what every tiny twin has, unless it says otherwise
    "data.batch_size": 8,
    "train.steps": 4,
    "train.steps_per_call": 1,
    "train.log_every": 2,
    "checkpoint.every": 2,
    "evaluate.every": 2,
    "evaluate.batch_size": 8,
    "evaluate.batches": 1,
    "sample.every": 0,
    "sample.n": 8,
}

SECTIONS = ("data", "codec", "encoders", "networks", "optimizers", "method", "frozen", "adapters")
OPTIONAL = ("codec", "encoders", "frozen", "adapters")
OPEN = ("sample", "evals")  # sections of TRUNK with further keys: the method's, and evaluations' names


def merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of `base` with `changes` over them, as new dictionaries.

    Keys may be dotted. A section changes the keys that it gives; one with a `name` takes the whole place of the
    section that was there, for the name chooses who reads the keys.
    """
    settings = {key: merged({}, value) if isinstance(value, Mapping) else value for key, value in base.items()}
    for key, given in changes.items():
        first, dot, rest = key.partition(".")
        value = {rest: given} if dot else given
        if isinstance(value, Mapping):
            before = settings.get(first, {})
            if dot and not isinstance(before, Mapping):
                raise ConfigError(f'There is no configuration key "{key}": "{first}" is no section.')
            kept = isinstance(before, Mapping) and (dot or "name" not in value)
            value = merged(before if kept else {}, value)
        settings[first] = value
    return settings


def has(settings: Mapping[str, Any], key: str) -> bool:
    """Whether the settings have a dotted key, or a section."""
    first, dot, rest = key.partition(".")
    if not dot or first not in settings:
        return key in settings
    return isinstance(settings[first], Mapping) and has(settings[first], rest)


def without(settings: Mapping[str, Any], keys: Iterable[str]) -> dict[str, Any]:
    """The settings less some dotted keys or sections. Raises ConfigError for one that is not there."""
    settings = merged({}, settings)
    for key in keys:
        if not has(settings, key):
            raise ConfigError(f'There is no configuration key "{key}" to leave out.{nearest(key, leaves(settings))}')
        *sections, leaf = key.split(".")
        del reduce(dict.__getitem__, sections, settings)[leaf]
    return settings


def completed(full: Mapping[str, Any]) -> dict[str, Any]:
    """The settings over the defaults of trunk, networks and optimizers.

    Raises ConfigError for a key that the trunk lacks.
    """
    known = leaves(TRUNK)
    for section, value in full.items():
        if section in SECTIONS:
            continue
        if section not in TRUNK:
            raise ConfigError(f'There is no configuration key "{section}".{nearest(section, (*TRUNK, *SECTIONS))}')
        for key in leaves({section: value}):
            if key not in known and key != "train.steps" and section not in OPEN:
                raise ConfigError(f'There is no configuration key "{key}".{nearest(key, (*known, "train.steps"))}')
    settings = merged(TRUNK, full)
    for section, defaults in (("networks", NETWORK), ("optimizers", OPTIMIZER)):
        settings[section] = {name: {**defaults, **given} for name, given in full.get(section, {}).items()}
    return settings


def resolved(full: Mapping[str, Any], tiny: Mapping[str, Any], size: str = "full") -> ml_collections.ConfigDict:
    """The configuration of an experiment: `full`, or with size "tiny" its twin for tests.

    full: the sections data, networks, optimizers, method and, where there are any, codec and frozen; and what differs
    from TRUNK.
    tiny: dotted key -> value, what is smaller in the twin besides TINY.
    """
    if size not in ("full", "tiny"):
        raise ConfigError(f'There is no size "{size}": use "full" (the default) or ":tiny" after the file\'s name.')
    if missing := [section for section in SECTIONS if section not in (*OPTIONAL, *full)]:
        raise ConfigError(f"The configuration lacks the section {missing[0]}: it may be a part to start another from.")
    settings = completed(full)
    if size == "tiny":
        for key in tiny:
            if not has(settings, key):
                raise ConfigError(f'The tiny twin sets "{key}", which the full configuration does not have.')
        settings = merged(settings, {**TINY, **tiny})
    return ml_collections.ConfigDict(_placeholders(settings), convert_dict=True).lock()


def _placeholders(tree: Any) -> Any:
    if isinstance(tree, Mapping):
        return {k: _placeholders(v) for k, v in tree.items()}
    return placeholder(str) if tree is REQUIRED else tree


def nearest(word: str, known: Iterable[str]) -> str:
    """' Did you mean "…"?', or what there is."""
    known = sorted(known)
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    return f' Did you mean "{close[0]}"?' if close else f" Known: {', '.join(known) or 'none'}."


def leaves(tree: Mapping[str, Any], where: str = "") -> dict[str, Any]:
    """Dotted key -> value."""
    found: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, (Mapping, ml_collections.ConfigDict)):
            found |= leaves(value, f"{where}{key}.")
        else:
            found[f"{where}{key}"] = value
    return found


def bind(function: Callable, section: Mapping[str, Any], where: str, facts: Mapping[str, Any] | None = None) -> dict:
    """The keyword arguments that `section` gives to `function`, checked against its signature.

    where: the section's dotted name, for messages. The key "name" chose the function and is
    passed over unless the function takes it. facts: what the data set knows (shape, vocabulary, ...): they fill
    parameters of their names that the section does not give and that have no default.
    Positional-only parameters are the caller's to give.
    """
    hints, parameters = annotations(function), settable_parameters(function)
    given = {key: value for key, value in section.items() if key != "name"}
    settable = [name for name in parameters if name not in (facts or ())]
    arguments = {}
    for key, value in given.items():
        if key not in parameters:
            raise ConfigError(f'Nothing reads the configuration key "{where}.{key}".{nearest(key, settable)}')
        arguments[key] = check(value, hints.get(key, Any), f"{where}.{key}")
    for name, parameter in parameters.items():
        if name in arguments or parameter.default is not inspect.Parameter.empty:
            continue
        if facts is not None and name in facts:
            arguments[name] = facts[name]
        else:
            raise ConfigError(
                f'The configuration lacks "{where}.{name}" ({_named(hints.get(name, Any))}): give it with '
                f"--config.{where}.{name}=…, or add it to the file."
            )
    return arguments


def settable_parameters(function: Callable) -> dict[str, inspect.Parameter]:
    """What a section may give: all but what is positional-only, and linen's own fields."""
    return {
        name: parameter
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.kind is not inspect.Parameter.POSITIONAL_ONLY and name not in ("parent", "name")
    }


def annotations(function: Callable) -> dict[str, Any]:
    """Parameter -> its annotation, with ranges; of a class, of its fields."""
    function = function.func if isinstance(function, partial) else function
    hints = typing.get_type_hints(function, include_extras=True)
    if inspect.isclass(function):
        hints |= typing.get_type_hints(function.__init__, include_extras=True)
    return hints


def check(value: Any, kind: Any, where: str) -> Any:
    """`value` as `kind`, or a ConfigError that names the key, what it holds and what it may hold."""
    wrong = ConfigError(f'"{where}" has to be {_named(kind)}, and is {value!r}: set it with --config.{where}=…')
    if kind is Any:
        return value
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is Annotated:
        value = check(value, arguments[0], where)
        if any(value not in extra for extra in arguments[1:] if isinstance(extra, LIMITS)):
            raise wrong
        return value
    if origin is Literal:
        if value not in arguments:
            raise wrong
        return value
    if origin in (typing.Union, types.UnionType):
        for choice in arguments:
            try:
                return check(value, choice, where)
            except ConfigError:
                continue
        raise wrong
    if kind is type(None):
        if value is not None:
            raise wrong
        return value
    if value is None:
        raise ConfigError(f'"{where}" is required: give it with --config.{where}=…')
    if origin in (tuple, list, typing.Sequence) or (origin is not None and issubclass(origin, tuple)):
        if not isinstance(value, (tuple, list)):
            raise wrong
        repeated = len(arguments) == 2 and arguments[1] is Ellipsis
        if not repeated and len(arguments) != len(value):
            raise wrong
        kinds = [arguments[0]] * len(value) if repeated else arguments
        try:
            return tuple(check(v, k, where) for v, k in zip(value, kinds, strict=True))
        except ConfigError:
            raise wrong from None
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:
            raise wrong from None
    if isinstance(kind, type) and (not isinstance(value, kind) or (kind is int and isinstance(value, bool))):
        raise wrong
    return value


def _named(kind: Any) -> str:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is Annotated:
        return ", ".join([_named(arguments[0]), *(str(extra) for extra in arguments[1:] if isinstance(extra, LIMITS))])
    if origin is Literal:
        return "one of " + ", ".join(map(repr, arguments))
    if origin is tuple:
        inner = f"{_named(arguments[0])}, …" if arguments[-1] is Ellipsis else ", ".join(map(_named, arguments))
        return f"a tuple ({inner})"
    return {int: "an int", float: "a float", bool: "true or false", str: "a string"}.get(kind, str(kind))


def literal(text: str) -> Any:
    """The value that a command line's text stands for; the text itself where it is no literal of Python."""
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def check_overrides(config: Mapping[str, Any], arguments: Iterable[str]) -> None:
    """Refuses a command line's --config.a.b=… that names no key of the configuration, or gives it another type."""
    known = leaves(config)
    for argument in arguments:
        if not argument.startswith(("--config.", "-config.", "--noconfig.")):
            continue
        name, _, value = argument.split("config.", 1)[1].partition("=")
        key = name.split("[", 1)[0]
        if key not in known:
            if any(other.startswith(f"{key}.") for other in known):
                raise ConfigError(f'"{key}" is a section: set one of its keys, as --config.{key}.…=…')
            raise ConfigError(f'There is no configuration key "{key}".{nearest(key, known)}')
        kind = type(known[key])
        if kind is bool and value and value.lower() not in BOOLEANS:
            raise ConfigError(f'"{key}" has to be True or False, and is "{value}".')
        if kind in (int, float) and value:
            try:
                kind(value)
            except ValueError:
                raise ConfigError(f'"{key}" has to be {_named(kind)}, as {known[key]} is, and is "{value}".') from None


def to_json(config: Mapping[str, Any]) -> str:
    """The resolved configuration as sorted, indented JSON."""
    plain = config.to_dict() if isinstance(config, ml_collections.ConfigDict) else dict(config)
    return json.dumps(plain, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def compare(path: Path, config: Mapping[str, Any]) -> list[str]:
    """Dotted keys whose values differ between the JSON at `path` and `config`. What is absent there has its default."""
    before, now = leaves(json.loads(path.read_text("utf-8"))), leaves(json.loads(to_json(config)))
    return sorted(key for key in before.keys() | now.keys() if before.get(key, _default(key)) != now.get(key))


def _default(key: str) -> Any:
    """Of a dotted key, as JSON has it; None where it has none."""
    section, leaf = key.partition(".")[0], key.rpartition(".")[2]
    named = {"networks": NETWORK, "optimizers": OPTIMIZER}
    found = named[section].get(leaf) if section in named else leaves(TRUNK).get(key)
    return list(found) if isinstance(found, tuple) else found
