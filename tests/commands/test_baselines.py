"""Baselines of pairs against their definitions."""

import numpy as np
import pytest
from PIL import Image
from printing import printing
from support import LETTERS, write_fonts

from aigc_jax import command
from aigc_jax.data.catalogue import default_data_dir
from aigc_jax.data.sets import digits
from aigc_jax.evaluate.__main__ import main
from aigc_jax.evaluate.judge import Judge


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    with printing(tmp_path_factory.mktemp("printed")) as write:
        yield write("docs/image-pairs.md")


def guarded(*arguments):
    return command.guarded(main, ["baselines", *map(str, arguments)])


def test_copies_and_means(files, tmp_path, capsys):
    """Of the coarse digits: the L1 distance of 8 test pairs, in 0 … 1."""
    changed = tmp_path / "l1.py"
    text = files["configs/pix2pix_digits.py"].read_text("utf-8")
    changed.write_text(text.replace("full=dict(", 'full=dict(evals=dict(pairs=dict(measures=("l1", "psnr"))),', 1))
    assert guarded(f"{changed}:tiny") == 0
    lines = capsys.readouterr().out.splitlines()
    titles = [line for line in lines if line.endswith(":")]
    assert titles == [f"pairs, {what}:" for what in ("a copy of coarse", "the mean image", "the mean colour")]
    found = [float(line.split()[1]) for line in lines if line.startswith("L1")]
    data = digits.load(data_dir=default_data_dir())
    train, test = (source[np.arange(len(source))]["image"].astype(float) for source in data.splits.values())
    test = test[:8]
    blocks = np.rint(test.reshape(8, 4, 2, 4, 2, 1).mean((2, 4))).repeat(2, 1).repeat(2, 2)
    image, colour = np.rint(train.mean(0)), np.rint(train.mean())
    expected = [np.abs(test - made).mean() / 255 for made in (blocks, image, colour)]
    assert found == pytest.approx(expected, rel=1e-4)
    assert expected[0] < expected[1] < expected[2]


def test_a_small_image_is_enlarged(tmp_path, capsys):
    """By repeated pixels, and by Pillow's bicubic filter: the L1 distance of 8 test digits, in 0 … 1."""
    file = tmp_path / "small.py"
    full = {"data.of": {"name": "digits"}, "evals.pairs.measures": ("l1",)}
    file.write_text(
        "from aigc_jax.experiments import Experiment\n"
        f"get_config = Experiment(start='sr_emoji', full={full}, tiny={{'evals.pairs.samples': 8}})\n"
    )
    assert guarded(f"{file}:tiny") == 0
    lines = capsys.readouterr().out.splitlines()
    titles = [line for line in lines if line.endswith(":")]
    assert titles[:2] == ["pairs, quarter with repeated pixels:", "pairs, quarter enlarged, bicubic:"]
    found = [float(line.split()[1]) for line in lines if line.startswith("L1")][:2]
    test = digits.load(data_dir=default_data_dir()).splits["test"][np.arange(8)]["image"].astype(float)
    blocks = np.rint(test.reshape(8, 2, 4, 2, 4).mean((2, 4)))
    smooth = [Image.fromarray(np.float32(each)).resize((8, 8), Image.Resampling.BICUBIC) for each in blocks]
    made = blocks.repeat(4, 1).repeat(4, 2), np.rint(np.stack(smooth)).clip(0, 255)
    assert found == pytest.approx([np.abs(test[..., 0] - each).mean() / 255 for each in made], rel=1e-3)


def test_what_the_images_show_is_told_to_the_measures(tmp_path, monkeypatch):
    """As measures of characters need it: each glyph's character."""
    fonts = tuple(map(str, write_fonts(tmp_path / "fonts")))
    data = dict(fonts=fonts, characters=LETTERS)
    file = tmp_path / "glyphs.py"
    fields = '"method.fields": ("one", "other")'
    file.write_text(
        "from aigc_jax.experiments import Experiment\n"
        f"get_config = Experiment(start='pix2pix_glyphs', full={{'data': {data}, {fields}}})\n"
    )
    seen = []
    monkeypatch.setattr(Judge, "look", lambda judge, rows: seen.append(set(rows)))
    monkeypatch.setattr(Judge, "figures", lambda *_: [])
    assert guarded(f"{file}:tiny") == 0
    assert seen == [{"other", "truth", "character"}] * 3


def test_a_configuration_without_pairs_is_refused(capsys):
    assert guarded("configs/ddpm_digits.py:tiny") == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "configs/ddpm_digits.py:tiny has no evaluation of pairs" in line
