"""Samples held against the data: what is measured, how it is recorded, and what is refused."""

import json
import shutil
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from support import load_config

from aigc_jax.build import build
from aigc_jax.data import catalogue
from aigc_jax.data.given import Asked
from aigc_jax.data.rows import TRUTH
from aigc_jax.errors import ConfigError, UserError
from aigc_jax.evaluate import audit
from aigc_jax.evaluate.judge import build_judge
from aigc_jax.metrics.features.catalogue import extractor
from aigc_jax.metrics.frechet import frechet_distance, moments
from aigc_jax.metrics.record import latest, read_records, same_protocol
from aigc_jax.train import loop, manifest, report, trained
from aigc_jax.train.journal import measured
from aigc_jax.train.run import Run
from aigc_jax.train.workdir import Workdir

MEASURES = ("frechet", "kid", "precision_recall", "density_coverage")


@pytest.fixture(scope="module")
def digits():
    return catalogue.load({"name": "digits"}, None)


def judging(data, count, measures=MEASURES, heldout="test"):
    return build_judge(data, "train", heldout, count, measures, "digits", Path("/nowhere"), None)


def test_figures_of_real_samples_are_their_floor(digits):
    count = 360  # all of the test split
    found = judging(digits, count)
    images = digits.splits["test"][np.arange(count)]["image"]
    figures = {figure.protocol.measure: figure for figure in found.figures([found.look({"image": images})], seed=0)}
    assert tuple(figures) == found.names
    for name in ("FD-digits", "precision", "recall", "density", "coverage"):
        assert figures[name].interval.value == pytest.approx(figures[name].floor), name
        assert figures[name].interval.low <= figures[name].interval.value <= figures[name].interval.high
    eye = extractor("digits", Path("/nowhere"))
    real = digits.splits["train"][np.arange(len(digits.splits["train"]))]["image"]
    expected = frechet_distance(moments(eye(real).features), moments(eye(images).features))
    assert figures["FD-digits"].interval.value == pytest.approx(expected, rel=1e-6)
    protocol = figures["FD-digits"].protocol
    assert (protocol.samples, protocol.references, protocol.split) == (360, len(real), "train")
    assert protocol.extractor_sha256 == eye.sha256


def test_worse_samples_have_worse_figures(digits):
    found = judging(digits, 360)
    images = digits.splits["test"][np.arange(360)]["image"]
    noise = np.random.RandomState(0).randint(-90, 90, images.shape)
    noisy = np.clip(images.astype(int) + noise, 0, 255).astype(np.uint8)
    few = images[np.arange(360) % 12]  # twelve images again and again

    def values(samples):
        parts = [found.look({"image": part}) for part in np.split(samples, [100, 101])]
        return {figure.protocol.measure: figure.interval.value for figure in found.figures(parts, seed=0)}

    good, bad, repeated = values(images), values(noisy), values(few)
    assert bad["FD-digits"] > 2 * good["FD-digits"] and bad["precision"] < good["precision"]
    assert repeated["coverage"] < 0.5 * good["coverage"] and repeated["precision"] > 0.9


def test_measures_by_class(digits):
    rows = digits.splits["test"][np.arange(360)]
    found = judging(digits, 360, ("classes", "class_accuracy"))
    right, wrong = (
        {
            f.protocol.measure: f.interval.value
            for f in found.figures([found.look({"image": rows["image"], "label": labels})], seed=0)
        }
        for labels in (rows["label"], (rows["label"] + 1) % 10)
    )
    assert right["class_accuracy"] > 0.95 and wrong["class_accuracy"] < 0.05
    assert 0 <= right["class_JS"] < 0.02
    rest = found.figures([found.look({"image": rows["image"]})], seed=0)
    assert [figure.protocol.measure for figure in rest] == ["class_KL", "class_JS"]
    assert len(found.left_out) == 1 and "class_accuracy: Measures by class need samples of known" in found.left_out[0]


def test_what_is_refused(digits):
    with pytest.raises(ConfigError, match='no "frechett". Did you mean "frechet"'):
        judging(digits, 360, ("frechett",))
    with pytest.raises(ConfigError, match="names nothing"):
        judging(digits, 360, ())
    few = judging(digits, 20, ("frechet",))
    assert not few.figures([few.look({"image": digits.splits["test"][np.arange(20)]["image"]})], seed=0)
    assert "needs more than 64 samples on each side, and there are 20" in few.left_out[0]
    with pytest.raises(UserError, match="2 of 3 samples hold NaN or infinity, the first is number 1"):
        digits.made.stored(np.array([0, np.nan, np.inf])[:, None, None, None] * np.ones((3, 8, 8, 1)))
    with pytest.raises(ConfigError, match='no extractor "digit". Did you mean "digits"'):
        build_judge(digits, "train", "test", 100, MEASURES, "digit", Path("/nowhere"), None)
    with pytest.raises(ConfigError, match=r"Nothing measures samples of digits \(smells\): leave it out"):
        judging(replace(digits, fields={"image": SimpleNamespace(kind="smells")}), 100)


def test_pairs_are_held_against_their_true_targets(digits, capsys):
    """PSNR of a known error: 10 log10(255² / d²) where every value differs by d."""
    found = judging(digits, 20, ("psnr",))
    truth = digits.splits["test"][np.arange(20)]["image"]
    made = np.where(truth > 127, truth - 5, truth + 5).astype(np.uint8)
    looks = [found.look({"image": made[part], TRUTH: truth[part]}) for part in (slice(0, 8), slice(8, 20))]
    (figure,) = found.figures(looks, seed=0)
    assert figure.protocol.measure == "PSNR" and figure.floor is None and figure.protocol.extractor == ""
    assert figure.interval.value == pytest.approx(10 * np.log10(255**2 / 25))
    with pytest.raises(ConfigError, match="needs the true targets.*given=split:test"):
        found.check(Asked({}, None, []))
    rows = [{"image": f"test:{i}"} for i in range(20)]
    found.check(Asked({}, truth, rows))
    assert capsys.readouterr().err == ""
    found.check(Asked({}, truth, rows[:15] + rows[:5]))
    assert "samples is 20, and there are 15 rows to generate from" in capsys.readouterr().err


QUALITY = {"samples": 80, "measures": ("frechet", "precision_recall"), "extractor": "digits"}
EVALS = {"quality": QUALITY, "classes": {"samples": 40, "measures": ("classes",), "extractor": "digits", "every": 4}}


@pytest.fixture(scope="module")
def trained_run(tmp_path_factory):
    config = load_config("ddpm_digits", "tiny")
    config["evaluate"] |= {"every": 2, "budget": 0.0}
    config["evals"] = EVALS
    config["tracking"] = {"tensorboard": False, "wandb": ""}
    workdir = Workdir(tmp_path_factory.mktemp("run"))
    run = build(config)
    loop.train(run, workdir, time.time())
    return config, workdir


OF_SAMPLES = ("FD-digits", "precision", "recall")


def test_training_measures_and_records(trained_run, capsys):
    config, workdir = trained_run
    records = read_records(workdir.records)
    names = [record.protocol.measure for record in records if record.step == 4]
    assert [record.protocol.measure for record in records if record.step == 2] == names[:-2]
    assert set(OF_SAMPLES) < set(names) and "bits_per_dim" in names and names[-2:] == ["class_KL", "class_JS"]
    at_end = {record.protocol.measure: record for record in records if record.step == 4}
    for logged, value in measured(workdir.metrics, 4, "test").items():
        evaluation, _, name = logged.rpartition("/")
        assert evaluation == {"class_KL": "classes", "class_JS": "classes"}.get(
            name, "quality" if name in OF_SAMPLES else ""
        )
        assert at_end[name].value == pytest.approx(value)
        assert at_end[name].name == logged and at_end[name].evaluation == evaluation
        assert at_end[name].low <= value <= at_end[name].high
        assert (at_end[name].protocol.references > 0) == (evaluation != "")
    assert at_end["FD-digits"].seconds > 0 and at_end["FD-digits"].device
    for record in records:  # measured before the step was saved, and signed when it was
        assert record.checkpoint == manifest.digest(workdir.checkpoints / str(record.step))
    # Measured afterwards: the same samples of the same weights.
    trained.evaluate(build(config), workdir)
    assert "FD-digits" in capsys.readouterr().out
    again = latest(read_records(workdir.records))
    assert len(again) == len(at_end)
    for record in again:
        before = at_end[record.protocol.measure]
        assert (record.value, record.low, record.high) == (before.value, before.low, before.high)
        assert record.checkpoint == before.checkpoint
        same_protocol([before, record])


def test_the_report_shows_them(trained_run):
    config, workdir = trained_run
    page = workdir.report.read_text("utf-8")
    assert "FD-digits" in page and "95 % interval" in page and "80 samples against 1,437 of digits" in page
    assert "<b>FD-digits</b>, lower is better: how far" in page and "digits: train 1,437, test 360;" in page
    assert "training examples of digits, drawn at random" in page and "grey levels (root mean square" in page
    with Image.open(workdir.folder / "nearest.png") as nearest, Image.open(workdir.folder / "real.png") as real:
        assert nearest.width > nearest.height and real.mode == "L"
    workdir.report.unlink()
    trained.evaluate(build(config), workdir)
    assert workdir.report.read_text("utf-8") == page, "evaluating writes it anew"


def test_a_report_of_several_shows_samples_of_equal_keys_or_none(trained_run, tmp_path):
    _, workdir = trained_run
    other = Workdir(shutil.copytree(workdir.folder, tmp_path / "other"))
    page = report.page([workdir, other])
    assert page.count("step_00000004.png</figcaption>") == 2
    assert page.count("training examples of digits, drawn at random") == 1, "both have the same"
    config = json.loads(other.config.read_text("utf-8"))
    config["sample"]["given"] = "each"
    other.config.write_text(json.dumps(config), "utf-8")
    assert "they were not drawn alike (sample.given differ)" in report.page([workdir, other])


def test_the_run_is_audited(trained_run, capsys):
    config, workdir = trained_run
    audit.of_run(build(config), workdir)
    assert "samples" in capsys.readouterr().out
    found = json.loads((workdir.audit / "audit.json").read_text("utf-8"))
    assert (found["made"], found["train"], found["unseen"]) == (80, 1437, 360)
    assert "Nearest training examples" in report.page([workdir])


def test_samples_are_for_people_and_for_programs(trained_run):
    config, workdir = trained_run
    trained.sample(build({**config, "sample": {**config["sample"], "n": 11}}), workdir)  # more than a batch
    with np.load(workdir.samples / "sample_00000004.npz") as found:
        assert found.files == ["image"] and found["image"].dtype == np.uint8
        assert len(np.unique(found["image"].reshape(11, -1), axis=0)) == 11
    assert "sample_00000004.png" in report.page([workdir])


def test_a_budget_that_will_not_do_leaves_training_alone(tmp_path, capsys):
    config = load_config("ddpm_digits", "tiny")
    config["evaluate"] |= {"every": 2, "budget": 1e-6}
    config["evals"] = {"quality": QUALITY}
    workdir = Workdir(tmp_path / "run")
    loop.train(build(config), workdir, time.time())
    measures = {2: set(), 4: set()}
    for record in read_records(workdir.records):
        measures[record.step].add(record.protocol.measure)
    assert not measures[2] & set(OF_SAMPLES)
    assert set(OF_SAMPLES) < measures[4], "after the last step nothing waits"
    said = capsys.readouterr().out
    assert "The samples of step 2 are not measured: 80 samples take about" in said and "of step 4 are not" not in said


def test_a_process_that_ends_while_it_measures_the_last_step_loses_no_step(tmp_path, monkeypatch, capsys):
    config = load_config("ddpm_digits", "tiny")
    config["evaluate"] |= {"every": 0}
    config["evals"] = {"quality": QUALITY}
    config["checkpoint"]["best"] = ""
    workdir = Workdir(tmp_path / "run")
    with monkeypatch.context() as patched:
        patched.setattr(Run, "judged", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            loop.train(build(config), workdir, time.time())
    assert sorted(path.name for path in workdir.checkpoints.iterdir() if path.is_dir()) == ["2", "4"]
    loop.train(build(config), workdir, time.time())
    assert "recomputed" not in capsys.readouterr().out
    assert set(OF_SAMPLES) < {record.protocol.measure for record in read_records(workdir.records)}
    assert workdir.samples.joinpath("step_00000004.png").is_file()
