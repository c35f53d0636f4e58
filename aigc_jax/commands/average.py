"""Average a run's weights over another part of its training, from the averages in its checkpoints.

    aigc_jax average runs/edm runs/edm_12 --width=0.12

The width is a share of the run: docs/averages.md. It needs checkpoints with averages of one or more widths,
optimizers.net.ema_widths, and is as close as these allow. What is written is a run of its own, which has the average
where it samples: sample, evaluate and compare take it, train goes on from it, and run:FOLDER#net is its network.
"""

import argparse
import shutil
from collections.abc import Mapping
from functools import partial
from typing import Any, get_args

import jax
import numpy as np

from aigc_jax import experiments
from aigc_jax.build import build
from aigc_jax.config import bind, nearest
from aigc_jax.errors import ConfigError, UserError
from aigc_jax.library import ALONE
from aigc_jax.ops.averages import Profile, Width, fitted, gamma_of, kept_as
from aigc_jax.train import about, manifest
from aigc_jax.train.checkpoint import WHEN, Checkpoints
from aigc_jax.train.recovery import saved
from aigc_jax.train.workdir import Workdir

WITHIN = get_args(Width)[1]
FAR = 0.1  # of the profile: the average that comes is another one then


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("workdir", metavar="RUN", help="the folder of the run")
    parser.add_argument("folder", metavar="FOLDER", help="of the run to write, which is not there yet")
    parser.add_argument("--width", required=True, type=float, help="of the average: 0.10 is over about a tenth")
    parser.add_argument("--network", default="net", help="of the run (default: net)")
    parser.add_argument("--step", type=int, help="where the average ends, one of a checkpoint (default: the newest)")
    parser.add_argument("--data_dir", help="of prepared data sets, where the run does not say what it was trained on")


def run(options: argparse.Namespace) -> None:
    """Writes the folder. Raises UserError where the run has no such averages, or the folder is there."""
    width = options.width
    if width not in WITHIN:
        raise ConfigError(f"--width is {width}, and has to be {WITHIN}: it is a share of the run.")
    workdir, made = Workdir(options.workdir), Workdir(options.folder)
    workdir.recorded()  # says what is missing
    config = experiments.recorded(workdir.config).to_dict()
    if made.folder.exists():
        raise UserError(f"{made.folder} is there already: name a new folder.")
    network, settings = options.network, config["optimizers"].get(options.network)
    if settings is None:
        raise UserError(f'{workdir.folder} has no network "{network}".{nearest(network, config["optimizers"])}')
    kept = _kept(workdir, _widths(network, settings), options.step)
    step = kept[-1][1].step
    weights, left = fitted([profile for _, profile in kept], Profile(gamma_of(width), step))
    keep = {key: value for key, value in config["checkpoint"].items() if key not in WHEN}
    opened = partial(Checkpoints, **bind(Checkpoints, keep, "checkpoint"))
    source = opened(workdir.checkpoints)
    average = _summed(source, [(key, profile.step) for key, profile in kept], weights)

    changed = {**settings, "ema_decay": 0.0, "ema_width": width, "ema_widths": ()}
    config = {**config, "optimizers": {**config["optimizers"], network: changed}}
    alone = {key.partition(".")[2]: value for key, value in ALONE.items()}
    here = {**config, "parallel": {**config["parallel"], **alone}}
    new = build(here, options.data_dir, jax.local_devices()[:1], kept=workdir.kept(), recall=True)
    described = new.programs.described
    others = described.replace(ema={key: tree for key, tree in described.ema.items() if key != network})
    state, sums, done = source.restore(others, new.programs.described_sums, step)
    placed = jax.tree.map(lambda x, wanted: jax.device_put(x, wanted.sharding), average, described.ema[network])
    source.close()
    with made.held():
        target = opened(made.checkpoints)
        target.save(state.replace(ema={**state.ema, network: placed}), sums, {}, done)
        target.close()
        made.record(config, new.networks)
        for path, copy in ((workdir.data, made.data), (workdir.left_out, made.left_out)):
            if path.exists():
                shutil.copyfile(path, copy)
        if new.data.at_hand:
            about.describe(made, new)
    steps = sorted({profile.step for _, profile in kept})
    print(
        f"{made.folder}: {network} at step {step} with the average of width {width:g}, a sum of {len(kept)} from "
        f"{len(steps)} checkpoints. {100 * left:.2g} % of its profile is left out."
    )
    if left > FAR:
        print(
            "That is much: the narrower an average, the more checkpoints it needs near the end (checkpoint.keep_every)."
        )


def _widths(network: str, settings: Mapping[str, Any]) -> dict[str, float]:
    """Key in `State.ema` -> width, of the averages that a section `optimizers.<network>` asks for."""
    found = {kept_as(network, width): width for width in settings["ema_widths"]}
    if settings["ema_width"]:
        found[network] = settings["ema_width"]
    if not found:
        raise UserError(
            f"The run kept no average of a width: train it with --config.optimizers.{network}.ema_widths='(0.05,0.10)'."
        )
    return found


def _kept(workdir: Workdir, widths: Mapping[str, float], upto: int | None) -> list[tuple[str, Profile]]:
    """The averages in intact checkpoints up to a step, the last ones last."""
    steps = saved(workdir.checkpoints)
    if upto is not None and upto not in steps:
        raise UserError(f"{workdir.folder} has no checkpoint of step {upto}: {', '.join(map(str, steps)) or 'none'}.")
    found = []
    for step in steps:
        folder = workdir.checkpoints / str(step)
        if step < 1 or (upto is not None and step > upto):
            continue
        if fault := manifest.fault(folder):
            print(f"The checkpoint of step {step} is damaged ({fault}) and passed over.")
            continue
        found += [(key, Profile(gamma_of(width), step)) for key, width in widths.items()]
    if not found or (upto is not None and found[-1][1].step != upto):
        raise UserError(f"There is no intact checkpoint {'of that step ' if upto else ''}in {workdir.folder}.")
    return found


def _summed(source: Checkpoints, kept: list[tuple[str, int]], weights: np.ndarray) -> Any:
    """The sum of averages, each times its weight, in float64 and one at a time: float32 at the end."""
    total: Any = None
    for (key, step), weight in zip(kept, weights, strict=True):
        part = jax.tree.map(lambda x, w=weight: w * x.astype(np.float64), source.restore_average(key, step))
        total = part if total is None else jax.tree.map(np.add, total, part)
    return jax.tree.map(lambda x: x.astype(np.float32), total)
