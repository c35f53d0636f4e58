"""Families held against a density that is known: likelihoods that are exact, bounds that are bounds, and the board."""

import argparse
import json
import math
import time

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from scipy import stats
from support import ROOT, load_config

from aigc_jax.build import build
from aigc_jax.codecs.levels import BOS
from aigc_jax.commands import points as command
from aigc_jax.data import catalogue
from aigc_jax.data.fields.points import Point
from aigc_jax.errors import UserError
from aigc_jax.evaluate.points import MEASURES
from aigc_jax.learner import Learner
from aigc_jax.method import Batch
from aigc_jax.methods.diffusion import diffusion
from aigc_jax.ops.densities import density
from aigc_jax.ops.diffusion import process as process_of
from aigc_jax.train import loop
from aigc_jax.train.workdir import Workdir

RING = density("ring")
PAGE = ROOT / "docs" / "ground-truth.md"


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The tiny GPT after its four steps: (run, its folder, its state)."""
    config = load_config("gpt_points", "tiny")
    config["evaluate"] = {**config["evaluate"], "batches": 0, "batch_size": 2000}
    run, workdir = build(config, devices=jax.devices()[:1]), Workdir(tmp_path_factory.mktemp("run") / "gpt")
    loop.train(run, workdir, time.time())
    kept = run.checkpoints(workdir.checkpoints)
    return run, workdir, kept.restore(run.programs.described, run.programs.described_sums, run.pace.steps)[0]


@pytest.fixture(scope="module")
def table(trained):
    """q(x, y) of all pairs of tokens, by the softmax of its logits: float64 [257, 257]."""
    run, _, state = trained
    pairs = jnp.stack([jnp.full(BOS + 1, BOS), jnp.arange(BOS + 1)], 1)
    logits = jax.jit(run.programs.method.parts["logits"])(state, pairs)
    first, second = np.moveaxis(np.exp(np.asarray(jax.nn.log_softmax(logits), np.float64)), 1, 0)
    return first[0][:, None] * second


def test_an_autoregressive_likelihood_sums_to_one_and_is_what_evaluate_reports(trained, table):
    run, _, state = trained
    assert table.sum() == pytest.approx(1, abs=1e-5)
    assert table[:BOS, :BOS].sum() < 1  # the rest is on a token that is no level
    x, y = run.data.splits["test"].arrays["point"].T
    found = run.measure(state)
    assert 2 * found["bits_per_dim"] == pytest.approx(-np.log2(table[x, y]).mean(), abs=1e-4)


def test_samples_are_of_the_likelihood(trained, table):
    run, _, state = trained
    keys = [run.programs.keys(seed, 0, np.arange(20_000)) for seed in range(2)]
    samples = np.concatenate([run.programs.sample(each, state, {}, run.plan) for each in keys])
    samples = np.int64(run.data.made.stored(samples))
    assert samples.shape == (40_000, 2)
    first = table[:BOS].sum(1)
    chances = first[:, None] / first.sum() * (table[:BOS, :BOS] / table[:BOS, :BOS].sum(1, keepdims=True))
    expected = len(samples) * chances.reshape(16, 16, 16, 16).sum((1, 3)).ravel()
    found = np.bincount(samples[:, 0] // 16 * 16 + samples[:, 1] // 16, minlength=256)
    assert stats.chisquare(found, expected * (found.sum() / expected.sum())).pvalue > 1e-3


def test_the_board_has_the_divergence_that_all_cells_give(trained, table):
    """The mean over test points of log p - log q estimates what the sum over 65,536 cells is exactly."""
    _, workdir, _ = trained
    row = command.row_of(workdir.folder)
    assert (row["density"], row["family"], row["run"], row["exact"]) == ("ring", "autoregressive", "gpt", True)
    held = RING.masses > 0
    exact = (RING.masses[held] * np.log2(RING.masses[held] / table[:BOS, :BOS][held])).sum()
    assert row["divergence"] == pytest.approx(exact, abs=0.05) and exact > 1
    assert set(row["figures"]) == set(command.FORMS)


class Exact(nn.Module):
    """E[x_0 | x_t] of the ring, in closed form: no network predicts better."""

    process: process_of.Process

    @nn.compact
    def __call__(self, x, t, train):
        process, deviation = self.process, 0.05
        angles = 2 * np.pi * np.arange(8) / 8
        means = jnp.asarray(0.7 * np.stack([np.cos(angles), np.sin(angles)], -1), jnp.float32)
        flat = x.reshape(-1, 1, 2)
        signal, noise = process.at(t, flat)
        variance = (signal * deviation) ** 2 + noise**2
        apart = flat - signal * means
        share = jax.nn.softmax(-0.5 * jnp.sum(apart**2, -1) / variance[..., 0], -1)
        each = means + signal * deviation**2 / variance * apart
        return jnp.sum(share[..., None] * each, 1).reshape(x.shape) * self.param("one", nn.initializers.ones, ())


@pytest.fixture(scope="module")
def best():
    """Diffusion with the best denoiser that there is, with as many steps as configs/ddpm_points.py: (method, state)."""
    section = load_config("ddpm_points")["method"]
    settings = {key: value for key, value in section.items() if key != "name"}
    process = process_of.process(section["schedule"], section["timesteps"])
    learners = {"net": Learner("net", Exact(process), optax.sgd(0.0), {}, 1)}
    method = diffusion(learners, **{**settings, "prediction": "data"}, shape=(1, 1, 2), levels=256, frozen={})
    return method, method.init(jax.random.key(0), Batch(jnp.zeros((1, 1, 1, 2)), {}), {})


def test_the_bound_of_the_best_denoiser_lies_little_above_the_entropy(best):
    method, state = best
    section = {"name": "points", "density": "ring", "examples": 1}
    data = catalogue.load(section, None)
    stored = data.splits["test"].arrays
    batch = data.prepare(jax.random.key(0), stored, False)
    measures = jax.jit(method.evaluate)(jax.random.key(1), state, batch)
    assert command.PARTS & measures.keys(), "by which the board knows a bound"
    bits = 2 * np.asarray(measures["bits_per_dim"].total, np.float64)
    x, y = stored["point"].T
    gap = bits + np.log2(RING.masses[x, y])
    assert gap.mean() - 3 * gap.std() / math.sqrt(len(gap)) > 0
    assert gap.mean() == pytest.approx(0.43, abs=0.05)  # docs/ground-truth.md says so


def test_the_sampler_with_the_best_denoiser_draws_the_density(best):
    method, state = best
    plan = method.plan(sampler="ancestral", steps=200, eta=0.0)
    samples = jax.jit(method.sample)(jax.random.split(jax.random.key(2), 4000), state, {}, plan)
    points = Point("ring").stored(np.asarray(samples))
    found = {name: measure(RING).estimate(None, points)[0].value for name, measure in MEASURES.items()}
    assert found["modes"] == 8
    assert found["off_data"] < 0.015 and abs(found["surprise"]) < 0.12
    assert found["jensen_shannon"] < 0.015  # draws of the density reach 0.012


def test_the_page_is_what_its_records_say():
    rows = json.loads(PAGE.with_suffix(".json").read_text("utf-8"))
    assert command.page(PAGE.read_text("utf-8"), rows) == PAGE.read_text("utf-8")


def test_the_command_writes_the_page_and_refuses_other_runs(trained, tmp_path):
    _, workdir, _ = trained
    written = tmp_path / "page.md"
    written.write_text(
        "# Page\n<!-- densities -->\n<!-- end of densities -->\n<!-- board -->\nstale\n<!-- end of board -->\nend\n"
    )
    for _ in range(2):  # the second time in place of the first
        command.run(argparse.Namespace(runs=[workdir.folder], page=written))
        text = written.read_text("utf-8")
        assert text.count("| autoregressive | = ") == 1 and "stale" not in text
        assert text.startswith("# Page\n") and text.endswith("\nend\n")
    written.write_text("nothing")
    with pytest.raises(UserError, match="no lines <!-- densities -->"):
        command.run(argparse.Namespace(runs=[workdir.folder], page=written))
    written.with_suffix(".json").write_text('[{"density": "ring"}]')
    with pytest.raises(UserError, match="page.json cannot be read"):
        command.run(argparse.Namespace(runs=[workdir.folder], page=written))
    with pytest.raises(UserError, match="none.md or none.json cannot be read"):
        command.run(argparse.Namespace(runs=[workdir.folder], page=tmp_path / "none.md"))
    with pytest.raises(UserError, match="There is no run in"):
        command.row_of(tmp_path / "none")
