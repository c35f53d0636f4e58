"""The utility of labelled samples: accuracies of classifiers trained on them, on real images, and on both.

The classification accuracy score is that of a classifier trained on samples alone, all of them, on real test images
(Ravuri & Vinyals 2019, arXiv:1905.10887, section 3). A utility curve also shows what they are worth where real labels
are few. At a budget of n labelled examples, balanced over the classes, classifiers are trained on

    n real examples        n synthetic ones        n real ones and every synthetic one

Every training runs the same compiled program for the same number of steps. Only the rows that its batches take from the
pool differ.
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple
from zipfile import BadZipFile

import jax
import jax.numpy as jnp
import numpy as np
from scipy import stats

from aigc_jax.data.dataset import DataSet
from aigc_jax.data.stream import evaluation, order
from aigc_jax.errors import UserError
from aigc_jax.method import Batch, Key, Method, Rows, State
from aigc_jax.metrics.bootstrap import Interval
from aigc_jax.ops.augment import to_float
from aigc_jax.ops.platform import program

SOURCES = ("real", "synthetic", "both")
TESTED = 500  # test images at a time


class Labelled(NamedTuple):
    """Images with their classes."""

    images: np.ndarray  # uint8 [N, H, W, C]
    labels: np.ndarray  # int32 [N], from 0 on


class Point(NamedTuple):
    """The accuracy of classifiers trained on one source at one budget."""

    source: str  # one of SOURCES
    budget: int  # labelled examples; 0 = all there are
    examples: int  # that it was trained on
    accuracy: Interval


def load(path: Path) -> Labelled:
    """A .npz file with "image" (uint8 [N, H, W, C]) and "label" (integers [N], from 0 on). Raises UserError."""
    try:
        with np.load(path, allow_pickle=False) as found:
            images, labels = found["image"], found["label"]
    except (OSError, ValueError, KeyError, EOFError, TypeError, AttributeError, BadZipFile) as error:
        raise UserError(
            f'{path} holds no arrays "image" and "label" ({error}): write it with numpy.savez(path, image=…, label=…).'
        ) from error
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[-1] not in (1, 3):
        raise UserError(f"{path}: images have to be uint8 [N, H, W, 1 or 3], and are {images.dtype} {images.shape}.")
    if labels.dtype.kind not in "iu" or labels.shape != images.shape[:1] or not len(labels) or labels.min() < 0:
        raise UserError(
            f"{path}: labels have to be integers from 0 on, one for each of {len(images)} images, and are "
            f"{labels.dtype} {list(labels.shape)}."
        )
    return Labelled(images, labels.astype(np.int32))


def labelled(data: DataSet, split: str) -> Labelled:
    """All of a split, as it is stored. Raises UserError for data without images and labels, or without that split."""
    if split not in data.splits:
        raise UserError(f'{data.name} has no split "{split}": it has {", ".join(data.splits)}.')
    source = data.splits[split]
    rows = source[np.arange(len(source))]
    if not {"image", "label"} <= rows.keys():
        raise UserError(f"{data.name} has no images with labels, and a utility curve is over classifiers of such.")
    return Labelled(rows["image"], np.asarray(rows["label"], np.int32))


def curve(
    method: Method,
    steps: int,
    batch_size: int,
    real: Labelled,
    synthetic: Labelled,
    test: Labelled,
    budgets: Sequence[int],
    seeds: int,
    told: Callable[[Point], None] = lambda point: None,
) -> list[Point]:
    """Each source at each budget, trained `seeds` times.

    method: a classifier, that is given "image", float32 in [-1, 1], and measures "accuracy". steps, batch_size:
    of every training. budgets: multiples of the number of classes; 0 = all. A seed draws the examples, their order and
    the first weights. told: is called with every point as soon as it is there.
    Raises UserError where shapes differ or there are too few examples of a class.
    """
    classes = int(max(real.labels.max(), test.labels.max())) + 1
    _check(real, synthetic, test, classes, seeds)
    pool = {
        "image": jnp.concatenate([real.images, synthetic.images]),
        "label": jnp.concatenate([real.labels, synthetic.labels]),
    }
    train = program(lambda key, pool, plan: _trained(method, key, pool, plan))
    right = program(lambda state, batch: method.evaluate(jax.random.key(0), state, batch)["accuracy"].total)
    points = []
    for budget in budgets:
        for source in SOURCES:
            correct = []
            for seed in range(seeds):
                chosen = _chosen(source, real, synthetic, classes, budget, seed)
                shown = chosen[order(seed, len(chosen), 0, steps * batch_size)].reshape(steps, batch_size)
                state = train(jax.random.key(seed), pool, shown.astype(np.int32))
                correct.append(_tested(right, state, test))
            points.append(Point(source, budget, len(chosen), crossed(np.stack(correct))))
            told(points[-1])
    return points


def _check(real: Labelled, synthetic: Labelled, test: Labelled, classes: int, seeds: int) -> None:
    for name, found in (("synthetic", synthetic), ("test", test)):
        if found.images.shape[1:] != real.images.shape[1:]:
            raise UserError(
                f"The real images are {list(real.images.shape[1:])} and the {name} ones "
                f"{list(found.images.shape[1:])}: bring them to one size and colour."
            )
    if synthetic.labels.max() >= classes:
        raise UserError(f"A synthetic label is {synthetic.labels.max()}, and the real ones are below {classes}.")
    if seeds < 2:
        raise UserError("An interval over trainings needs two of them at least: give more seeds.")


def _chosen(source: str, real: Labelled, synthetic: Labelled, classes: int, budget: int, seed: int) -> np.ndarray:
    """Numbers within the pool, real examples first: int64 [n]. A larger budget has the examples of a smaller one."""
    every = len(real.labels) + np.arange(len(synthetic.labels))
    if source == "both":
        return np.concatenate([_balanced("real", real.labels, classes, budget, seed), every])
    if source == "real":
        return _balanced(source, real.labels, classes, budget, seed)
    return len(real.labels) + _balanced(source, synthetic.labels, classes, budget, seed)


def _balanced(source: str, labels: np.ndarray, classes: int, budget: int, seed: int) -> np.ndarray:
    """As many of each class, drawn by the seed; budget 0: all."""
    if budget == 0:
        return np.arange(len(labels))
    each, rest = divmod(budget, classes)
    if rest or each < 1:
        raise UserError(f"A budget of {budget} cannot be shared by {classes} classes: take a multiple of {classes}.")
    mixed = np.random.RandomState(seed).permutation(len(labels))
    parts = [mixed[labels[mixed] == label][:each] for label in range(classes)]
    for label, part in enumerate(parts):
        if len(part) < each:
            raise UserError(
                f"There are {len(part)} {source} examples of class {label}, and a budget of {budget} takes {each}: "
                "make more, or take a smaller one."
            )
    return np.concatenate(parts)


def _trained(method: Method, key: Key, pool: Rows, plan: jax.Array) -> State:
    """The state after a training whose batches are these rows of the pool. plan: int32 [steps, batch]."""

    def batch(rows: jax.Array) -> Batch:
        return Batch(pool["label"][rows], {"image": to_float(pool["image"][rows])})

    def one(state: State, rows: jax.Array) -> tuple[State, None]:
        after, _ = method.step(jax.random.fold_in(key, state.step + 1), state, batch(rows))
        return after.replace(step=state.step + 1), None

    state = method.init(jax.random.fold_in(key, 0), batch(plan[0]), {})
    return jax.lax.scan(one, state, plan)[0]


def _tested(right: Callable, state: State, test: Labelled) -> np.ndarray:
    """1 where a test image is classified correctly, float32 [N]."""
    size = min(TESTED, len(test.labels))
    parts = [
        np.asarray(right(state, Batch(test.labels[rows], {"image": to_float(test.images[rows])})))[mask > 0]
        for rows, mask in evaluation(len(test.labels), size, 0)
    ]
    return np.concatenate(parts)


def crossed(correct: np.ndarray, level: float = 0.95) -> Interval:
    """The mean of a table [trainings, test examples], and its interval over both.

    The variance is that of the trainings' means plus that of the examples' means, which is slightly too large
    (Owen 2007, arXiv:0712.1111, section 3). Each part has its own quantile of Student's t, and the squares of the two
    half-widths add up (Zou & Donner 2008, section 2).
    """
    mean, square = float(correct.mean()), 0.0
    for axis, size in enumerate(correct.shape):
        square += stats.t.ppf((1 + level) / 2, size - 1) ** 2 * correct.mean(1 - axis).var(ddof=1) / size
    half = float(np.sqrt(square))
    return Interval(mean, max(mean - half, 0.0), min(mean + half, 1.0))


def to_json(points: Sequence[Point]) -> str:
    """One object a point."""
    rows = [{**point._asdict(), "accuracy": point.accuracy._asdict()} for point in points]
    return json.dumps(rows, indent=2) + "\n"
