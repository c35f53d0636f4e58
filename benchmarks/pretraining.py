"""What pre-training is worth: a fine-tuned run beside one of the same steps that started from random numbers.

    python benchmarks/pretraining.py RUN_WITH RUN_WITHOUT [--samples=N] [--seed=0]

Both are runs of one configuration, such as bert_classify or bert_entities, and answer the same rows of the test split:
the first N, or all of them. Prints each measure of either run, in per cent, and the difference with a 95 % interval of
a paired bootstrap: rows are drawn with replacement, the same ones for both (to first order:
aigc_jax/metrics/bootstrap.py).
TFDS_DATA_DIR is the folder of prepared data, where it is another than TFDS's own.
"""

import argparse
import importlib
from typing import Any, NamedTuple

import numpy as np

from aigc_jax.errors import UserError
from aigc_jax.evaluate.measure import Wanted
from aigc_jax.library import opened
from aigc_jax.metrics.bootstrap import Estimate, interval
from aigc_jax.train.run import JUDGING

SPLIT = "test"


class Answered(NamedTuple):
    """What a run says of some rows."""

    step: int
    true: Any  # the answers that are right
    measures: dict[str, Estimate]


def answered(folder: str, samples: int) -> Answered:
    """The answers of a run to the first rows of the test split; samples: how many, 0 = all."""
    run, state = opened(folder, {"sample.given": f"split:{SPLIT}"})
    module = importlib.import_module(f"aigc_jax.evaluate.{run.data.made.kind}")
    wanted = Wanted(2, tuple(module.MEASURES), "", None, None, {})
    measures, sight = module.measures_of(run.data.made, run.data.target, wanted)
    count = min(samples or len(run.data.splits[SPLIT]), len(run.data.splits[SPLIT]))
    made = sight.join([sight.see(rows, False) for rows in run.samples(state, count, JUDGING)])
    found = {
        name: estimate
        for measure in measures
        for name, estimate in zip(measure.names, measure.estimate(made, made), strict=True)
    }
    return Answered(int(state.step), made.true, found)


def difference(one: Estimate, other: Estimate) -> Estimate:
    """one - other, of the same samples."""
    return Estimate(one.value - other.value, one.influence - other.influence)


def alike(one: Any, other: Any) -> bool:
    """Whether the right answers are the same, a list for each row or one."""
    return len(one) == len(other) and all(np.array_equal(*each) for each in zip(one, other, strict=True))


def main() -> None:
    """Reads the arguments and prints a line a measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs=2, metavar="RUN")
    parser.add_argument("--samples", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    one, other = (answered(folder, arguments.samples) for folder in arguments.runs)
    if one.step != other.step or not alike(one.true, other.true):
        raise UserError("The runs are of different steps or data: train both with the same configuration.")
    print(f"{len(one.true):,} rows of the {SPLIT} split, after {one.step} steps:")
    for name in one.measures:
        pair = one.measures[name], other.measures[name]
        told = [
            f"{100 * value:5.1f} [{100 * low:.1f}, {100 * high:.1f}]"
            for value, low, high in (interval(each, arguments.seed) for each in (*pair, difference(*pair)))
        ]
        print(f"{name:<18} with {told[0]}  without {told[1]}  difference {told[2]}")


if __name__ == "__main__":
    main()
