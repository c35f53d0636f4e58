"""A codec that looks at each training example once: the training is what it is with a look in every step."""

import jax
import numpy as np
import pytest
from printing import trained_in
from support import load_config, small

from aigc_jax.build import build


def config(once, augment=()):
    found = load_config("ldm_emoji", "tiny")
    found["codec"] = {**found["codec"], "once": once}
    found["data"] = {**small(found["data"]), "augment": augment, "batch_size": 8}
    found["optimizers"]["net"] |= {"learning_rate": 0.01, "warmup_steps": 0, "schedule": "constant"}
    found["train"] = {**found["train"], "steps": 2, "log_every": 1}
    return found


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    return [trained_in(tmp_path_factory.mktemp("run") / str(once), config(once)) for once in (True, False)]


def test_the_weights_are_the_same(both):
    """Within the rounding of another program."""
    (kept, one), (_, other) = both
    assert kept.feeds["train"].remark.endswith("once, before the first step.")
    first = kept.programs.init().weights("net")
    trained = (one.weights("net"), other.weights("net"))
    moved = [np.abs(a - b).max() for a, b in zip(*map(jax.tree.leaves, (first, trained[0])), strict=True)]
    assert max(moved) > 1e-3
    for a, b in zip(*map(jax.tree.leaves, trained), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


def test_what_is_kept_is_what_the_codec_sees_of_each_example(both):
    (run, _), _ = both
    feed, codec = run.feeds["train"], run.programs.codec
    (kept,) = [value for name, value in feed.resident.items() if name not in feed.source.arrays]
    assert len(kept[0]) == len(feed.source)
    last = {name: values[-1:] for name, values in feed.source.arrays.items()}
    target = run.data.prepare(jax.random.key(0), last, False).target
    for found, expected in zip(kept, codec.look(run.programs.frozen, target), strict=True):
        np.testing.assert_allclose(found[-1:], expected, atol=1e-5)


def test_augmented_examples_are_looked_at_in_every_step():
    feed = build(config(True, ("flip",))).feeds["train"]
    assert "anew in every step: data.augment changes them" in feed.remark
    assert feed.resident.keys() == feed.source.arrays.keys()
