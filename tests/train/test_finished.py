"""What is saved is finite, and a run that has its steps behind it is left as it is."""

import json
import time

import jax
import pytest
from support import load_config

from aigc_jax.build import build
from aigc_jax.command import check_settings
from aigc_jax.errors import ConfigError, UserError
from aigc_jax.train import loop
from aigc_jax.train.run import Run
from aigc_jax.train.workdir import Workdir


def tiny(steps=4, **optimizer):
    config = load_config("gpt_sentences", "tiny")
    config["train"]["steps"] = steps
    config["optimizers"]["net"] |= optimizer
    config["tracking"]["tensorboard"] = False
    return build(config, devices=jax.devices()[:1])


def contents(workdir):
    return {path: path.read_bytes() for path in workdir.folder.rglob("*") if path.is_file() and path != workdir.lock}


def test_no_checkpoint_holds_what_is_not_finite(tmp_path):
    """Gradients of tokens that no text has are 0, and 0 / (0 + eps) is no number."""
    workdir = Workdir(tmp_path)
    with pytest.raises(UserError, match="the state after step 2 is not finite.*again after it went back to step 0"):
        loop.train(tiny(eps=0.0, warmup_steps=0), workdir, time.time())
    assert not [path for path in workdir.checkpoints.iterdir() if path.name.isdecimal()]
    assert json.loads(workdir.left_out.read_text("utf-8")) == [{"batches": [0, 2], "from": 0}]


def test_a_finished_run_is_left_as_it_is_and_goes_on_with_more_steps(tmp_path, capsys):
    workdir = Workdir(tmp_path)
    loop.train(tiny(), workdir, time.time())
    said = capsys.readouterr().out
    assert "7,824 parameters; sentences: train 4" in said.splitlines()[0] and str(tmp_path) in said.splitlines()[0]
    train = [json.loads(line) for line in workdir.metrics.read_text("utf-8").splitlines()]
    rates = [record["net_learning_rate"] for record in train if record["group"] == "train"]
    assert rates == pytest.approx([3e-3, 3e-3 * (0.1 + 0.9 / 2)])  # of updates 2 and 4: the peak, and half way down
    before = contents(workdir)
    for steps, what in ((4, "holds step 4, the last"), (2, "holds step 4, beyond train.steps=2")):
        loop.train(tiny(steps), workdir, time.time())
        assert what in (line := capsys.readouterr().out) and line.count("\n") == 1
        assert contents(workdir) == before
    loop.train(tiny(6), workdir, time.time())
    said = capsys.readouterr().out
    assert "train.steps is 6 and was 4: the learning rate of net decays until then" in said
    assert "Resuming from step 4 of 6" in said


def test_the_budget_is_for_what_training_waits_for(tmp_path, monkeypatch):
    budgets = []
    monkeypatch.setattr(Run, "judged", lambda run, name, state, budget=0.0, between=None: budgets.append(budget) or [])
    config = load_config("gpt_sentences", "tiny")
    config["evaluate"]["budget"] = 7.0
    config["evals"]["quality"] = {"samples": 8, "measures": ("distinct_2",)}
    loop.train(build(config, devices=jax.devices()[:1]), Workdir(tmp_path), time.time())
    assert budgets == [7.0, 0.0]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("jax_disable_jit", True),
        ("jax_numpy_dtype_promotion", "strict"),
        ("jax_numpy_rank_promotion", "raise"),
        ("jax_transfer_guard", "disallow"),
    ],
)
def test_settings_that_no_run_meets_are_refused(name, value):
    before = getattr(jax.config, name)
    jax.config.update(name, value)
    try:
        with pytest.raises(ConfigError, match=f"{name.upper()}={value}"):
            check_settings()
    finally:
        jax.config.update(name, before)
    check_settings()


def test_a_platform_that_is_not_there_is_refused(monkeypatch):
    def devices():
        raise RuntimeError("Unable to initialize backend 'nonsense': not known (set JAX_PLATFORMS='' to choose)\nmore")

    monkeypatch.setenv("JAX_PLATFORMS", "nonsense")
    monkeypatch.setattr(jax, "devices", devices)
    with pytest.raises(ConfigError, match="JAX_PLATFORMS=nonsense cannot be used .*not known.: set it to cpu"):
        check_settings()
