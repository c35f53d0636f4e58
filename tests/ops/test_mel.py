"""Log-mel spectrograms: filters by the definition of their scale, where a sine's energy goes, what loudness does."""

import numpy as np
import pytest

from aigc_jax.ops.mel import HOP, RATE, hertz, log_mel, mel_filters, mels, power_spectrogram
from aigc_jax.ops.platform import run_once

TIME = np.arange(RATE // 2) / RATE
NOISE = np.random.default_rng(0).normal(size=(2, len(TIME))).astype(np.float32)


@pytest.fixture(scope="module")
def program():
    return run_once(log_mel)


def test_the_scale_is_linear_below_1_khz_and_logarithmic_above():
    """Slaney 1998: 200 / 3 Hz a mel up to mel 15, and 27 mels from there to 6.4 kHz."""
    np.testing.assert_allclose(hertz(np.array([0.0, 3.0, 15.0, 42.0])), [0, 200, 1000, 6400])
    line = np.linspace(0, 50, 101)
    np.testing.assert_allclose(mels(hertz(line)), line)


def test_filters_are_triangles_of_area_1_that_follow_each_other():
    """At a fine resolution, since those of a window of 25 ms may lie between two frequencies."""
    fine = 1 << 16
    filters = mel_filters(80, fine)
    np.testing.assert_allclose(filters.sum(0) * RATE / fine, 1, rtol=1e-3)
    corners = hertz(np.linspace(0, mels(np.array(RATE / 2)), 82))
    np.testing.assert_allclose(filters.argmax(0) * RATE / fine, corners[1:-1], atol=RATE / fine)
    inside = np.fft.rfftfreq(fine, 1 / RATE)
    within = (inside > corners[1]) & (inside < corners[-2])
    heights = filters / filters.max(0)
    np.testing.assert_allclose(heights[within].sum(1), 1, atol=2e-2)  # neighbours cross where both are half as high


@pytest.mark.parametrize("filter_", [5, 30, 60])
def test_a_sine_is_loudest_in_its_own_filter(program, filter_):
    frequency = hertz(np.linspace(0, mels(np.array(RATE / 2)), 82))[filter_ + 1]
    sine = np.sin(2 * np.pi * frequency * TIME).astype(np.float32)
    found = np.asarray(program(np.stack([sine, sine])))
    assert found.shape == (2, len(TIME) // HOP, 80)
    assert (found[0, 2:-2].argmax(-1) == filter_).all()


def test_the_energy_of_a_window_is_that_of_its_samples():
    """Parseval: all frequencies together, those between the ends twice."""
    spectrum = np.asarray(run_once(power_spectrogram)(NOISE))
    energy = (2 * spectrum.sum(-1) - spectrum[..., 0] - spectrum[..., -1]) / 400
    hann = np.sin(np.pi * np.arange(400) / 400) ** 2
    for frame in (2, 17, 40):
        window = NOISE[:, HOP * frame - 200 : HOP * frame + 200] * hann
        np.testing.assert_allclose(energy[:, frame], np.square(window).sum(-1), rtol=1e-4)


def test_twice_as_loud_is_a_shift_and_silence_is_flat(program):
    found, louder = (np.asarray(program(scale * NOISE)) for scale in (0.1, 0.2))
    np.testing.assert_allclose(louder - found, np.log10(4) / 4, atol=1e-4)
    np.testing.assert_allclose(program(0 * NOISE), (np.log10(1e-10) + 4) / 4)
    for clip in np.asarray(program(np.where(TIME < 0.25, NOISE, 0))):
        assert np.ptp(clip) == pytest.approx(2)  # 8 powers of ten, over 4
