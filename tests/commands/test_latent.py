"""Tools in a latent space, on a generator whose layers paint a stripe each, so that every picture has a closed form."""

import functools
import itertools
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image
from support import load_config

from aigc_jax import command, console, library
from aigc_jax.build import build, planned
from aigc_jax.commands.latent import DISTANCES
from aigc_jax.errors import UserError
from aigc_jax.latent_space import LatentSpace, walks
from aigc_jax.method import Method, State
from aigc_jax.metrics.features import lpips
from aigc_jax.ops.directions import closed_form_directions
from aigc_jax.train import loop
from aigc_jax.train.programs import Programs
from aigc_jax.train.run import SAMPLING
from aigc_jax.train.workdir import Workdir

SIDE, LAYERS, WIDTH = 8, 4, 3  # of the images; of the styles
STRIPE = SIDE // LAYERS  # rows of pixels that a layer paints
PSI = 0.5


def striped() -> Method:
    """z [n, 3] -> w = 2 z + label / 10 in every layer; layer l paints stripe l with w A / 16."""
    kernel = np.random.RandomState(0).randn(WIDTH, STRIPE * SIDE).astype(np.float32)

    def init(key, batch, frozen):
        params = {"generator": {"params": {"kernel": jnp.asarray(kernel)}}}
        return State(jnp.int32(0), params, {}, {}, {}, frozen)

    def draw(keys, truncation=10.0):
        return jax.vmap(lambda key: jax.random.normal(key, (WIDTH,)))(keys)

    def style(state, z, given, psi):
        w = psi * (2 * z) + given["label"][:, None] / 10
        return jnp.broadcast_to(w[:, None], (len(z), LAYERS, WIDTH))

    def render(state, w, given):
        stripes = jnp.clip(w @ state.params["generator"]["params"]["kernel"] / 16, -1, 1)
        return stripes.reshape(-1, SIDE, SIDE, 1)

    def directions(state):
        return closed_form_directions([state.params["generator"]["params"]["kernel"]])

    parts = {"draw": draw, "style": style, "render": render, "directions": directions}
    return Method(init, init, init, lambda keys, *rest: keys, reads=("label",), parts=parts)


@pytest.fixture(scope="module")
def stand_in():
    """(run, state) of the striped generator, conditional on a label, with images of the digits' size."""
    run = build(load_config("cddpm_digits", "tiny"))
    made = run.programs
    example = {"image": jax.ShapeDtypeStruct((8, SIDE, SIDE, 1), np.uint8), "label": jax.ShapeDtypeStruct((8,), int)}
    programs = Programs(striped(), made.codec, run.data, made.layout, example, (), 0, {}, 0.0)
    run = run._replace(programs=programs, plan={"psi": np.float32(PSI), "truncation": np.float32(10)}, reads=("label",))
    return run, programs.init()


@pytest.fixture
def aigc_jax(stand_in, monkeypatch, tmp_path):
    """A function: the arguments of `aigc_jax latent` -> its exit code, with the stand-in as the run R."""

    def opened(folder, settings):
        run, state = stand_in
        return run.given(settings.get("sample.given", "")), state

    monkeypatch.setattr(library, "opened", opened)
    monkeypatch.chdir(tmp_path)
    return latent


def cells(path, columns, side=SIDE, gap=2):
    """The images of a page, as they were before they were enlarged: uint8 [rows, columns, side, side]."""
    page = np.asarray(Image.open(path))
    scale = -(-64 // side)
    step = side * scale + gap
    found = [
        page[top : top + side * scale : scale, left : left + side * scale : scale]
        for top, left in itertools.product(range(gap, page.shape[0], step), range(gap, page.shape[1], step))
    ]
    return np.array(found).reshape(-1, columns, side, side)


def images_of(stand_in, w, label):
    """What the generator paints of w [..., LAYERS, WIDTH], computed here."""
    kernel = np.asarray(stand_in[1].params["generator"]["params"]["kernel"])
    values = np.clip(w @ kernel / 16, -1, 1).reshape(*w.shape[:-2], SIDE, SIDE)
    return np.clip(np.rint((values + 1) * 127.5), 0, 255)


def test_a_walk_goes_from_one_image_to_another_along_the_arc(stand_in, aigc_jax, capsys):
    assert aigc_jax("walk", "R", "--ways=2", "--frames=5", "--given=3", "--seed=7") == 0
    png, gif = "R/latent/walk_00000000.png", "R/latent/walk_00000000.gif"
    assert capsys.readouterr().out.split() == [str(Path(file).absolute()) for file in (gif, png)]
    space = LatentSpace(*stand_in)
    z = space.draw(4, 7).reshape(2, 2, 1, WIDTH)
    angles = np.linspace(0, np.pi / 2, 5)[:, None]
    points = np.cos(angles) * z[:, 0] + np.sin(angles) * z[:, 1]
    w = np.repeat((PSI * 2 * points + 0.3)[:, :, None], LAYERS, axis=2)
    page = cells(png, 5)
    assert np.abs(page - images_of(stand_in, w, 3)).max() <= 1
    with Image.open(gif) as frames:
        assert frames.n_frames == 8 and frames.info["loop"] == 0  # there and back, the ends once
        first = np.asarray(frames.convert("L"))
    np.testing.assert_array_equal(first[2:66:8, 2:66:8], page[0, 0])


def test_mixed_images_are_coarsely_as_on_the_left_and_finely_as_on_top(stand_in, aigc_jax, capsys):
    assert aigc_jax("mix", "R", "--rows=2", "--columns=3", "--coarse=1", "--given=each") == 0
    assert "Layers 0 to 0 are of the images on the left, 1 to 3 of those on top." in capsys.readouterr().out
    page = cells("R/latent/mix_00000000.png", 4)
    assert page.shape[0] == 3 and np.all(page[0, 0] == 255)
    for row, column in itertools.product((1, 2), (1, 2, 3)):
        np.testing.assert_array_equal(page[row, column, :STRIPE], page[row, 0, :STRIPE])
        np.testing.assert_array_equal(page[row, column, STRIPE:], page[0, column, STRIPE:])
    assert len(np.unique(page[1:, 0, 0], axis=0)) == 2 and len(np.unique(page[0, 1:, -1], axis=0)) == 3
    assert aigc_jax("mix", "R", "--rows=2", "--columns=3", "--given=each", "--out=half") == 0
    page = cells("half/mix_00000000.png", 4)
    np.testing.assert_array_equal(page[1, 1, : 2 * STRIPE], page[1, 0, : 2 * STRIPE])
    np.testing.assert_array_equal(page[1, 1, 2 * STRIPE :], page[0, 1, 2 * STRIPE :])


def test_the_styles_of_an_image_are_found(stand_in, aigc_jax, capsys):
    """One style for all layers makes the first image; the second needs one for each."""
    random = np.random.RandomState(1)
    whole = np.repeat(random.randn(1, 1, WIDTH), LAYERS, axis=1)
    each = random.randn(1, LAYERS, WIDTH)
    for name, w in (("whole", whole), ("each", each)):
        Image.fromarray(images_of(stand_in, w, 3)[0].astype(np.uint8)).save(f"{name}.png")
    assert aigc_jax("project", "R", "whole.png", "each.png", "--steps=300", "--given=3") == 0
    out = capsys.readouterr().out
    assert "after 0, 9, 19, 38, 75, 150, 300 steps" in out
    with np.load("R/latent/project_00000000.npz") as found:
        np.testing.assert_allclose(found["w"][:1], whole, atol=0.05)
        one_for_all = found["distance"]
    assert one_for_all[0] < 1e-4 < one_for_all[1]
    page = cells("R/latent/project_00000000.png", 9)
    assert np.abs(page[0, 0].astype(int) - page[0, 1]).max() <= 2
    np.testing.assert_array_equal(page[:, 1], page[:, -1])
    mean = images_of(stand_in, np.full((1, LAYERS, WIDTH), 0.3), 3)  # of the styles: that of z is 0
    assert np.abs(page[:, 2] - mean).max() <= 2
    assert aigc_jax("project", "R", "each.png", "--steps=300", "--given=3", "--each-layer", "--out=W") == 0
    with np.load("W/project_00000000.npz") as found:
        np.testing.assert_allclose(found["w"], each, atol=0.05)
        assert found["distance"] < 1e-4
    assert aigc_jax("walk", "R", "--of=R/latent/project_00000000.npz", "--frames=3", "--given=3") == 0
    way = cells("R/latent/walk_00000000.png", 3)
    np.testing.assert_array_equal(way[0, [0, 2]], page[:, 1])


def test_a_direction_changes_the_image_by_its_singular_value(stand_in, aigc_jax, capsys):
    assert aigc_jax("directions", "R", "--directions=2", "--range=1", "--layers=1-2", "--given=3", "--seed=4") == 0
    assert "row 1: " in capsys.readouterr().out
    page = cells("R/latent/directions_00000000.png", 7).astype(float)
    middle = page[:, 3]
    np.testing.assert_array_equal(page[:, :, :STRIPE], np.broadcast_to(middle[:, None, :STRIPE], (2, 7, STRIPE, SIDE)))
    kernel = np.asarray(stand_in[1].params["generator"]["params"]["kernel"])
    moved = np.linalg.norm((page[:, 6] - page[:, 0])[:, STRIPE : 3 * STRIPE].reshape(2, 2, -1), axis=2)
    # From -1 to +1 of a style's standard deviation, which is 2; of pixels that are w A / 16, in levels of 1 / 127.5.
    wanted = np.linalg.svd(kernel)[1][:2] * 2 * 2 / 16 * 127.5
    np.testing.assert_allclose(moved, np.stack([wanted, wanted], axis=1), rtol=0.05)


def test_the_same_seed_writes_the_same_files_and_another_one_others(aigc_jax, tmp_path):
    for seed in (0, 0, 1):
        assert aigc_jax("walk", "R", "--ways=1", "--frames=2", f"--seed={seed}") == 0
    names = {path.name for path in (tmp_path / "R/latent").iterdir()}
    assert names == {f"walk_00000000{number}.{end}" for number in ("", "_2") for end in ("png", "gif")}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["walk", "R", "--frames=1"], 'frames: has to be a whole number, at least 2, and is "1"'),
        (["walk", "R", "--given=cat"], 'no class "cat"'),
        (["walk", "R", "--of=none.npz"], "--of: none.npz cannot be read as the styles that project writes"),
        (["walk", "R", "--of=flat.npz"], "holds [2, 3], and this run's styles are [2 or more, 4, 3]"),
        (["mix", "R", "--coarse=4"], "--coarse is 4, and has to leave some of the 4 layers fine"),
        (["project", "R", "none.png", "--given=3"], "There is no image none.png"),
        (["project", "R", "text.png", "--given=3"], "text.png"),
        (["project", "R", "text.png"], "generated from their label: say it with --given="),
        (["project", "R", "some.png", "--given=3", "--distance=lpips_vgg"], "needs images of 16 × 16 or more"),
        (["project", "R", "some.png", "--given=3", "--steps=0"], "at least 1"),
        (["directions", "R", "--directions=4"], "--directions is 4, and a style has 3 of them"),
        (["directions", "R", "--layers=2-4"], "--layers has to be within 0-3"),
        (["directions", "R", "--layers=2-1"], "--layers has to be within 0-3"),
        (["directions", "R", "--layers=a"], "has to be numbers of layers, such as 0-3"),
        (["directions", "R", "--range=inf"], "has to be a number, above 0"),
        (["directions", "R", "--out=some.png"], "some.png"),
        (["directions", ""], "RUN: is empty"),
        (["turn", "R"], "invalid choice: 'turn'"),
        ([], "the following arguments are required"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_is_refused_in_a_line(aigc_jax, capsys, arguments, said, tmp_path):
    np.savez("flat.npz", w=np.zeros((2, 3)))
    (tmp_path / "text.png").write_text("no image")
    Image.fromarray(np.zeros((20, 30, 3), np.uint8)).save("some.png")
    assert aigc_jax(*arguments) in (1, 2)
    (line,) = capsys.readouterr().err.splitlines()
    assert said.lower() in line.lower()
    assert not (tmp_path / "R").exists()


@pytest.fixture(scope="module")
def trained(on_small_data, tmp_path_factory):
    """A function: configuration -> the folder of a tiny run of it."""

    @functools.cache
    def folder(name):
        found = tmp_path_factory.mktemp(name) / "run"
        config = {**on_small_data(load_config(name, "tiny")), "evals": {}}
        loop.train(build(config), Workdir(found), time.time())
        return found

    return folder


def latent(*arguments):
    """The exit code of `aigc_jax latent`."""
    return command.guarded(lambda argv: console.main(argv, time.time()), ["aigc_jax", "latent", *map(str, arguments)])


def test_a_family_without_styles_walks_too(trained):
    folder = trained("vae_fashion_mnist")
    for seed in (0, 0, 1):
        assert latent("walk", folder, "--ways=2", "--frames=3", f"--seed={seed}") == 0
    pages = [cells(folder / f"latent/walk_00000004{number}.png", 3, 28) for number in ("", "_2")]
    assert all(page.shape == (2, 3, 28, 28) for page in pages) and np.any(pages[0] != pages[1])
    assert len(list((folder / "latent").iterdir())) == 4


def test_the_tools_work_on_a_generator_without_styles(trained, tmp_path, capsys):
    folder = trained("cgan_fashion_mnist")
    options = f"--out={tmp_path}", "--given=3"
    Image.fromarray(np.eye(28, dtype=np.uint8) * 255).save(tmp_path / "eye.png")
    assert latent("walk", folder, "--ways=1", "--frames=3", *options) == 0
    assert latent("project", folder, tmp_path / "eye.png", "--steps=4", *options) == 0
    assert latent("directions", folder, "--directions=1", *options) == 0
    assert latent("directions", folder, f"--of={tmp_path / 'project_00000004.npz'}", *options) == 0
    pages = {"walk_00000004": (1, 3), "directions_00000004": (1, 7), "directions_00000004_2": (4, 7)}
    for page, (rows, columns) in {**pages, "project_00000004": (1, 6)}.items():
        found = cells(tmp_path / f"{page}.png", columns, 28)
        assert len(found) == rows and np.ptp(found) > 0
    capsys.readouterr()
    assert latent("mix", folder, *options) == 1 and latent("walk", folder, "--psi=0.5", *options) == 2
    none, no_styles = capsys.readouterr().err.splitlines()
    assert "has no layers of styles to mix, as a StyleGAN2 has" in none and "the generator has no styles" in no_styles


def test_they_work_on_a_stylegan2(trained, tmp_path):
    folder, out = trained("stylegan2_fashion_mnist"), f"--out={tmp_path}"
    assert latent("mix", folder, "--rows=2", "--columns=2", "--psi=0.5", out) == 0
    assert latent("directions", folder, "--directions=1", out) == 0
    page = cells(tmp_path / "mix_00000004.png", 3, 28)
    assert len(page) == 3 and np.all(page[0, 0] == 255) and np.ptp(page[1:]) > 0


@pytest.mark.parametrize("name", ["cgan_fashion_mnist", "stylegan2_fashion_mnist"])
def test_random_images_are_the_samples_of_the_seed(trained, name):
    run, state = library.opened(trained(name), {})
    run = run._replace(plan=planned(run.programs.method, {"truncation": 0.5}))
    space, rows = LatentSpace(run, state), run.asked(3, 5).rows
    images = space.render(space.style(space.draw(3, 5), rows), rows)
    (sampled,) = (each["image"] for each in run.samples(state, 3, SAMPLING, 5))
    assert np.abs(images.astype(int) - sampled).max() <= 1 and np.ptp(images) > 0


@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        (
            "vae_fashion_mnist",
            ["mix"],
            "vae has no generator of styles or noise, as gan has: take aigc_jax latent walk",
        ),
        ("vae_fashion_mnist", ["directions"], "vae has no generator"),
        ("vae_fashion_mnist", ["walk", "--psi=0.5"], '"sample.psi"'),
        ("", ["walk"], "There is no run in"),
    ],
)
def test_what_a_family_lacks_is_said_in_a_line(trained, tmp_path, capsys, name, arguments, said):
    folder = trained(name) if name else tmp_path
    capsys.readouterr()
    assert latent(arguments[0], folder, *arguments[1:]) in (1, 2)
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line
    assert not (tmp_path / "latent").exists()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("gpt_sentences", "These are tools for images, and the run is of texts"),
        ("gpt_fashion_mnist", "autoregressive has no walks"),
    ],
)
def test_so_is_what_has_no_walks(on_small_data, name, said):
    run = build(on_small_data(load_config(name, "tiny")))
    with pytest.raises(UserError, match=said):
        walks(run, run.programs.described, 1, 2, 0)


def test_an_image_of_another_size_is_cropped_and_resized(aigc_jax, capsys):
    Image.fromarray(np.full((20, 30, 3), 200, np.uint8)).save("large.png")
    assert aigc_jax("project", "R", "large.png", "--given=3", "--steps=2") == 0
    assert "large.png is 20 × 30: cropped and resized to 8 × 8" in capsys.readouterr().out
    page = cells("R/latent/project_00000000.png", 5)
    assert np.all(page[0, 0] == 200)


def test_lpips_is_a_distance_for_grey_images_too(monkeypatch):
    weights = jax.jit(lpips.Lpips("vgg").init)(jax.random.key(0), *jnp.zeros((2, 1, 16, 16, 3)))
    monkeypatch.setattr(lpips, "load", lambda kind, folder: (weights, ""))
    distance = DISTANCES["lpips_vgg"](16)
    one, other = jnp.asarray(np.random.RandomState(0).uniform(-1, 1, (2, 1, 16, 16, 1)), jnp.float32)
    found = jax.jit(distance.measure)(distance.weights, one, other)
    coloured = jax.jit(distance.measure)(distance.weights, one.repeat(3, -1), other.repeat(3, -1))
    assert found.shape == (1,) and found[0] > 0 and distance.name == "LPIPS-vgg"
    np.testing.assert_allclose(found, coloured, rtol=1e-5)
    assert jax.jit(distance.measure)(distance.weights, one, one)[0] == 0
