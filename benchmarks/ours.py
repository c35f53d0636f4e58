"""Our side of the pieces: the trainer's own programs, of a configuration of this repository, on arrays made here."""

import runpy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

import aigc_jax
from aigc_jax.build import bind_method, build_learners, planned
from aigc_jax.codecs.identity import identity
from aigc_jax.method import Batch, Given, Key, Rows
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


class AsItIs:
    """A data set whose rows, of "target" and of what is given, need no preparing."""

    def prepare(self, key: Key, rows: Rows, train: bool) -> Batch:
        return Batch(rows["target"], {name: values for name, values in rows.items() if name != "target"})

    def conditions(self, key: Key, rows: Rows) -> Given:
        return rows


def programs(config: Mapping[str, Any], facts: Mapping[str, Any], batch: Example) -> Programs:
    """The compiled programs of a run on one device. facts: of the data set. batch: "target", as prepared,
    and what is given."""
    learners = build_learners(config, facts)
    method = bind_method(config["method"], learners, {}, facts)
    shapes = {name: jax.ShapeDtypeStruct(x.shape, x.dtype) for name, x in batch.items()}
    one = layout(jax.devices()[:1], data=1, fsdp=1, tensor=1, compile="jit")
    codec = identity({})
    return Programs(method, codec, AsItIs(), one, shapes, (), config["seed"], {}, config["train"]["spike"])


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


def drawing(
    config: Mapping[str, Any], facts: Mapping[str, Any], batch: Example, items: float, cost: float = 0.0
) -> Work:
    """Sampling as the trainer does it, a row of the batch each. items: of all of them; cost: their FLOPs."""
    of_run = programs(config, facts, batch)
    state, plan = of_run.init(), planned(of_run.method, config["sample"])
    keys = of_run.keys(0, 0, np.arange(len(batch["target"])))
    given = {name: values for name, values in batch.items() if name != "target"}

    def run() -> None:
        of_run.sample(keys, state, given, plan)

    return Work(run, items, count(state.params), cost, memory=peak())
