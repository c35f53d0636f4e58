"""The contract of a format in which networks are published: config.json and safetensors, as Hugging Face writes them.

A format is a file of `aigc_jax/weights/` with the name that `model_type` of config.json has (`schedulers.py` reads
settings of sampling). Hugging Face's diffusers writes the class, as `_class_name`, and gives the file of arrays another
name. The parts of a format:

    NETWORK            our network that computes the same, as `networks.<network>.name` has it
    PREFIX             of names in a file, which may be missing from all of them
    BUFFERS            a pattern of names that nothing has to read
    fields(config)     config.json -> our network's fields
    config(fields)     our network's fields -> config.json
    table(fields)      an `Entry` for each array; several of theirs may be one of ours: parts of it, or else equal
    CLASSES            the names that `_class_name` may have, of which there are none where `model_type` is written
    FILE               the file of arrays, without ".safetensors", where it is not "model"
    completed(fields, arrays)   our fields with what our arrays tell besides, before they are written; may be missing
    RENAMED            patterns of names in older files -> what `re.sub` makes of them; may be missing
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from aigc_jax.errors import ConfigError


class Form(NamedTuple):
    """An array in our form and in theirs."""

    ours: Callable[[np.ndarray], np.ndarray]
    theirs: Callable[[np.ndarray], np.ndarray]


SAME = Form(lambda x: x, lambda x: x)
NOTHING = ""  # the name of an array that theirs lacks
TRANSPOSED = Form(np.transpose, np.transpose)


def zeros(*shape: int) -> Form:
    """An array of ours that theirs lack, and that changes nothing: see `NOTHING`."""
    return Form(lambda x: np.zeros(shape, np.float32), lambda x: x)


def reshaped(ours: tuple[int, ...], theirs: tuple[int, ...]) -> Form:
    """The same numbers in the same order, in two shapes."""
    return Form(lambda x: x.reshape(ours), lambda x: x.reshape(theirs))


def by_heads(heads: int, each: int) -> Form:
    """A kernel [width, heads, d], and theirs [heads d, width]."""

    def ours(x: np.ndarray) -> np.ndarray:
        return x.T.reshape(-1, heads, each)

    def theirs(x: np.ndarray) -> np.ndarray:
        return x.reshape(len(x), heads * each).T

    return Form(ours, theirs)


def of_heads(heads: int, each: int) -> Form:
    """A bias [heads, d], and theirs [heads d]."""
    return Form(lambda x: x.reshape(heads, each), lambda x: x.reshape(-1))


class Part(NamedTuple):
    """Where one of their arrays lies in one of ours that several make: a layer of keys and values is one of ours."""

    axis: int  # of ours, along which the parts are stacked
    number: int


class Entry(NamedTuple):
    """One array under its two names."""

    theirs: str  # NOTHING = `form` makes ours of nothing, and none is written
    ours: str  # its path: "params/blocks_0/mlp_in/kernel"
    form: Form = SAME
    part: Part | None = None  # of ours that it is; None = all


def check_options(kind: str, fields: Mapping[str, Any], options: Mapping[str, Any]) -> None:
    """Raises ConfigError where a network has another value than the one that a format knows."""
    for field, value in options.items():
        if fields[field] != value:
            raise ConfigError(f'"{field}" is {fields[field]!r}, and the format {kind} has {value!r} alone')


def check_computed(network: str, config: Mapping[str, Any], computed: Mapping[str, tuple]) -> None:
    """Raises ConfigError where config.json asks for something else than our network computes.

    computed: the values that a key may have; the first is that of a file without the key.
    """
    for key, values in computed.items():
        if config.get(key, values[0]) not in values:
            raise ConfigError(f'"{key}" is {config[key]!r}, and {network} has {values[-1]!r}')


def first_of(computed: Mapping[str, tuple]) -> dict[str, Any]:
    """What is written of each key that could ask for something else."""
    return {key: values[0] for key, values in computed.items()}
