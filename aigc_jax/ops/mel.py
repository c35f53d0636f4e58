"""Log-mel spectrograms of speech, as Whisper reads them (Radford et al. 2022, arXiv:2212.04356, section 2.2).

16 kHz; windows of 25 ms every 10 ms; 80 filters, which are triangles over frequency of equal area, spaced evenly on the
mel scale of Slaney's Auditory Toolbox (1998): linear below 1 kHz, logarithmic above. Of their energies log10 is taken,
what lies 8 below the largest of a clip is raised to that, and the whole is scaled to about -1 … 1.
"""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np

RATE = 16_000  # samples a second
WINDOW = 400  # samples: 25 ms
HOP = 160  # samples from window to window: 10 ms
FILTERS = 80
SMALLEST = 1e-10  # energy
RANGE = 8.0  # powers of ten below the largest energy of a clip
LINEAR_HZ, LINEAR_MELS = 1000.0, 15.0  # up to which mels are linear
STEP = math.log(6.4) / 27  # of the logarithm of frequency a mel, above


def hertz(mels: np.ndarray) -> np.ndarray:
    """The frequencies of mels on Slaney's scale, float64 of the same shape."""
    above = LINEAR_HZ * np.exp(STEP * (np.maximum(mels, LINEAR_MELS) - LINEAR_MELS))
    return np.where(mels < LINEAR_MELS, mels * (LINEAR_HZ / LINEAR_MELS), above)


def mels(hertz: np.ndarray) -> np.ndarray:
    """The inverse of `hertz`."""
    above = LINEAR_MELS + np.log(np.maximum(hertz, LINEAR_HZ) / LINEAR_HZ) / STEP
    return np.where(hertz < LINEAR_HZ, hertz * (LINEAR_MELS / LINEAR_HZ), above)


@functools.cache
def mel_filters(filters: int = FILTERS, window: int = WINDOW, rate: int = RATE) -> np.ndarray:
    """The weight of each frequency of a window in each filter, float32 [window / 2 + 1, filters].

    Filter i is a triangle from corner i over corner i + 1 to corner i + 2 of filters + 2 corners from 0 to half the
    rate, and has area 1 over frequency in hertz.
    """
    frequencies = np.fft.rfftfreq(window, 1 / rate)[:, None]
    corners = hertz(np.linspace(0, mels(np.array(rate / 2)), filters + 2))
    low, middle, high = corners[:-2], corners[1:-1], corners[2:]
    up, down = (frequencies - low) / (middle - low), (high - frequencies) / (high - middle)
    return (np.maximum(0, np.minimum(up, down)) * 2 / (high - low)).astype(np.float32)


def power_spectrogram(samples: jax.Array, window: int = WINDOW, hop: int = HOP) -> jax.Array:
    """|Fourier transform|² of windows of samples [B, N], N > window / 2: float32 [B, N // hop, window / 2 + 1].

    Window i is a Hann window around sample i hop; before the first and behind the last sample the clip is mirrored.
    """
    half = window // 2
    padded = jnp.pad(samples, ((0, 0), (half, half)), mode="reflect")
    starts = hop * np.arange(samples.shape[1] // hop)
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)
    frames = padded[:, starts[:, None] + np.arange(window)] * hann.astype(np.float32)
    return jnp.square(jnp.abs(jnp.fft.rfft(frames)))


def log_mel(samples: jax.Array, filters: int = FILTERS) -> jax.Array:
    """What Whisper reads of clips float32 [B, N] in -1 … 1 at `RATE`, N > 200: float32 [B, N // HOP, filters]."""
    energies = power_spectrogram(samples) @ mel_filters(filters)
    logs = jnp.log10(jnp.maximum(energies, SMALLEST))
    return (jnp.maximum(logs, jnp.max(logs, (1, 2), keepdims=True) - RANGE) + 4) / 4
