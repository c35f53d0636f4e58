"""What input costs a training step: steps on a batch that stays on the device beside steps that are fed as in training.

Where "fed" has r times the rate of "ours", input takes 1 - r of a step: the feed, the rows' look-up and their
preparation. Both sides are aigc_jax, on Fashion-MNIST.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from benchmarks.pieces import input as delivery
from benchmarks.work import Side, Work

CEILING = ""
UNIT = "images"
SIZES = {
    "vae": dict(config="vae_fashion_mnist", twin="full", path=delivery.FASHION, batch=128, resident=True),
    "vae-rows": dict(config="vae_fashion_mnist", twin="full", path=delivery.FASHION, batch=128, resident=False),
    "ddpm": dict(config="ddpm_fashion_mnist", twin="full", path=delivery.FASHION, batch=32, resident=True),
    "tiny": dict(config="vae_fashion_mnist", twin="tiny", path="", batch=4, resident=True),
}
STEPS = 1_000_000  # more than are taken


def config(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration that these settings ask for."""
    from benchmarks import ours

    return ours.settings(settings["config"], {"evals": {}}, settings["twin"])


def held(settings: Mapping[str, Any]) -> Work:
    """The trainer's step, always on the same prepared batch."""
    from benchmarks import ours

    images = np.random.RandomState(0).uniform(-1, 1, (settings["batch"], 28, 28, 1)).astype(np.float32)
    batch = {"target": images}
    return ours.training(config(settings), {"shape": images.shape[1:], "levels": 256}, batch, len(images))


def fed(settings: Mapping[str, Any]) -> Work:
    """The trainer's step on the trainer's feed."""
    import jax

    from benchmarks import in_jax

    of_run = delivery.run_on(config(settings), settings["path"], settings["batch"], settings["resident"])
    programs, feed = of_run.programs, of_run.feeds["train"]
    batches = feed.training(settings["batch"], of_run.seed, 0, STEPS, 1)
    carried = [programs.init(), programs.start_sums()]
    parameters = in_jax.count(carried[0].params)

    def run() -> None:
        carried[:] = programs.train(*carried, feed.resident, next(batches))
        jax.block_until_ready(carried)

    return Work(run, settings["batch"], parameters, memory=in_jax.peak())


SIDES = {
    "ours": Side("aigc_jax", held, "a batch that stays"),
    "fed": Side("aigc_jax", fed, "fed"),
}
