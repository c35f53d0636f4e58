"""Our side of the pieces: the trainer's own programs, of a configuration of this repository, on arrays made here."""

import runpy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

import aigc_jax
from aigc_jax.build import bind_method, build_learners
from aigc_jax.method import Batch, Key
from aigc_jax.train.programs import Programs
from aigc_jax.train.sharding import layout
from benchmarks.in_jax import count, peak
from benchmarks.work import Work

CHECKOUT = Path(aigc_jax.__file__).parent.parent  # the one that is measured
Example = Mapping[str, np.ndarray]


def settings(name: str, changes: Mapping[str, Any], size: str = "full") -> dict[str, Any]:
    """configs/<name>.py with other values for dotted keys. size: "full", or "tiny" for its small twin."""
    config = runpy.run_path(str(CHECKOUT / f"configs/{name}.py"))["get_config"](size).to_dict()
    for key, value in changes.items():
        *parents, leaf = key.split(".")
        place = config
        for parent in parents:
            place = place[parent]
        place[leaf] = value
    return config


def as_it_is(key: Key, batch: Batch, train: bool) -> Batch:
    """A batch that needs no preparing."""
    return batch


def programs(config: Mapping[str, Any], facts: Mapping[str, Any], batch: Example) -> Programs:
    """The compiled programs of a run on one device. facts: what the data set would know. batch: as prepared."""
    learners = build_learners(config, facts)
    method = bind_method(config["method"], learners, {}, facts)
    shapes = {name: jax.ShapeDtypeStruct(x.shape, x.dtype) for name, x in batch.items()}
    one = layout(jax.devices()[:1], data=1, fsdp=1, tensor=1, compile="jit")
    return Programs(method, as_it_is, one, shapes, (), config["seed"], {}, config["train"]["spike"])


def training(config: Mapping[str, Any], facts: Mapping[str, Any], batch: Example, items: float) -> Work:
    """Training as the trainer does it, in calls of as many steps as the configuration says. items: of a step."""
    of_run = programs(config, facts, batch)
    state, sums = of_run.init(), of_run.start_sums()
    parameters = count(state.params)
    steps = config["train"]["steps_per_call"]
    placed = of_run.place_items({name: np.stack([x] * steps) for name, x in batch.items()})
    held = [state, sums]

    def run() -> None:
        held[:] = of_run.train(*held, {}, placed)
        jax.block_until_ready(held)

    return Work(run, items * steps, parameters, memory=peak())
