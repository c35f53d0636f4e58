"""A run that fails says so on the console and in its report, once; one that goes well says nothing."""

import html
import json
import shutil
import time

import jax
import jax.numpy as jnp
import pytest
from support import load_config, on_small_data

from aigc_jax.build import build
from aigc_jax.nn import mlp
from aigc_jax.ops.adversarial_diagnosis import COLLAPSED, DISCRIMINATOR_WON
from aigc_jax.train import loop, report, tasks
from aigc_jax.train.workdir import Workdir

pytestmark = pytest.mark.usefixtures("at_once")
FAILURE, OTHER = "It fails: try another.", "It fails otherwise: try a third."


@pytest.fixture
def at_once(monkeypatch):
    """A run may be said to fail from its first step on."""
    monkeypatch.setattr(tasks, "SETTLED", 0)


@pytest.fixture(scope="module")
def built():
    """It evaluates after each of six steps, and saves after each."""
    config = load_config("gpt_sentences", "tiny")
    config["train"] |= {"steps": 6}
    config["checkpoint"] |= {"every": 1, "keep_last": 9}
    config["evaluate"] |= {"every": 1}
    config["evals"] = {}
    return build(config, devices=jax.devices()[:1])


@pytest.fixture
def scripted(built, monkeypatch):
    """Makes a run whose method finds, at one evaluation after another, what a test says: the lines of each."""

    def make(*script, every=1):
        evaluations = {}  # their measures -> their number

        def diagnose(measures):
            if not measures:  # before the first
                return ()
            number = evaluations.setdefault(json.dumps(measures, sort_keys=True), len(evaluations))
            return script[number]

        monkeypatch.setattr(built.programs, "method", built.programs.method._replace(diagnose=diagnose))
        return built._replace(evaluation=built.evaluation._replace(every=every))

    return make


def train(run, folder):
    workdir = Workdir(folder)
    loop.train(run, workdir, time.time())
    return workdir


def told(capsys, *lines):
    """The lines of the console that end so."""
    return [said for said in capsys.readouterr().out.splitlines() if said.endswith(lines)]


def reported(workdir):
    return html.unescape(report.write(workdir).read_text("utf-8"))


def test_a_failure_is_told_where_two_evaluations_in_a_row_find_it(scripted, tmp_path, capsys):
    run = scripted([FAILURE], [], [FAILURE], [OTHER], [OTHER, FAILURE], [OTHER, FAILURE])
    page = reported(train(run, tmp_path / "run"))
    assert told(capsys, FAILURE, OTHER) == [f"step 5: {OTHER}", f"step 6: {FAILURE}"]
    assert f'class="wrong">Step 5: {OTHER}' in page and f'class="wrong">Step 6: {FAILURE}' in page


def test_a_failure_is_told_once(scripted, tmp_path, capsys):
    page = reported(train(scripted(*[[FAILURE]] * 6), tmp_path / "run"))
    assert told(capsys, FAILURE) == [f"step 2: {FAILURE}"] and page.count(FAILURE) == 1


@pytest.mark.parametrize("script", [[[]] * 6, [[FAILURE], [], [FAILURE], [OTHER], [FAILURE], []]])
def test_what_goes_well_or_passes_is_not_told(scripted, tmp_path, capsys, script):
    page = reported(train(scripted(*script), tmp_path / "run"))
    assert not told(capsys, FAILURE, OTHER) and "It fails" not in page and 'class="wrong"' not in page


def test_where_only_the_last_step_is_evaluated_that_decides(scripted, tmp_path, capsys):
    train(scripted([FAILURE], every=0), tmp_path / "run")
    assert told(capsys, FAILURE) == [f"step 6: {FAILURE}"]


def test_first_steps_are_no_failure(scripted, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(tasks, "SETTLED", 5)
    train(scripted(*[[FAILURE]] * 6), tmp_path / "run")
    assert told(capsys, FAILURE) == [f"step 5: {FAILURE}"]


@pytest.mark.parametrize(("newest", "again"), [(4, []), (1, [f"step 2: {FAILURE}"])])
def test_a_resumed_run_repeats_only_what_it_takes_again(scripted, tmp_path, capsys, newest, again):
    run = scripted(*[[FAILURE]] * 6)
    workdir = train(run, tmp_path / "run")
    whole = workdir.metrics.read_text("utf-8")
    for step in range(newest + 1, 7):
        shutil.rmtree(workdir.checkpoints / str(step))
    capsys.readouterr()
    train(run, workdir.folder)
    assert told(capsys, FAILURE) == again
    assert workdir.metrics.read_text("utf-8") == whole


@pytest.fixture
def gan(tmp_path):
    """Trains the tiny GAN for some steps more, and returns its report.

    It is evaluated on what it trains on: images of noise have nothing in common by which to know others.
    """

    def run(steps=40, **rates):
        config = on_small_data(load_config("gan_fashion_mnist", "tiny"))
        config["train"] |= {"steps": steps, "log_every": steps}
        config["evaluate"] |= {"every": steps // 2, "split": "train"}
        config["checkpoint"] |= {"every": 0}
        config["networks"]["discriminator"]["widths"] = (16,)
        config["evals"] = {}
        for name, rate in rates.items():
            config["optimizers"][name] |= {"learning_rate": rate}
        return reported(train(build(config, devices=jax.devices()[:1]), tmp_path / "run"))

    return run


def test_a_discriminator_that_learns_far_too_fast_is_told(gan, capsys):
    page = gan(discriminator=0.02, generator=1e-7)
    assert told(capsys, DISCRIMINATOR_WON) == [f"step 40: {DISCRIMINATOR_WON}"]
    assert f"Step 40: {DISCRIMINATOR_WON}" in page


def test_a_gan_that_goes_well_says_nothing(gan, capsys):
    page = gan()
    assert not told(capsys, DISCRIMINATOR_WON, COLLAPSED) and 'class="wrong"' not in page


def test_a_generator_that_ignores_its_noise_is_told(gan, capsys, monkeypatch):
    render = mlp.Generator.__call__
    monkeypatch.setattr(
        mlp.Generator, "__call__", lambda self, z, *rest, **options: render(self, jnp.zeros_like(z), *rest, **options)
    )
    page = gan()
    assert told(capsys, COLLAPSED) == [f"step 40: {COLLAPSED}"] and f"Step 40: {COLLAPSED}" in page
