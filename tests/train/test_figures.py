"""Figures over the evaluation split: what is not finite is said, and no record is made of it."""

import jax
import numpy as np
import pytest
from support import load_config

from aigc_jax.build import build
from aigc_jax.metrics.bootstrap import Estimate
from aigc_jax.train import records, run, trained
from aigc_jax.train.workdir import Workdir


@pytest.fixture(scope="module")
def tiny():
    config = load_config("gpt_sentences", "tiny")
    config["tracking"]["tensorboard"] = False
    built = build(config, devices=jax.devices()[:1])
    return built, built.programs.init()


def names(figures):
    return [figure.protocol.measure for figure in figures]


def test_a_perplexity_beyond_all_numbers_is_left_out(tiny, monkeypatch):
    built, state = tiny
    assert names(built.measured(state)) == ["bits_per_byte", "bits_per_char", "perplexity"]
    monkeypatch.setattr(run, "ratio", lambda totals, weights: Estimate(5000.0, np.array([-1.0, 1.0])))
    assert names(built.measured(state)) == ["bits_per_byte", "bits_per_char"]


def test_what_is_not_finite_is_said_and_not_kept(tiny, monkeypatch, tmp_path):
    built, state = tiny
    monkeypatch.setattr(run, "ratio", lambda totals, weights: Estimate(np.nan, np.array([np.nan, 1.0])))
    figures = built.measured(state)
    assert names(figures) == ["bits_per_byte", "bits_per_char"]
    assert trained.told(figures[1]).split()[1:4] == ["nan", "of", "4"]
    workdir = Workdir(tmp_path)
    records.add(workdir, figures, 0, 1)
    assert not workdir.records.exists()
