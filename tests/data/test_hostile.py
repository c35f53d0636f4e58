"""Files made to break a reader: each is refused in one line that names it, runs nothing and takes little memory."""

import gzip
import pickle
import resource
import shutil
import struct
import time
import zlib

import numpy as np
import pytest
from PIL import Image
from support import load_config, write_idx

from aigc_jax.build import build
from aigc_jax.data import catalogue
from aigc_jax.data.store import cached
from aigc_jax.errors import UserError
from aigc_jax.train import loop, manifest
from aigc_jax.train.workdir import Workdir

PICTURE = np.random.RandomState(0).randint(0, 256, (32, 32, 3), np.uint8)


def encoded(kind, tmp_path):
    path = tmp_path / f"good.{kind}"
    Image.fromarray(PICTURE).save(path)
    return path.read_bytes()


def png(width, height, rows=b""):
    """A PNG that announces this size and holds these bytes."""

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


class Trap:
    """What a pickle of it would do when it is read."""

    def __reduce__(self):
        return (open, ("/tmp/aigc_jax_was_tricked", "w"))


IMAGES = {
    "empty.png": lambda t: b"",
    "text.png": lambda t: b"no image at all",
    "signature.png": lambda t: b"\x89PNG\r\n\x1a\n",
    "half.png": lambda t: encoded("png", t)[:1000],
    "header.png": lambda t: encoded("png", t)[:30],
    "checksum.png": lambda t: encoded("png", t).replace(b"IHDR", b"IHDX"),
    "bomb.png": lambda t: png(65535, 65535),
    "tall.png": lambda t: png(1, 2**31 - 1),
    "none.png": lambda t: png(0, 0),
    "short.png": lambda t: png(64, 64, b"\0" * 10),
    "pickle.png": lambda t: pickle.dumps(Trap()),
    "zip.png": lambda t: b"PK\x03\x04" + b"\0" * 100,
    "html.png": lambda t: b"<html><script>alert(1)</script></html>",
    "svg.png": lambda t: b"<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>",
    "half.jpg": lambda t: encoded("jpg", t)[:200],
    "header.jpg": lambda t: b"\xff\xd8\xff\xe0" + b"\0" * 20,
    "half.webp": lambda t: encoded("webp", t)[:100],
    "half.bmp": lambda t: encoded("bmp", t)[:100],
    "postscript.png": lambda t: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(x) run\n",
}


@pytest.mark.parametrize("name", IMAGES)
def test_images(tmp_path, name):
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / name).write_bytes(IMAGES[name](tmp_path))
    section = dict(name="image_folder", path=str(tmp_path / "images"), image_size=16, colour=True, augment=())
    refused(section, tmp_path, name)


def refused(section, tmp_path, name):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(UserError) as caught:
        catalogue.load(section, tmp_path / "prepared")
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300_000  # kilobytes


def header(magic, *sizes):
    return b"".join(n.to_bytes(4, "big") for n in (magic, *sizes))


TRAIN, LABELS = "train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"
IDX = {
    "empty": (TRAIN, b""),
    "no gzip": (TRAIN, b"\0" * 100),
    "magic": (TRAIN, gzip.compress(header(2052, 1, 28, 28) + b"\0" * 784)),
    "header": (TRAIN, gzip.compress(header(2051, 1))),
    "more than there is": (TRAIN, gzip.compress(header(2051, 2**32 - 1, 28, 28))),
    "less than there is": (TRAIN, gzip.compress(header(2051, 1, 28, 28) + b"\0" * 10_000_000)),
    "bomb": (LABELS, gzip.compress(header(2049, 8) + b"\0" * 200_000_000)),
    "cut": (TRAIN, gzip.compress(header(2051, 48, 28, 28) + b"\1" * 784 * 48)[:-20]),
    "checksum": (TRAIN, gzip.compress(header(2051, 48, 28, 28) + b"\1" * 784 * 48)[:-8] + b"\0" * 8),
    "labels for fewer": (LABELS, gzip.compress(header(2049, 3) + b"\0" * 3)),
    "pickle": (TRAIN, gzip.compress(pickle.dumps(Trap()))),
}


@pytest.mark.parametrize("name", IDX)
def test_idx_files(tmp_path, name):
    folder = write_idx(tmp_path / "idx")
    file, content = IDX[name]
    (folder / file).write_bytes(content)
    refused(dict(name="idx", path=str(folder), validation=0, pad=0, augment=()), tmp_path, file)


TEXTS = {
    "latin.txt": "é".encode("latin-1"),
    "gbk.txt": "春江花月夜".encode("gbk"),
    "utf16.txt": "春江花月夜".encode("utf-16")[:-1],
    "cut.txt": "春江".encode()[:-1],
    "surrogate.txt": b"\xed\xa0\x80",
    "pickle.txt": pickle.dumps(Trap(), protocol=4),
}
POEMS = {
    "poet.tang.0.json": b"[{",
    "poet.tang.1.json": b'{"title": 1}',
    "poet.tang.2.json": b'[{"title": "x", "paragraphs": 3}]',
    "poet.tang.3.json": b'["x"]',
    "poet.tang.4.json": b"[" * 100_000,
}


@pytest.mark.parametrize("name", [*TEXTS, *POEMS])
def test_texts(tmp_path, name):
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / name).write_bytes({**TEXTS, **POEMS}[name])
    refused(dict(name="tang_poems", path=str(tmp_path / "texts"), length=8, vocabulary_size=0), tmp_path, name)


def test_arrays_kept_on_disk_are_never_unpickled(tmp_path):
    (tmp_path / "arrays").mkdir()
    np.save(tmp_path / "arrays" / "x.npy", np.array([Trap()], dtype=object), allow_pickle=True)
    made = cached(tmp_path / "arrays", ["x"], lambda: {"x": np.arange(3)})
    np.testing.assert_array_equal(made["x"], np.arange(3))


@pytest.mark.parametrize(
    "content", ["", "[]", "3", '{"a": 1}', '{"../../x": {"bytes": 1, "sha256": "0"}}', "[" * 100_000]
)
def test_manifests(tmp_path, content):
    step = tmp_path / "1"
    step.mkdir()
    (step / "data").write_bytes(b"x")
    (step / manifest.NAME).write_text(content)
    assert manifest.fault(step)


@pytest.mark.parametrize(
    "name", ["config.json", "networks.json", "data.json", "metrics.jsonl", "time.jsonl", "left_out.json"]
)
@pytest.mark.parametrize("content", [b"", b"[", b"[]", b"3", b"\xff\xfe", b'{"step": "x"}', b'[{"batches": 1}]'])
def test_files_of_a_work_directory(finished, tmp_path, name, content):
    """Each ends a run with one line that names it, or does it no harm."""
    shutil.copytree(finished, tmp_path / "run")
    (tmp_path / "run" / name).write_bytes(content)
    try:
        loop.train(build(load_config("gpt_sentences", "tiny")), Workdir(tmp_path / "run"), time.time())
    except UserError as error:
        assert name in str(error) and "\n" not in str(error)
        assert (tmp_path / "run" / name).read_bytes() == content


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("finished") / "run"
    loop.train(build(load_config("gpt_sentences", "tiny")), Workdir(folder), time.time())
    return folder
