"""Sounds in files: every form of samples, channels, rates; and what is damaged, in one line."""

import struct

import numpy as np
import pytest
from scipy.io import wavfile

from aigc_jax.data.waves import Wave, read, resampled, write
from aigc_jax.errors import UserError

TIME = np.arange(4000) / 8000
SINE = (0.5 * np.sin(2 * np.pi * 440 * TIME)).astype(np.float32)


@pytest.mark.parametrize(
    ("dtype", "stored", "exact"),
    [
        (np.uint8, 128 + 127 * SINE, 2e-2),
        (np.int16, 32767 * SINE, 1e-4),
        (np.int32, (2**31 - 1) * SINE.astype(np.float64), 1e-6),
        (np.float32, SINE, 1e-7),
        (np.float64, SINE, 1e-7),
    ],
)
def test_samples_are_in_one_range_whatever_their_form(tmp_path, dtype, stored, exact):
    path = tmp_path / "a.wav"
    wavfile.write(path, 8000, np.asarray(stored).astype(dtype))
    found = read(path)
    assert found.rate == 8000 and found.samples.dtype == np.float32
    np.testing.assert_allclose(found.samples, SINE, atol=exact)


def test_24_bits(tmp_path):
    values = np.array([0, 1 << 22, -(1 << 23), (1 << 23) - 1])
    data = b"".join(int(value).to_bytes(3, "little", signed=True) for value in values)
    form = struct.pack("<HHIIHH", 1, 1, 8000, 24000, 3, 24)
    content = b"WAVEfmt " + struct.pack("<I", 16) + form + b"data" + struct.pack("<I", len(data)) + data
    (tmp_path / "a.wav").write_bytes(b"RIFF" + struct.pack("<I", len(content)) + content)
    np.testing.assert_allclose(read(tmp_path / "a.wav").samples, values / (1 << 23))


def test_channels_become_their_mean_and_written_is_read(tmp_path):
    wavfile.write(tmp_path / "two.wav", 8000, np.stack([SINE, 0 * SINE], 1))
    np.testing.assert_allclose(read(tmp_path / "two.wav").samples, SINE / 2, atol=1e-7)
    write(tmp_path / "one.wav", Wave(np.append(SINE, [2, -2]), 8000))
    found = read(tmp_path / "one.wav").samples
    np.testing.assert_allclose(found[:-2], SINE, atol=1e-4)
    np.testing.assert_allclose(found[-2:], [1, -1], atol=1e-4)


def test_another_rate_keeps_what_both_can_have():
    for rate in (16_000, 11_025, 4_000):
        found = resampled(Wave(SINE, 8000), rate)
        expected = 0.5 * np.sin(2 * np.pi * 440 * np.arange(len(found.samples)) / rate)
        assert abs(len(found.samples) - rate / 2) <= 1 and found.rate == rate
        inside = slice(rate // 50, -rate // 50)
        np.testing.assert_allclose(found.samples[inside], expected[inside], atol=5e-3)
    high = resampled(Wave(np.sin(2 * np.pi * 3000 * TIME).astype(np.float32), 8000), 4000).samples
    assert np.abs(high[100:-100]).max() < 0.01  # 3 kHz has no place in it


def test_what_is_no_sound_is_told_in_a_line(tmp_path):
    path = tmp_path / "a.wav"

    def refused(content, said):
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            wavfile.write(path, 8000, content)
        with pytest.raises(UserError, match=said) as caught:
            read(path)
        assert "a.wav" in str(caught.value) and "\n" not in str(caught.value)

    refused(b"", "is damaged, or no WAV file")
    refused(b"ID3 and so on", "is damaged, or no WAV file")
    refused(SINE[:0], "holds no sound")
    refused(np.array([0, np.nan], np.float32), "holds samples that are no numbers")
    write(path, Wave(SINE, 8000))
    whole = path.read_bytes()
    for size in (20, 43, 44, len(whole) // 2):
        refused(whole[:size], "is damaged, or no WAV file|holds no sound")
    write(path, Wave(SINE, 100))
    refused(path.read_bytes(), "has 100 samples a second")
    with pytest.raises(UserError, match=r"b\.wav cannot be read \(No such file"):
        read(tmp_path / "b.wav")
