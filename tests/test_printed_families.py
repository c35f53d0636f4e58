"""Families that the documents print keep the laws of every family, by new files alone: no old file is edited.

They are written to a folder, which the package reads beside its own. `test_contract` has the laws.
"""

import sys
import time

import jax
import numpy as np
import pytest
import test_contract as contract
from PIL import Image
from printing import load_file, printing
from support import ROOT, load_config, on_small_data, same
from test_contract import (  # noqa: F401 - collected here too, for the `trained` below
    test_a_mesh_of_eight_devices_trains_what_one_does,
    test_a_sample_depends_neither_on_its_batch_nor_on_its_place,
    test_a_step_hands_on_what_is_frozen_and_leaves_counting_to_the_trainer,
    test_evaluating_and_sampling_change_nothing_and_stay_finite,
    test_interrupted_and_resumed_is_uninterrupted,
    test_same_key_same_bits,
    test_step_keeps_the_tree_and_moves_every_weight,
)

from aigc_jax.build import build
from aigc_jax.config import NETWORK
from aigc_jax.data.grid import GAP, LOOKABLE
from aigc_jax.data.rows import shown
from aigc_jax.errors import UserError
from aigc_jax.train import loop
from aigc_jax.train import trained as finished
from aigc_jax.train.run import JUDGING
from aigc_jax.train.workdir import Workdir

pytestmark = pytest.mark.long(part="printed")

KEY = jax.random.key(0)
PAGES = ("add-a-family", "image-pairs", "add-a-codec", "add-an-adapter", "weights")
SMALL = {"networks.net": dict(name="mlp.Denoiser", width=8, blocks=1, octaves=1)}  # a U-Net compiles long
BANDS = {  # of both images of a pair, of 4 x 4 each
    "codec": {"name": "haar"},
    "encoders": {"coarse": {"name": "haar"}},
    "networks.discriminator.layers": 0,
}
FAMILIES = {  # case -> (configuration, dotted key -> what is changed in its tiny twin)
    "pairs": ("pix2pix_digits", {}),
    "unpaired": ("cyclegan_digits", {"data.rounds": 3}),
    "flow": ("realnvp_digits", {}),
    "bands": ("pix2pix_digits", BANDS),
    "codec": ("ddpm_haar", SMALL),
    "latents": ("ddpm_latents", {"frozen.codec.weights": "run:{vae}#net"}),
    "ia3": ("ia3_sentences", {"networks.net.start": "fresh:0"}),
    "lora": ("lora_sentences", {"networks.net.start": "fresh:0"}),
}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Path as printed -> the file, of all pages together."""
    with printing(tmp_path_factory.mktemp("printed")) as write:
        yield {path: file for page in PAGES for path, file in write(f"docs/{page}.md").items()}


@pytest.fixture(scope="module")
def vae(tmp_path_factory):
    """(a run of a tiny VAE, its work directory after training)."""
    run = build(on_small_data(load_config("vae_fashion_mnist", "tiny")))
    workdir = Workdir(tmp_path_factory.mktemp("vae") / "run")
    loop.train(run, workdir, time.time())
    return run, workdir


def configured(files, case, size, **places):
    """The settings of a case, with an optimizer that shows no rounding."""
    name, changes = FAMILIES[case]
    config = on_small_data(load_file(files[f"configs/{name}.py"]).get_config(size).to_dict())
    for key, value in changes.items():
        *sections, last = key.split(".")
        place = config
        for section in sections:
            place = place[section]
        place[last] = value.format(**places) if isinstance(value, str) else value
    optimizers = {network: {**section, **contract.PLAIN} for network, section in config["optimizers"].items()}
    return {**config, "optimizers": optimizers, "evals": {}, "tracking": {**config["tracking"], "tensorboard": False}}


@pytest.fixture(scope="module", params=[pytest.param(case, marks=pytest.mark.xdist_group(case)) for case in FAMILIES])
def trained(request, files, tmp_path_factory):
    places = {"vae": request.getfixturevalue("vae")[1].folder} if request.param == "latents" else {}
    config = configured(files, request.param, "tiny", **places)
    run, workdir = build(config, devices=jax.devices()[:1]), Workdir(tmp_path_factory.mktemp("run") / "straight")
    loop.train(run, workdir, time.time())
    return contract.Trained(config, run, workdir, *contract.steps(run))


def only(*cases):
    """The law holds of these alone, or is held against them alone."""
    marked = [pytest.param(case, marks=pytest.mark.xdist_group(case)) for case in cases]
    return pytest.mark.parametrize("trained", marked, indirect=True)


@only("pairs", "unpaired")
def test_pmap_trains_what_one_device_does(trained):
    contract.check_parallel(trained, {"compile": "pmap"})


@only("pairs")
def test_a_page_of_pairs_shows_what_is_given_and_the_truth(trained, tmp_path):
    """In three columns: the test split's coarse image, the sample, and the test split's image."""
    run = trained.run
    rows = next(run.samples(trained.state, 5, 1))
    test = run.data.splits["test"][np.arange(5)]
    np.testing.assert_array_equal(rows["coarse"], test["coarse"])
    np.testing.assert_array_equal(rows["truth"], test["image"])
    page = np.asarray(Image.open(shown(run.data, rows).write(tmp_path / "page")))
    side, gap = LOOKABLE, GAP
    lines = [page[top : top + side] for top in range(gap, len(page) - gap, side + gap)]
    pictures = [line[:, left : left + side] for line in lines for left in range(gap, line.shape[1] - gap, side + gap)]
    wanted = [rows[name][i, ..., 0] for i in range(5) for name in ("coarse", "image", "truth")]
    for found, image in zip(pictures, wanted, strict=False):
        np.testing.assert_array_equal(found[::8, ::8], image)


@only("unpaired")
def test_an_image_meets_another_one_in_each_round_and_the_same_after_a_resume(trained):
    source, again = (build(trained.config).data.splits["train"] for _ in range(2))
    count = len(source) // 3
    turns = source[np.arange(len(source))]["negative"].reshape(3, count, -1)
    assert np.mean(np.any(turns[0] != turns[1], -1)) > 0.99
    assert same(source[np.arange(7, 900, 31)], again[np.arange(7, 900, 31)])
    assert not np.array_equal(*(source[np.array([i])]["negative"] for i in (0, count)))
    np.testing.assert_array_equal(*(source[np.array([i])]["image"] for i in (0, count)))
    assert {"image", "negative"} == next(trained.run.samples(trained.state, 5, 1)).keys(), "there is no truth to show"


def towards(trained, field, given):
    """The run with another target, of an image file, without its data."""
    config = {**trained.config, "data": {**trained.config["data"], "target": field}}
    config["sample"] = {**config["sample"], "given": str(given)}
    return build(config, devices=jax.devices()[:1], kept=trained.workdir.kept(), recall=True)


@pytest.fixture
def picture(tmp_path):
    file = tmp_path / "picture.png"
    Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8) * 4).save(file)
    return file


@only("unpaired")
def test_a_run_of_unpaired_images_samples_either_field(trained, picture):
    """With the same weights: what is made of the picture depends on the field that it is taken for."""
    made = {}
    for field in ("image", "negative"):
        run = towards(trained, field, picture)
        state = finished.restore(run, trained.workdir)
        made[field] = next(run.samples(state, 1, 1))[field]
        learnt = trained.run.programs.method.sample(
            run.programs.keys(1, 0, np.arange(1)), state, run.data.conditions(KEY, run.asked(1).rows), run.plan
        )
        np.testing.assert_allclose(made[field].astype(int), run.data.made.stored(np.asarray(learnt)), atol=1)
    assert not np.array_equal(made["image"], made["negative"])


@only("pairs")
def test_a_run_of_pairs_samples_its_own_target_alone(trained, picture):
    with pytest.raises(UserError, match=r"data\.target differ"):
        finished.restore(towards(trained, "coarse", picture), trained.workdir)


@only("pairs")
def test_the_measure_of_pairs_is_that_of_what_is_shown(files, trained):
    """Of the test split's coarse images in their order: 10 log10(255² / mean squared error), in grey levels."""
    evals = load_file(files["configs/pix2pix_digits.py"]).get_config("tiny").to_dict()["evals"]
    run = build({**trained.config, "evals": evals}, devices=jax.devices()[:1])
    figure = next(each for each in run.judged("pairs", trained.state) if each.protocol.measure == "PSNR")
    rows = next(run.given("split:test").samples(trained.state, 8, JUDGING))
    squared = np.mean((rows["image"].astype(float) - run.data.splits["test"][np.arange(8)]["image"]) ** 2, (1, 2, 3))
    assert figure.interval.value == pytest.approx(np.mean(10 * np.log10(255**2 / squared)))


@only("bands")
def test_what_is_given_is_encoded_too(trained):
    described = trained.run.programs.described
    assert described.params["generator"]["image"]["Halve_0"]["kernel"].shape[2] == 4, "four bands are read"
    samples, _ = contract.sampled(trained.run, trained.state)
    assert samples.shape[1:] == (8, 8, 1)


@only("codec", "latents")
def test_samples_are_images_whatever_the_network_made(trained):
    run = trained.run
    inner = {"haar": (4, 4, 4), "latents": (1, 1, 4)}[run.config["codec"]["name"]]
    assert run.programs.described_batch.target.shape[1:] == inner
    samples, _ = contract.sampled(run, trained.state)
    assert samples.shape[1:] == run.data.made.facts["shape"]
    assert run.data.made.stored(samples).dtype == np.uint8


@only("latents")
def test_the_codec_is_the_network_of_the_other_run(trained, vae):
    """Its averaged weights, none of which is saved again."""
    assert same(trained.run.programs.frozen["codec"]["params"], finished.restore(*vae).weights("net"))
    assert not any("codec" in path.name for path in trained.workdir.checkpoints.rglob("*"))


@only("ia3", "lora")
def test_an_adapter_is_all_that_is_saved(trained):
    saved = sum(leaf.size for leaf in jax.tree.leaves(trained.state.params))
    base = sum(leaf.size for leaf in jax.tree.leaves(trained.run.programs.frozen["networks.net.start"]))
    assert 0 < saved < base / 5
    assert not any("networks.net" in path.name for path in trained.workdir.checkpoints.rglob("*"))


@pytest.mark.parametrize("case", FAMILIES)
def test_full_configurations_build(files, case):
    config = configured(files, case, "full", vae="")
    if "frozen" in config:
        config["frozen"] = {"codec": {"weights": "fresh:0", **load_config("vae_fashion_mnist")["networks"]["net"]}}
        for key in NETWORK:
            config["frozen"]["codec"].pop(key)
    build({**config, "evaluate": {**config["evaluate"], "batch_size": 64}})


def test_no_printed_file_is_there_already(files):
    assert len(files) > 15
    assert not [path for path in files if (ROOT / path).exists()]


class Passed:
    """What a run of pytest within this one said."""

    def __init__(self):
        self.files = set()

    def pytest_runtest_logreport(self, report):
        if report.when == "call" and report.passed:
            self.files.add(report.nodeid.partition("::")[0].rpartition("/")[2])


def test_the_printed_tests_pass(files):
    tests = [path for name, path in files.items() if name.startswith("tests/")]
    heard, before = Passed(), set(sys.modules)
    quiet = ["-q", "-s", "-p", "no:cacheprovider", "-p", "no:xdist", "-c", "/dev/null", "--import-mode=importlib"]
    root = tests[0].parents[2]  # else folders would be modules of their own names, such as Python's `codecs`
    assert pytest.main([*quiet, f"--rootdir={root}", *map(str, tests)], plugins=[heard]) == 0
    for name in set(sys.modules) - before:
        if name.partition(".")[0] == "tests":
            del sys.modules[name]
    assert hasattr(sys.modules["codecs"], "Codec")
    assert heard.files == {path.name for path in tests} and len(tests) == 3
