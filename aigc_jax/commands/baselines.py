"""How near to the true images one comes without a model: by copying or enlarging what is given, and by means.

    aigc_jax baselines configs/pix2pix_emoji.py

Of each evaluation of the configuration that holds images against their true ones, the same figures of what is given
itself, where it is smaller enlarged by repeated pixels and by a bicubic filter, of the training targets' mean image,
and of their mean colour. A model of pairs has to be better than all of them.
"""

import argparse
from collections.abc import Iterator

import numpy as np

from aigc_jax import experiments
from aigc_jax.build import build
from aigc_jax.data.dataset import DataSet
from aigc_jax.data.given import Asked
from aigc_jax.data.rows import TRUTH
from aigc_jax.errors import UserError
from aigc_jax.ops.enlarge import enlarged_levels, fits
from aigc_jax.train.trained import told

CHUNK = 4096  # training examples looked at at a time


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("config", metavar="CONFIG", help="by name or file; ':tiny' after it: its twin")


def run(options: argparse.Namespace) -> None:
    """Prints the figures. Raises UserError where nothing is measured of pairs, or not all of it could be."""
    made = build(experiments.load(options.config).to_dict())
    found = False
    left_out: list[str] = []
    for name, judge in made.judges.items():
        asked = made.given(made.judgings[name].given).asked(judge.count)
        if asked.truth is None:
            continue
        for what, images in baselines(made.data, asked):
            found = True
            print(f"{name}, {what}:")
            rows = {made.data.target: images, TRUTH: asked.truth, **asked.beside}
            for figure in judge.figures([judge.look(rows)], made.seed):
                print(told(figure))
            left_out += judge.left_out
    if not found:
        raise UserError(
            f"{options.config} has no evaluation of pairs: set --config.evals.<name>.given=split:test, with measures "
            "such as l1 and ssim, for a data set whose target has images of its size beside it."
        )
    if left_out:
        raise UserError(f"Left out: {' '.join(left_out)}")


def baselines(data: DataSet, asked: Asked) -> Iterator[tuple[str, np.ndarray]]:
    """(what it is, uint8 [n, H, W, C]) of each. asked: what is given, with its true targets."""
    assert asked.truth is not None
    wanted = asked.truth.shape
    for name, rows in asked.rows.items():
        if rows.ndim != len(wanted) or rows.shape[-1] not in (1, wanted[-1]) or not fits(rows.shape[1:], wanted[1:]):
            continue
        if rows.shape[:-1] == wanted[:-1]:
            yield f"a copy of {name}", np.broadcast_to(rows, wanted).copy()
            continue
        times = wanted[1] // rows.shape[1]
        repeated = rows.repeat(times, axis=1).repeat(times, axis=2)
        yield f"{name} with repeated pixels", np.broadcast_to(repeated, wanted).copy()
        smooth = np.asarray(enlarged_levels(rows, (wanted[1], wanted[2])))
        yield f"{name} enlarged, bicubic", np.broadcast_to(smooth, wanted).copy()
    mean = _mean(data)
    yield "the mean image", _all(mean, wanted)
    yield "the mean colour", _all(np.mean(mean, (0, 1)), wanted)


def _mean(data: DataSet) -> np.ndarray:
    """The mean of the training targets, float64 [H, W, C]."""
    source = data.splits["train"]
    starts = range(0, len(source), CHUNK)
    parts = (source[np.arange(start, min(start + CHUNK, len(source)))][data.target] for start in starts)
    total: np.ndarray = sum(part.sum(0, dtype=np.float64) for part in parts)
    return total / len(source)


def _all(image: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    return np.broadcast_to(np.rint(image).astype(np.uint8), shape).copy()
