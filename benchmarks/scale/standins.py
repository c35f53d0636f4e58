"""Runs of the full configurations without their data: small random files of the same shapes stand in for it.

What is counted here (bytes of state, collectives, FLOPs) depends on the shapes of a batch and on the facts of a data
set (image shape, vocabulary, classes), never on the values.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax

from aigc_jax.build import build
from aigc_jax.train.run import Run
from benchmarks import ours, standin

CONFIGS = sorted(path.stem for path in (ours.CHECKOUT / "configs").glob("*.py"))
CLASSES = 10  # of Fashion-MNIST
IDEOGRAPHS = range(0x4E00, 0x9F00)  # 20,736 characters: more than any vocabulary here asks for
LINE = 64  # characters of a stand-in text


def load_config(name: str, changes: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """configs/<name>.py in full size, with `changes` by dotted keys.

    What measures samples is switched off: it needs weights of feature extractors, and is no part of a step.
    """
    return ours.settings(name, {"evals": {}, "checkpoint.best": "", **(changes or {})})


def write_texts(folder: Path) -> Path:
    """Texts of so many different characters that the vocabulary gets the size that is asked for."""
    folder.mkdir(parents=True, exist_ok=True)
    for start in range(0, len(IDEOGRAPHS), LINE):
        text = "".join(map(chr, IDEOGRAPHS[start : start + LINE]))
        (folder / f"{start:05d}.txt").write_text(text, "utf-8")
    return folder


def small_data(section: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """The section `data` with files made in `folder` in place of those it names."""
    name = section["name"]
    if name == "idx":
        return {**section, "path": str(standin.idx(folder / "idx", CLASSES))}
    if name == "tang_poems":
        return {**section, "path": str(write_texts(folder / "texts"))}
    if name == "tfds":  # CIFAR-10, the one that a configuration names
        return standin.of_pictures(section, folder / "images")
    return dict(section)


def build_run(config: Mapping[str, Any], folder: Path, mesh: Mapping[str, int], devices: int | None = None) -> Run:
    """The run of a configuration on a mesh {axis: size, the rest 1}, its data replaced; nothing is trained.

    devices: how many of jax.devices(); None = all.
    """
    parallel = {"data": 1, "fsdp": 1, "tensor": 1, "compile": "jit", **mesh}
    changed = {**config, "data": small_data(config["data"], folder), "parallel": parallel}
    return build(changed, folder / "prepared", jax.devices()[:devices])
