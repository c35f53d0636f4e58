"""The contract of a format in which networks are published: config.json and safetensors, as Hugging Face writes them.

A format is a file of `aigc_jax/weights/` with the name that `model_type` of config.json has (`schedulers.py` reads
settings of sampling). Hugging Face's diffusers writes the class, as `_class_name`, and gives the file of arrays another
name. The parts of a format:

    NETWORK            our network that computes the same, as `networks.<network>.name` has it
    PREFIX             of names in a file, which may be missing from all of them
    BUFFERS            a pattern of names that nothing has to read
    fields(config)     config.json -> our network's fields
    config(fields)     our network's fields -> config.json
    table(fields)      an `Entry` for each array; several of theirs may be one of ours, and have to be equal then
    CLASSES            the names that `_class_name` may have, of which there are none where `model_type` is written
    FILE               the file of arrays, without ".safetensors", where it is not "model"
    completed(fields, arrays)   our fields with what our arrays tell besides, before they are written; may be missing
    RENAMED            patterns of names in older files -> what `re.sub` makes of them; may be missing
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np


class Form(NamedTuple):
    """An array in our form and in theirs."""

    ours: Callable[[np.ndarray], np.ndarray]
    theirs: Callable[[np.ndarray], np.ndarray]


SAME = Form(lambda x: x, lambda x: x)
TRANSPOSED = Form(np.transpose, np.transpose)


def reshaped(ours: tuple[int, ...], theirs: tuple[int, ...]) -> Form:
    """The same numbers in the same order, in two shapes."""
    return Form(lambda x: x.reshape(ours), lambda x: x.reshape(theirs))


class Entry(NamedTuple):
    """One array under its two names."""

    theirs: str
    ours: str  # its path: "params/blocks_0/mlp_in/kernel"
    form: Form = SAME
