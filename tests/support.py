"""Configurations and small files for tests."""

import atexit
import functools
import gzip
import importlib
import importlib.util
import json
import re
import shutil
import socket
import string
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
from PIL import Image, ImageFont

ROOT = Path(__file__).parent.parent
# A file that a page prints, for its reader to write.
PRINTED_FILE = re.compile(r'^```python title="(?P<path>[^"]+)"\n(?P<code>.*?)^```$', re.MULTILINE | re.DOTALL)
FILLS = {"noto": "#f80", "twemoji": "#fc4", "openmoji": "#fd0", "fluent": "#c0f"}  # of small emoji
LETTERS = string.ascii_letters + string.digits + string.punctuation
CONFIGS = sorted(path.stem for path in (ROOT / "configs").glob("*.py"))


def load_config(name: str, size: str = "full") -> dict[str, Any]:
    """configs/<name>.py as a plain dictionary."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "configs" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.get_config(size).to_dict()


def with_weights(config: dict[str, Any], twin: dict[str, Any]) -> dict[str, Any]:
    """A full configuration with its tiny twin's weights, wherever it leaves them to the command line or to a package.

    The twin's are untrained (`fresh:0`), and their sections name a small network; so does that of a network that is to
    be the weights'. A tokenizer that is to be theirs is the twin's.
    """
    frozen = {
        name: twin["frozen"][name] if (section["weights"] or "lpips:").startswith("lpips:") else section
        for name, section in config.get("frozen", {}).items()
    }
    networks = {
        name: {**section, "start": twin["networks"][name]["start"]} if section["start"] is None else section
        for name, section in config["networks"].items()
    }
    networks |= {name: twin["networks"][name] for name, section in networks.items() if not section["name"]}
    data = config["data"]
    if data.get("tokenizer", "").endswith(".start"):
        data = {**data, "tokenizer": twin["data"]["tokenizer"]}
    return {**config, "data": data, "networks": networks, **({"frozen": frozen} if frozen else {})}


@functools.cache
def _own_folder() -> Path:
    """A folder of this process, which goes with it."""
    folder = Path(tempfile.mkdtemp(prefix="aigc_jax_small_"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def small(data: dict[str, Any]) -> dict[str, Any]:
    """A configuration's section `data` on small files of the same shapes: `small/`."""
    if not (ROOT / "tests" / "small" / f"{data['name']}.py").is_file():
        return data
    return importlib.import_module(f"small.{data['name']}").section(data, _own_folder() / data["name"])


def on_small_data(config: dict[str, Any]) -> dict[str, Any]:
    """A configuration on small files."""
    return {**config, "data": small(config["data"])}


def write_idx(folder: Path, train: int = 48, test: int = 20, side: int = 28) -> Path:
    """A folder of small IDX files, as MNIST's are, with random pixels."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.RandomState(0)
    for split, count in (("train", train), ("t10k", test)):
        images = random.randint(0, 256, (count, side, side), np.uint8)
        header = b"".join(n.to_bytes(4, "big") for n in (2051, count, side, side))
        (folder / f"{split}-images-idx3-ubyte.gz").write_bytes(gzip.compress(header + images.tobytes(), mtime=0))
        labels = (np.arange(count) % 10).astype(np.uint8)
        header = b"".join(n.to_bytes(4, "big") for n in (2049, count))
        (folder / f"{split}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(header + labels.tobytes(), mtime=0))
    return folder


def write_images(folder: Path, count: int = 40, side: int = 32) -> Path:
    """A folder of small colour images in two classes, each with a train and a test split."""
    random = np.random.RandomState(0)
    for i in range(count):
        path = folder / ("test" if i % 4 == 0 else "train") / ("even" if i % 2 == 0 else "odd") / f"{i:03d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.randint(0, 256, (side, side, 3), np.uint8)).save(path)
    return folder


def write_emoji(folder: Path, count: int = 100) -> Path:
    """A folder node_modules with the packages of emoji: discs, of the same place and size in all styles."""
    from aigc_jax.data.emoji import STYLES  # brings TFDS

    random = np.random.RandomState(0)
    codes = [f"{0x1F300 + i:x}" for i in range(count)]
    discs = [f'cx="{x}" cy="{y}" r="{r}"' for x, y, r in random.randint(10, 22, (count, 3)) // [1, 1, 2]]
    for style, package in STYLES.items():
        fill = 'fill="none" stroke="black"' if style == "line" else f'fill="{FILLS[style]}"'
        icons = {f"disc-{code}": {"body": f"<circle {disc} {fill}/>"} for code, disc in zip(codes, discs, strict=True)}
        _write_json(folder / package.name / "icons.json", {"icons": icons, "width": 32, "height": 32})
        _write_json(folder / package.name / "chars.json", {code: f"disc-{code}" for code in codes})
    named = [
        {"hexcode": code.upper(), "label": f"disc {i}", "group": 0, "subgroup": i % 20} for i, code in enumerate(codes)
    ]
    _write_json(folder / "emojibase-data" / "en" / "data.json", named)
    chinese = [{**each, "label": f"第{i}个圆"} for i, each in enumerate(named)]
    _write_json(folder / "emojibase-data" / "zh" / "data.json", chinese)
    groups = {"groups": {"0": "discs", "2": "component"}, "subgroups": {str(i): f"discs-{i}" for i in range(20)}}
    _write_json(folder / "emojibase-data" / "meta" / "groups.json", groups)
    return folder


def write_fonts(folder: Path, names: Sequence[str] = ("one", "other")) -> list[Path]:
    """Files of these names with the font that Pillow brings, which has `LETTERS`."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{name}.ttf" for name in names]
    for path in paths:
        path.write_bytes(ImageFont.load_default(10).path.getvalue())
    return paths


def _write_json(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), "utf-8")


def write_texts(folder: Path, count: int = 120) -> Path:
    """A folder of short text files."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.RandomState(0)
    for i in range(count):
        text = "".join(random.choice(list("天地玄黃宇宙洪荒日月盈昃辰宿列張")) for _ in range(20))
        (folder / f"{i:03d}.txt").write_text(f"{text[:10]}，\n{text[10:]}。{i}\n", "utf-8")
    return folder


def same(one: Any, other: Any) -> bool:
    """Whether two trees hold the same numbers."""
    return all(np.array_equal(a, b) for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True))


def finite(tree: Any) -> bool:
    """Whether all of a tree's numbers are finite."""
    return all(np.all(np.isfinite(leaf)) for leaf in jax.tree.leaves(tree))


def free_port() -> int:
    """A port of this machine that nothing listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]
