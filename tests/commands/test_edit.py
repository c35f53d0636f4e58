"""`aigc_jax edit` and `Model.edit` with the best denoiser of normal data: what is known stays, the rest is sampled."""

import copy
import functools
import re
import time

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from PIL import Image
from support import load_config, on_small_data

import aigc_jax
from aigc_jax import command, console, library
from aigc_jax.build import build, planned
from aigc_jax.editing import Editor
from aigc_jax.errors import ConfigError, UserError
from aigc_jax.learner import Learner
from aigc_jax.method import Codec
from aigc_jax.methods.diffusion import diffusion
from aigc_jax.train.programs import Programs

HALF = np.repeat([[False], [True]], 4, axis=0).repeat(8, axis=1)  # the lower half is to be filled
STD = 0.3  # of the data; their mean is 0, or a tenth of the label


class Known(nn.Module):
    """E[ε - x_0 | x_t] of the process "flow", times a weight that is 1."""

    reads: tuple[str, ...] = ()

    @nn.compact
    def __call__(self, x, t, given=None, kept=None, *, train):
        t = t[:, None, None, None] / 1000
        mean = given["label"][:, None, None, None] / 10 if self.reads else 0.0
        expected = mean + (1 - t) * STD**2 / ((1 - t) ** 2 * STD**2 + t**2) * (x - (1 - t) * mean)
        return self.param("weight", nn.initializers.ones, ()) * (x - expected) / t


@functools.cache
def made_of(name, pad=0):
    """(run, state) of a configuration's tiny twin on small data, with that network. pad: of images."""
    config = on_small_data(load_config(name, "tiny"))
    run = build({**config, "data": {**config["data"], "pad": pad}} if pad else config)
    reads = ("label",) if run.reads else ()
    learner = Learner("net", Known(reads), optax.adam(1e-2), {}, 1)
    method = diffusion(
        {"net": learner}, schedule="flow", prediction="flow", clip=False, bound_terms=2, drop=0.0,
        shape=run.data.made.facts["shape"], levels=256, frozen={},
    )  # fmt: skip
    old = run.programs
    size = run.data.made.size
    example = {"image": jax.ShapeDtypeStruct((8, *size), np.uint8), "label": jax.ShapeDtypeStruct((8,), jnp.int32)}
    programs = Programs(method, old.codec, run.data, old.layout, example, (), 0, {}, 0.0)
    sample = {**run.config["sample"], "sampler": "heun", "steps": 10, "spacing": "uniform", "given": ""}
    sample.pop("eta", None)
    run = run._replace(programs=programs, reads=reads, config={**run.config, "sample": sample})
    run = run._replace(sampling=run.sampling._replace(given=""), plan=planned(method, sample))
    return run, programs.init()


@pytest.fixture(scope="module")
def stand_in():
    return made_of("flow_digits")


@pytest.fixture(scope="module")
def digits(stand_in):
    """uint8 [3, 8, 8, 1]."""
    return stand_in[0].data.splits["test"].arrays["image"][:3]


@pytest.fixture
def model(stand_in, monkeypatch):
    monkeypatch.setattr(library, "opened", lambda folder, settings: stand_in)
    return aigc_jax.load("R")


@pytest.fixture
def edit(stand_in, digits, monkeypatch, tmp_path):
    """A function: the arguments of `aigc_jax edit` -> its exit code, with the stand-in as the run R."""

    def opened(folder, settings):
        return stand_in[0].given(settings.get("sample.given", "")), stand_in[1]

    def act(*arguments):
        return command.guarded(lambda argv: console.main(argv, time.time()), ["aigc_jax", "edit", "R", *arguments])

    monkeypatch.setattr(library, "opened", opened)
    monkeypatch.chdir(tmp_path)
    for number, image in enumerate(digits):
        Image.fromarray(image[..., 0]).save(f"{number}.png")
    Image.fromarray(HALF.astype(np.uint8) * 255).save("mask.png")
    Image.fromarray(np.zeros((5, 8), np.uint8)).save("low.png")
    return act


def page(path, columns):
    """The images of a page, as they were before they were enlarged eightfold: uint8 [rows, columns, 8, 8]."""
    pixels = np.asarray(Image.open(path))[2:, 2:]
    rows = pixels.shape[0] // 66
    cells = pixels[: rows * 66, : columns * 66].reshape(rows, 66, columns, 66).swapaxes(1, 2)
    return cells[:, :, :64:8, :64:8]


def test_known_pixels_stay_and_the_others_are_filled(edit, digits, capsys):
    assert edit("0.png", "1.png", "2.png", "--task=inpaint", "--mask=mask.png", "--steps=4") == 0
    files = [f"R/edits/inpaint_00000000{ending}" for ending in (".000.png", ".001.png", ".002.png", ".png")]
    assert [re.sub(".*/R/", "R/", line) for line in capsys.readouterr().out.split()] == files
    found = page(files[-1], 3)
    np.testing.assert_array_equal(found[:, 0], digits[..., 0])
    np.testing.assert_array_equal(found[:, 1:, ~HALF], found[:, :1, ~HALF].repeat(2, 1))
    assert np.all(found[:, 1, HALF] == 128) and np.all(np.any(found[:, 2, HALF] != found[:, 0, HALF], axis=1))
    results = [np.asarray(Image.open(file)) for file in files[:3]]
    np.testing.assert_array_equal(results, found[:, 2])
    assert edit("0.png", "--task=inpaint", "--mask=mask.png", "--steps=4", "--seed=1", "--out=other") == 0
    other = np.asarray(Image.open("other/inpaint_00000000.000.png"))
    assert np.any(other != results[0]), "another seed fills otherwise"


def test_what_was_enlarged_is_as_large_images_are_when_they_are_made_small(edit, digits):
    """From the large image, or from the small one as a file: 8 bits of each."""
    small = digits[0, ..., 0].reshape(4, 2, 4, 2).mean((1, 3))
    Image.fromarray(np.rint(small).astype(np.uint8)).save("small.png")
    assert edit("0.png", "--task=superres", "--steps=4") == 0
    assert edit("small.png", "--task=superres", "--steps=4", "--damaged", "--out=S") == 0
    for file in ("R/edits/superres_00000000.000.png", "S/superres_00000000.000.png"):
        found = np.asarray(Image.open(file)).reshape(4, 2, 4, 2).swapaxes(1, 2)
        inside = np.all((found > 0) & (found < 255), axis=(2, 3))  # nothing of these was clipped
        assert inside.sum() > 2 and np.abs(found.mean((2, 3)) - small)[inside].max() <= 1
        assert found.std((2, 3)).max() > 5


def test_a_blurred_image_is_made_sharp(edit, digits):
    """Of a blur that leaves at least a fifth of each frequency, so that all of them are known."""
    pale = digits[0, ..., 0] // 2 + 64
    Image.fromarray(pale).save("pale.png")
    assert edit("pale.png", "--task=deblur", "--blur=0.4") == 0
    before, seen, after = page("R/edits/deblur_00000000.png", 3)[0].astype(float)
    np.testing.assert_array_equal(before, pale)
    assert np.ptp(seen) < np.ptp(before) and abs(seen.mean() - before.mean()) < 1
    assert np.abs(after - before).max() < 0.2 * np.abs(seen - before).max()
    Image.fromarray(seen.astype(np.uint8)).save("blurred.png")
    assert edit("blurred.png", "--task=deblur", "--blur=0.4", "--damaged", "--out=S") == 0
    again = page("S/deblur_00000000.png", 2)[0].astype(float)
    np.testing.assert_array_equal(again[0], seen)
    assert np.abs(again[1] - before).max() < 0.3 * np.abs(seen - before).max()


def test_a_variation_begins_at_the_image_and_ends_at_samples(model, digits):
    np.testing.assert_array_equal(model.edit(digits, "sdedit", strength=0.0), digits)
    whole = model.edit(digits, "sdedit", strength=1.0, seed=7, steps=3)
    np.testing.assert_array_equal(whole, model.sample(3, seed=7, steps=3))
    some = model.edit(digits, "sdedit", strength=0.3, seed=7, steps=10)
    away = [np.abs(each.astype(float) - digits).mean() for each in (some, whole)]
    assert 1 < away[0] < away[1]
    np.testing.assert_array_equal(model.edit(digits[:1], "sdedit", strength=0.3, seed=7, steps=10), some[:1])


def test_there_and_back_and_between(edit, digits, capsys):
    assert edit("0.png", "1.png", "--task=invert", "--steps=30") == 0
    decibels = [float(each) for each in re.findall(r"PSNR ([\d.]+|inf) dB", capsys.readouterr().out)]
    assert len(decibels) == 2 and min(decibels) > 35
    with np.load("R/edits/invert_00000000.npz") as file:
        noise = file["noise"]
    assert noise.shape == (2, 8, 8, 1) and noise.dtype == np.float32
    assert edit("0.png", "1.png", "2.png", "--task=interpolate", "--frames=4", "--steps=30") == 0
    found = page("R/edits/interpolate_00000000.png", 4).astype(float)
    wanted = digits[..., 0].astype(float)
    assert np.abs(found[:, 0] - wanted[:2]).mean() < 3 and np.abs(found[:, -1] - wanted[1:]).mean() < 3
    assert np.abs(found[:, 1] - found[:, 0]).mean() > 3


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["0.png", "--task=inpaint"], "inpaint needs a mask: --mask=FILE"),
        (["0.png", "--task=inpaint", "--mask=low.png"], "The mask has to be 8 × 8, and is 5 × 8."),
        (["0.png", "low.png", "--task=sdedit"], "low.png is 5 × 8 in grey, and has to be 8 × 8 in grey."),
        (["none.png", "--task=sdedit"], "There is no image none.png"),
        (["0.png", "--task=superres", "--factor=3"], "factor is 3, and has to divide the run's 8 × 8."),
        (["0.png", "--task=superres", "--factor=0"], "factor is 0, and has to be at least 1."),
        (["0.png", "--task=superres", "--damaged"], "0.png is 8 × 8 in grey, and has to be 4 × 4 in grey."),
        (["0.png", "--task=sdedit", "--strength=2"], "strength is 2.0, and has to be 0 to 1."),
        (["0.png", "--task=sdedit", "--factor=2"], "sdedit has no use for factor: it reads strength."),
        (["0.png", "--task=invert", "--guidance=2"], "invert follows the probability flow, which has no guidance"),
        (["0.png", "--task=sdedit", "--guidance=2"], '"sample.guidance" is 2.0, and the model has not learned'),
        (["0.png", "--task=invert", "--steps=1"], '"steps" is 1, and from data to noise it is 2 to 1024.'),
        (["0.png", "--task=interpolate"], "interpolate needs two images or more."),
        (["0.png", "--task=colourise"], "colourise needs a run of colour images"),
        (["0.png", "--task=cut"], "invalid choice"),
        (["0.png", "--task=sdedit", "--seed=-1"], "--seed is -1"),
        (["0.png", "--task=sdedit", "--given=3"], 'This model is given nothing, such as "3"'),
    ],
)
def test_what_does_not_fit_is_said_in_a_line(edit, tmp_path, capsys, arguments, said):
    assert edit(*arguments) in (1, 2)
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line
    assert not (tmp_path / "R").exists()


def test_so_it_is_in_python(model, digits):
    with pytest.raises(UserError, match=r'no task "cut": there are inpaint'):
        model.edit(digits, "cut")
    with pytest.raises(UserError, match=r"Images are uint8 \[n, H, W, C\], and these are float64 \[3, 8, 8, 1\]"):
        model.edit(digits / 255, "sdedit")
    with pytest.raises(ConfigError, match='"sample.step"'):
        model.edit(digits, "sdedit", step=3)
    with pytest.raises(UserError, match="mask"):
        model.edit(digits, "inpaint")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("vae_fashion_mnist", "Only a run of diffusion edits images, and this one is of vae"),
        ("gan_points", "These are tools for images, and the run is of points"),
    ],
)
def test_so_is_a_run_that_cannot(name, said):
    run = build(on_small_data(load_config(name, "tiny")))
    with pytest.raises(UserError, match=said):
        Editor(run, run.programs.described)


def test_colours_have_the_grey_that_was_seen():
    editor = Editor(*made_of("flow_cifar"))
    coloured = np.random.RandomState(0).randint(100, 150, (2, 32, 32, 3), np.uint8)
    found = editor.edit(coloured, "colourise", {}, 0, {})
    grey = [np.asarray(Image.fromarray(image).convert("L"), int) for image in coloured]
    assert np.abs(found.damaged - np.stack(grey)[..., None]).max() <= 1
    after = [np.asarray(Image.fromarray(image).convert("L"), int) for image in found.after]
    inside = np.all((found.after > 0) & (found.after < 255), axis=-1)  # blue counts little, and was clipped at times
    assert inside.mean() > 0.9 and np.abs(np.stack(after) - grey)[inside].max() <= 1
    assert found.after.std(axis=-1).mean() > 10, "coloured"
    with pytest.raises(UserError, match="8 × 8 in grey, and are 32 × 32 in colour"):
        Editor(*made_of("flow_digits")).edit(coloured, "sdedit", {}, 0, {})


def test_black_around_images_is_known_and_left_out():
    editor = Editor(*made_of("flow_fashion_mnist", pad=2))
    image = np.random.RandomState(0).randint(0, 256, (1, 28, 28, 1), np.uint8)
    found = editor.edit(image, "superres", {"factor": 14}, 0, {})
    means = image.reshape(2, 14, 2, 14).mean((1, 3))
    assert found.after.shape == image.shape
    assert np.abs(found.after.reshape(2, 14, 2, 14).mean((1, 3)) - means).max() <= 1


def test_what_images_are_generated_from_is_asked_for(digits):
    run, state = made_of("cddpm_digits")
    with pytest.raises(UserError, match="Images are generated from their label: say it with given"):
        Editor(run, state).edit(digits, "sdedit", {}, 0, {})
    found = [
        Editor(run.given(label), state).edit(digits, "inpaint", {"mask": HALF}, 0, {}).after for label in ("1", "5")
    ]
    np.testing.assert_array_equal(found[0][:, ~HALF], digits[:, ~HALF])
    apart = found[1][:, HALF].astype(float) - found[0][:, HALF]
    assert abs(np.median(apart) - 0.4 * 127.5) < 2, "the means of the classes are 0.1 and 0.5"


def test_latents_are_varied_and_pixels_alone_are_seen(stand_in, digits):
    """A codec that turns black into white: each way has to go through it once."""
    run, state = stand_in
    programs = copy.copy(run.programs)
    turned = Codec(programs.codec.facts, lambda key, frozen, x: -x, lambda frozen, x: -x)
    programs.codec = turned
    other = run._replace(programs=programs, config={**run.config, "codec": {"name": "turned"}})
    editor = Editor(other, state)
    np.testing.assert_array_equal(editor.edit(digits, "sdedit", {"strength": 0.0}, 0, {}).after, digits)
    back = editor.edit(digits, "invert", {}, 0, {"steps": 30})
    assert np.abs(back.after.astype(float) - digits).mean() < 3
    straight = Editor(run, state).edit(255 - digits, "invert", {}, 0, {"steps": 30})
    np.testing.assert_allclose(back.noise, straight.noise, atol=1e-4)
    with pytest.raises(UserError, match="deblur works on pixels, and the network of this run on a codec's"):
        editor.edit(digits, "deblur", {}, 0, {})
