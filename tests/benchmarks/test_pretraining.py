"""The gain from pre-training: answers of runs to the same rows, and the interval of a difference."""

import time

import jax
import numpy as np
import pytest
from support import load_config, on_small_data

from aigc_jax.build import build
from aigc_jax.metrics.bootstrap import interval, mean
from aigc_jax.train import loop
from aigc_jax.train.workdir import Workdir
from benchmarks.pretraining import alike, answered, difference


def test_a_difference_has_the_interval_of_the_differences():
    random = np.random.RandomState(0)
    one = random.rand(400)
    other = one + 0.1 + 0.01 * random.randn(400)
    found = interval(difference(mean(one), mean(other)), 0)
    assert found == pytest.approx(interval(mean(one - other), 0))
    assert found.high - found.low < 0.01 < interval(mean(one), 0).high - interval(mean(one), 0).low


def test_right_answers_are_the_same_or_not():
    assert alike(np.array([1, 2]), np.array([1, 2])) and not alike(np.array([1, 2]), np.array([1, 3]))
    assert alike([["O"], ["B-x", "O"]], [["O"], ["B-x", "O"]]) and not alike([["O"]], [["O"], ["O"]])


@pytest.mark.parametrize(
    ("name", "measures"),
    [
        ("bert_classify", ["accuracy", "macro_f1"]),
        ("bert_entities", ["entity_precision", "entity_recall", "entity_f1"]),
    ],
)
def test_a_run_answers_each_row_of_the_split_once(tmp_path, name, measures):
    config = {**on_small_data(load_config(name, "tiny")), "evals": {}}
    config = {**config, "train": {**config["train"], "steps": 2}, "evaluate": {**config["evaluate"], "every": 0}}
    run = build(config, devices=jax.devices()[:1])
    loop.train(run, Workdir(tmp_path / "run"), time.time())
    found = answered(str(tmp_path / "run"), 0)
    assert list(found.measures) == measures and found.step == 2
    assert len(found.true) == len(run.data.splits["test"])
    assert len(answered(str(tmp_path / "run"), 3).true) == 3
