"""Files that PyTorch wrote are read without it, and nothing in a file is executed.

files/plain.pth and files/zipped.pth hold the same tensors, as torch.save of PyTorch 2.13.0 writes its two formats.
"""

import io
import os
import pickle
import zipfile

import numpy as np
import pytest
from state_dictionaries import FILES

from aigc_jax.errors import UserError
from aigc_jax.metrics.features import state

PLAIN, ZIPPED = FILES / "plain.pth", FILES / "zipped.pth"
EXPECTED = {
    "weight": np.float32([[0, 3], [1, 4], [2, 5]]),
    "tail": np.float32([2, 3, 4]),
    "bias": np.float64([1.5, -2]),
    "half": np.float16([[0.5]]),
    "flags": np.array([True, False]),
    "none": np.zeros((0, 3), np.float32),
    "count": np.int64(7),
    "learned": np.ones(2, np.float32),
}
HEAD = b"".join(pickle.dumps(value, 2) for value in (state.MAGIC, 1001, {"little_endian": True}))


def refused(path, content):
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"is no state dictionary of PyTorch, or it is damaged: .") as caught:
        state.load(path)
    return str(caught.value)


def archived(described, compression=zipfile.ZIP_STORED):
    """zipped.pth, with what becomes of its pickle."""
    stream = io.BytesIO()
    with zipfile.ZipFile(ZIPPED) as old, zipfile.ZipFile(stream, "w", compression) as new:
        for name in old.namelist():
            new.writestr(name, described(old.read(name)) if name.endswith("/data.pkl") else old.read(name))
    return stream.getvalue()


@pytest.mark.parametrize("path", [PLAIN, ZIPPED], ids=lambda path: path.stem)
def test_what_pytorch_wrote(path):
    found = state.load(path)
    assert list(found) == list(EXPECTED)
    for name, array in EXPECTED.items():
        assert found[name].dtype == array.dtype and found[name].shape == array.shape
        np.testing.assert_array_equal(found[name], array)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_call_is_refused_by_name(tmp_path, protocol):
    class Hostile:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "done"),)

    described = pickle.dumps({"weight": Hostile()}, protocol)
    for content in (HEAD + described, archived(lambda _: described)):
        line = refused(tmp_path / "a.pth", content)
        assert protocol < 2 or f'names "{os.mkdir.__module__} mkdir", which no state dictionary does' in line
    assert not (tmp_path / "done").exists()


@pytest.mark.parametrize(
    "described", [b"\x80\x02cnumpy\nload\n.", b"(S'x'\nios\nsystem\n.", b"\x80\x02\x82\x01.", b"\x80\x02]C\x01a\x81."]
)
def test_other_ways_to_call(tmp_path, described):
    refused(tmp_path / "a.pth", HEAD + described)
    refused(tmp_path / "a.pth", archived(lambda _: described))


@pytest.mark.parametrize(
    "told, lie",
    [
        (b"K\x03K\x02\x86", b"K\x7fK\x7f\x86"),  # a shape
        (b"K\x01K\x03\x86", b"K\x7fK\x03\x86"),  # strides
        (b"QK\x02K\x03\x85", b"QK\x7fK\x03\x85"),  # an offset
        (b"K\x06", b"K\x07"),  # the numbers of a storage
        (b"FloatStorage", b"QIntStorage\0"),
    ],
)
def test_sizes_that_lie(tmp_path, told, lie):
    plain = PLAIN.read_bytes()
    assert told in plain
    refused(tmp_path / "a.pth", plain.replace(told, lie))
    refused(tmp_path / "a.pth", archived(lambda described: described.replace(told, lie)))


def test_an_archive_does_not_grow(tmp_path):
    compressed = archived(lambda described: described, zipfile.ZIP_DEFLATED)
    assert "would grow" in refused(tmp_path / "a.pth", compressed)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("a/data.pkl", b"")
        archive.infolist()[0].file_size = 2**31  # as its directory will say
    assert "would grow" in refused(tmp_path / "a.pth", stream.getvalue())


def test_parts_of_a_file(tmp_path):
    for path in (PLAIN, ZIPPED):
        whole = path.read_bytes()
        for length in range(0, len(whole), 7):
            refused(tmp_path / "a.pth", whole[:length])
    refused(tmp_path / "a.pth", b"GIF89a")


def test_what_holds_no_tensors(tmp_path):
    assert "no tensor" in refused(tmp_path / "a.pth", archived(lambda _: pickle.dumps({"epoch": 3}, 2)))
    refused(tmp_path / "a.pth", archived(lambda _: pickle.dumps([1, 2], 2)))
    refused(tmp_path / "a.pth", HEAD + pickle.dumps({"epoch": 3}, 2) + pickle.dumps([], 2))
