"""A finished run in Python: the same samples for the same seed, as the data set has them, and something to look at."""

import shutil
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image
from support import ROOT, load_config, write_texts

import aigc_jax
from aigc_jax import modes
from aigc_jax.build import build
from aigc_jax.errors import ConfigError, UserError
from aigc_jax.train import loop, trained
from aigc_jax.train.workdir import Workdir


@pytest.fixture(scope="module")
def runs(on_small_data, tmp_path_factory):
    """A function: configuration -> the folder of a tiny run of it."""
    made = {}

    def trained_run(name):
        if name not in made:
            made[name] = tmp_path_factory.mktemp(name) / "run"
            config = on_small_data(load_config(name, "tiny"))
            config = {**config, "evals": {}}
            loop.train(build(config), Workdir(made[name]), time.time())
        return made[name]

    return trained_run


@pytest.mark.parametrize(
    ("name", "shape", "kind"),
    [
        ("cddpm_digits", (8, 8, 8, 1), "u"),
        ("gpt_points", (8, 2), "u"),
        ("gpt_fashion_mnist", (8, 8, 8, 1), "u"),
        ("gpt_sentences", (8,), "U"),
    ],
)
def test_samples_are_as_the_data_set_has_them_and_follow_from_their_seed(runs, name, shape, kind):
    model = aigc_jax.load(runs(name))
    one, same, other = model.sample(8, seed=1), model.sample(8, seed=1), model.sample(8, seed=2)
    assert isinstance(one, np.ndarray) and one.shape == shape and one.dtype.kind == kind
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()
    assert model.step == 4 and model.networks["net"]["name"] == model.config["networks"]["net"]["name"]
    assert len(np.unique(model.sample(19), axis=0)) > 9, "more than a batch, and batches differ"


def test_they_are_those_of_the_command_line(runs):
    folder = Workdir(runs("cddpm_digits"))
    config = load_config("cddpm_digits", "tiny")
    config = {**config, "sample": {**config["sample"], "n": 3, "given": "each", "seed": 5}}
    config["evals"] = {}
    trained.sample(build(config), folder)
    with np.load(folder.samples / "sample_00000004.npz") as written:
        np.testing.assert_array_equal(aigc_jax.load(folder.folder).sample(3, "each", 5), written["image"])


def test_samples_do_not_depend_on_the_size_of_a_batch(runs):
    folder = runs("cddpm_digits")
    many, few = (aigc_jax.load(folder, {"evaluate.batch_size": size}).sample(11, seed=4) for size in (8, 3))
    assert np.abs(many.astype(int) - few).max() <= 1, "but for rounding to a level"
    np.testing.assert_array_equal(aigc_jax.load(folder).sample(5, seed=4), many[:5])


def test_images_show_themselves_and_what_is_computed_from_them_does_not(runs, tmp_path):
    samples = aigc_jax.load(runs("cddpm_digits")).sample(8, given=3)
    assert samples._repr_png_().startswith(b"\x89PNG")
    samples.show().save(tmp_path / "page.png")
    with Image.open(tmp_path / "page.png") as page:
        assert page.size == (200, 200)  # 3 columns and 3 rows of 64 pixels with their gaps
    assert samples[0].show().size == (68, 68) and samples[:2]._repr_png_()
    assert type(samples / 255) is np.ndarray and type(samples.mean()) is np.float64
    assert samples[..., 0]._repr_png_() is None and samples[:0]._repr_png_() is None
    with pytest.raises(UserError, match=r"shape \[8, 8, 8\] holds no whole samples"):
        samples[..., 0].show()


def test_texts_show_as_text_and_begin_as_asked(runs):
    samples = aigc_jax.load(runs("gpt_sentences")).sample(3, given="今天")
    assert [text[:2] for text in samples] == ["今天"] * 3
    assert repr(samples.show()).startswith(f"[1]\n{samples[0]}\n\n[2]\n") and samples._repr_png_() is None


def test_a_stream_is_the_sample_piece_by_piece(runs):
    model = aigc_jax.load(runs("gpt_sentences"))
    for given, seed in (("", 0), ("今天", 3)):
        whole = str(model.sample(1, given, seed)[0]).removeprefix(given)
        pieces = list(model.stream(given, seed))
        assert "".join(pieces) == whole and len(pieces) > 1
        assert "".join(model.stream(given, seed, temperature=0.0)) == str(
            model.sample(1, given, temperature=0.0)[0]
        ).removeprefix(given)


def test_a_text_ends_with_a_stop_and_a_stream_before_it(runs):
    model = aigc_jax.load(runs("gpt_sentences"))
    whole = str(model.sample(1, seed=2)[0])
    stop = whole[4:6]
    end = whole.index(stop)
    assert str(model.sample(1, seed=2, stop=stop)[0]) == whole[: end + 2]
    assert "".join(model.stream(seed=2, stop=[stop, "not there"])) == whole[:end]
    prompted = str(model.sample(1, given=whole[:7], seed=2, stop=whole[:2])[0])
    assert prompted.startswith(whole[:7]), "a prompt may have it"


def test_a_model_of_images_writes_no_text(runs):
    model = aigc_jax.load(runs("cddpm_digits"))
    with pytest.raises(UserError, match="does not write token by token"):
        next(model.stream())
    with pytest.raises(UserError, match="Nothing here stops"):
        model.sample(1, stop="x")


def test_beams_find_a_text_that_is_more_probable(runs):
    model = aigc_jax.load(runs("gpt_sentences"))
    assert str(model.sample(1, beams=3)[0]) == str(model.sample(1, seed=9, beams=3)[0]), "nothing is drawn"


def test_neither_data_nor_configuration_file_is_needed(tmp_path, monkeypatch):
    config = load_config("gpt_tang", "tiny")
    texts, folder = write_texts(tmp_path / "texts"), Workdir(tmp_path / "run")
    run = build({**config, "data": {**config["data"], "path": str(texts)}}, tmp_path / "prepared")
    loop.train(run, folder, time.time())
    trained.sample(run, folder)
    there = (folder.samples / "sample_00000004.jsonl").read_bytes()
    shutil.rmtree(texts)
    shutil.rmtree(tmp_path / "prepared")
    assert len(aigc_jax.load(folder.folder).sample(3)) == 3
    line = ["aigc_jax sample", f"--workdir={folder.folder}", f"--data_dir={tmp_path / 'prepared'}"]
    modes.run(line, time.time(), "sample")
    assert [path.read_bytes() for path in folder.samples.glob("sample_*.jsonl")] == [there]
    with pytest.raises(UserError, match=r"another configuration \(networks.net.width differ\)"):
        modes.run([*line, "--config.networks.net.width=4"], time.time(), "sample")
    with pytest.raises(UserError, match="texts"):
        modes.run(line, time.time(), "evaluate")


def test_settings_may_be_those_that_training_has_not_fixed(runs):
    folder = runs("cddpm_digits")
    quick = aigc_jax.load(folder, {"sample.steps": 1})
    usual = aigc_jax.load(folder)
    assert (quick.sample(8) != usual.sample(8)).any()
    np.testing.assert_array_equal(usual.sample(8, steps=1), quick.sample(8))
    assert aigc_jax.load(folder, {"parallel.data": 8}).sample(8).shape == (8, 8, 8, 1)
    with pytest.raises(ConfigError, match=r'no configuration key "sample.step".*"sample.steps"'):
        aigc_jax.load(folder, {"sample.step": 1})
    with pytest.raises(ConfigError, match="\"sample.eta\" has to be a float, and is 'much'"):
        aigc_jax.load(folder, {"sample.eta": "much"})
    with pytest.raises(UserError, match='"every" is no setting of sampling'):
        usual.sample(2, every=3)
    with pytest.raises(ConfigError, match=r'"sample.warmth"\. Known: .*eta, every, given, guidance, .*n, '):
        usual.sample(2, warmth=0.5)
    with pytest.raises(UserError, match="another configuration"):
        aigc_jax.load(folder, {"seed": 1})


def test_what_is_not_there_is_said(runs, tmp_path):
    with pytest.raises(UserError, match="There is no run in"):
        aigc_jax.load(tmp_path)
    model = aigc_jax.load(runs("cddpm_digits"))
    with pytest.raises(UserError, match='no class "cat"'):
        model.sample(2, given="cat")
    for n, seed in ((0, 0), (2, -1), (2, 2**32)):
        with pytest.raises(UserError, match="n has to be at least 1, and seed from 0 to"):
            model.sample(n, seed=seed)
    with pytest.raises(UserError, match="is given nothing"):  # rather than which classes its data have
        aigc_jax.load(runs("gan_points")).sample(2, given="cat")
    with pytest.raises(TypeError, match="integer"):
        model.sample(1, seed=1.5)


def test_importing_the_package_imports_nothing_else():
    code = "import sys, aigc_jax; print(sorted({'jax', 'numpy', 'absl', 'tensorflow_datasets'} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert found.stdout == "[]\n", found.stderr


def test_rows_of_the_data_are_asked_for_on_the_command_line(runs, tmp_path):
    """The data are read then; else sampling does without them."""
    folder = tmp_path / "run"
    shutil.copytree(runs("cddpm_digits"), folder, ignore=shutil.ignore_patterns("sample_*"))
    for text in ("split:test", "test:2"):
        modes.run(["aigc_jax sample", f"--workdir={folder}", f"--config.sample.given={text}"], time.time(), "sample")
    test = build(load_config("cddpm_digits", "tiny")).data.splits["test"].arrays
    with np.load(folder / "samples" / "sample_00000004.npz") as rows:
        np.testing.assert_array_equal(rows["label"], test["label"][:8])
        np.testing.assert_array_equal(rows["truth"], test["image"][:8])
    with np.load(folder / "samples" / "sample_00000004_2.npz") as rows:
        assert rows["label"].tolist() == [test["label"][2]] * 8 and "truth" not in rows
    names = {path.name for path in (folder / "samples").glob("sample_*")}
    endings = (".png", ".npz", ".given.jsonl")
    assert names == {f"sample_00000004{number}{ending}" for number in ("", "_2") for ending in endings}
    with pytest.raises(UserError, match='rows of "test" need the data'):
        aigc_jax.load(folder).sample(2, given="split:test")


def test_a_model_that_is_to_be_given_rows_of_the_data_reads_them(runs):
    model = aigc_jax.load(runs("cddpm_digits"), {"sample.given": "split:test"})
    assert model.sample(2, given="test:3").shape == (2, 8, 8, 1)
