"""The commands of the documents do what the documents say, as they are written there.

Each page's are run in a fresh folder, one after the other, as a person does who reads the page from top to bottom. Long
trainings are their tiny twins. `as_written.py` says which commands are not run, and why.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import as_written
import numpy as np
import pytest
import tensorflow_datasets as tfds
from PIL import Image
from support import PRINTED_FILE, ROOT, write_texts

from aigc_jax.data import catalogue
from aigc_jax.data.grid import png

TINY = "python main.py --config=configs/{}.py:tiny --workdir=runs/{}"
UNPACK = "aigc_jax unpack runs/ddpm/samples/sample_00000004.npz samples/{}"
BEFORE = {  # what a page takes for done
    "docs/evaluation.md": [TINY.format("gpt_sentences", "a"), TINY.format("gpt_sentences", "b")],
    "docs/image-pairs.md": [TINY.format("cyclegan_digits", "cyclegan_digits")],
    "docs/preference.md": [
        TINY.format("ddpm_digits", "ddpm"),
        TINY.format("ddpm_digits", "ddpm") + " --mode=sample",
        *map(UNPACK.format, ("gan", "vae")),
    ],
    "docs/resuming.md": [TINY.format("gpt_sentences", "cifar")],
    "docs/utility.md": [TINY.format("cddpm_digits", "cddpm")],
}
READ = [page for page in as_written.PAGES if any(as_written.reason(c) is None for c in as_written.commands(page))]


def part_of(page):
    """The longer part of the suite that runs a page's commands: two have about half of them each."""
    return pytest.mark.long(part="documents") if page < "docs/m" else pytest.mark.long(part="pages")


@pytest.fixture(scope="module")
def furnished(tmp_path_factory):
    """A folder with a checkout, and with what the pages call FOLDER, REAL, MADE and so on; and its environment."""
    folder, apart = tmp_path_factory.mktemp("fresh"), tmp_path_factory.mktemp("apart")
    for name in ("main.py", "README.md", "README.zh-CN.md"):
        shutil.copy(ROOT / name, folder)
    for name in ("aigc_jax", "configs", "docs"):  # commands and their readers write there
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    digits = catalogue.load({"name": "digits"}, None).splits["train"][np.arange(300)]["image"]
    for number, name in enumerate(("REAL", "MADE", "TRAIN", "HELDOUT", "TARGETS")):
        (folder / name).mkdir()
        for i, image in enumerate(digits[60 * number : 60 * number + 60]):
            Image.fromarray(image[..., 0].repeat(2, 0).repeat(2, 1)).save(folder / name / f"{i:03d}.png")
    texts = [f"第{i}句话，春眠不觉晓。" for i in range(40)]
    for name in ("TRAINING.txt", "MADE.txt", "TRUTH.txt"):
        (folder / name).write_text("\n".join(texts), "utf-8")
    (folder / "MADE.jsonl").write_text("\n".join(json.dumps({"text": text}) for text in texts[::2]), "utf-8")
    write_texts(folder / "data" / "chinese-poetry")
    _cifar(folder / "FOLDER")
    _cifar(apart / "data")
    (apart / "bin").mkdir()
    for name, what in (("python", ""), ("aigc_jax", "-m aigc_jax")):
        file = apart / "bin" / name
        file.write_text(f'#!/bin/sh\nexec "{sys.executable}" {what} "$@"\n')
        file.chmod(0o755)
    environment = {
        **os.environ,
        "PATH": f"{apart / 'bin'}:{os.environ['PATH']}",
        "PYTHONPATH": "",  # what is in the folder is read
        "TFDS_DATA_DIR": str(apart / "data"),
        "JAX_PLATFORMS": "cpu",
        "JAX_NUM_CPU_DEVICES": "4",
    }
    return folder, environment


def _cifar(data_dir: Path) -> None:
    """CIFAR-10 as TFDS prepares it, of random pixels."""

    def rows(split: str, count: int):
        random = np.random.RandomState(count)
        for i in range(count):
            image = png(random.randint(0, 256, (32, 32, 3), np.uint8))
            yield f"{i}", {"image": image, "label": i % 10, "id": f"{split}_{i}"}

    tfds.disable_progress_bar()
    builder = tfds.builder("cifar10", data_dir=data_dir, file_format="array_record")
    builder._split_generators = lambda *_: {"train": rows("train", 40), "test": rows("test", 20)}
    builder.download_and_prepare()


def run(command: str, folder: Path, environment: dict[str, str]) -> str:
    done = subprocess.run(
        ["bash", "-c", command], cwd=folder, env=environment, capture_output=True, text=True, timeout=280
    )
    assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
    return done.stdout


@pytest.mark.parametrize(
    "page", [pytest.param(page, marks=(part_of(page), pytest.mark.xdist_group(page))) for page in READ]
)
def test_the_commands_of_a_page(page, furnished, tmp_path):
    source, environment = furnished
    folder = tmp_path / "checkout"
    shutil.copytree(source, folder, symlinks=True)
    for block in PRINTED_FILE.finditer((ROOT / page).read_text("utf-8")):
        path = folder / block["path"]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block["code"], "utf-8")
    for command in BEFORE.get(page, ()):
        run(command, folder, environment)
    for command in as_written.commands(page):
        if as_written.reason(command) is None:
            run(as_written.twin(command), folder, environment)
            if "--config=" in command and "main.py" in command and "--mode" not in command:
                assert "Nothing to train" in run(as_written.twin(command), folder, environment), "the same again"


def test_the_translation_has_the_same_commands():
    original, translation = (
        [as_written.bare(command) for command in as_written.commands(page)]
        for page in (as_written.ORIGINAL, as_written.TRANSLATION)
    )
    assert original == translation


def test_what_is_not_run_is_written_somewhere():
    every = [command for page in as_written.PAGES for command in as_written.commands(page)]
    for beginning in as_written.NOT_RUN:
        assert any(as_written.LONG.sub("aigc_jax", command).startswith(beginning) for command in every), (
            f"no page has a command {beginning}"
        )
