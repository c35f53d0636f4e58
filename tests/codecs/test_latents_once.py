"""Posteriors that are computed once: each step draws anew from them, and none has an encoder in it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support import load_config, on_small_data

from aigc_jax.build import build
from aigc_jax.train import feed as feeding
from aigc_jax.train.programs import SEEN

STEPS = 3


def made(codec=None):
    config = on_small_data(load_config("ldm_emoji", "tiny"))
    config["codec"] = {**config["codec"], "scale": 2.0, **(codec or {})}
    config["optimizers"]["net"] |= {"name": "sgd", "warmup_steps": 0}  # Adam makes rounding of zeros visible
    return build(config, devices=jax.devices()[:1])


def trained(run):
    programs, feed = run.programs, run.feeds["train"]
    state, sums, resident = programs.init(), programs.start_sums(), programs.mapped(feed.resident)
    for items in feed.training(run.batch_size, run.seed, 0, STEPS, 1):
        state, sums = programs.train(state, sums, resident, items)
    return jax.device_get(state.params), {name: float(total) for name, total in sums["metrics"].items()}


@pytest.fixture(scope="module")
def once():
    return made()


@pytest.fixture(scope="module")
def each():
    return made(codec={"once": False})


def test_each_step_draws_anew(once):
    """Two batches of the same examples in different steps are other latents of the same posterior."""
    programs, feed = once.programs, once.feeds["train"]
    seen = jax.tree.map(lambda x: x[:8], feed.resident[SEEN])
    one, other, again = (programs.codec.draw(jax.random.key(i), seen) for i in (0, 1, 0))
    np.testing.assert_array_equal(one, again)
    deviation = 2.0 * np.exp(np.asarray(seen[1]) / 2).reshape(one.shape)
    apart = np.asarray(one - other) / deviation  # a difference of two draws of N(0, 1)
    assert np.std(apart) == pytest.approx(np.sqrt(2), rel=0.15)


def test_no_step_reads_the_encoder(once):
    """With its weights spoilt after the looks, training goes on as before."""
    wanted, feed = trained(once), once.feeds["train"]
    programs, kept = once.programs, once.programs.frozen
    assert SEEN in feed.resident
    encoder = jax.tree.map(lambda x: x * jnp.nan, kept["codec"]["params"]["encoder"])
    programs.frozen = {"codec": {"params": {**kept["codec"]["params"], "encoder": encoder}}}
    try:
        jax.tree.map(np.testing.assert_array_equal, trained(once), wanted)
    finally:
        programs.frozen = kept


def test_what_is_done_is_said(once, each, monkeypatch):
    count = len(once.feeds["train"].source)
    assert f"looks at each of the {count} training examples once" in once.data.notes[-1]
    assert not any("codec" in note for note in each.data.notes if "UNTRAINED" not in note)
    monkeypatch.setattr(feeding, "RESIDENT_BYTES", 1)
    streamed = made()
    assert "anew in every step: they and what it knows of them are too large" in streamed.data.notes[-1]
    assert not streamed.feeds["train"].resident


def test_only_the_training_split_is_remembered(once):
    assert SEEN not in once.feeds["test"].resident


def test_a_description_is_of_what_is_there(once):
    feed = once.feeds["train"]
    describe = lambda x: (x.shape, x.dtype, x.sharding)  # noqa: E731
    assert jax.tree.map(describe, feed.described) == jax.tree.map(describe, dict(feed.resident))
