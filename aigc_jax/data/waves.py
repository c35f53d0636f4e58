"""Sounds in WAV files: one channel of samples in -1 … 1, at any rate, and at another one.

Read is what SciPy reads: PCM of 8 to 64 bits, and floating point. Several channels become their mean.
"""

import math
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy import signal
from scipy.io import wavfile

from aigc_jax.data.files import printable
from aigc_jax.errors import UserError, naming

RATES = (1_000, 1_000_000)  # samples a second: the least, and the most


class Wave(NamedTuple):
    """A sound."""

    samples: np.ndarray  # float32 [N]
    rate: int  # samples a second


def read(path: Path) -> Wave:
    """The sound in a file. Raises UserError where there is none, naming the file."""
    name = printable(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", wavfile.WavFileWarning)  # of parts beside the sound that it does not know
            warnings.filterwarnings("error", "Reached EOF", wavfile.WavFileWarning)
            rate, found = wavfile.read(path)
    except OSError as error:
        raise UserError(f"{name} cannot be read ({error.strerror}): check the path.") from error
    except Exception as error:  # whatever a damaged file makes of the reader
        said = str(error) or type(error).__name__
        raise UserError(f"{name} is damaged, or no WAV file ({said}): save it as WAV, of PCM.") from error
    if not found.size:
        raise UserError(f"{name} holds no sound: leave it out.")
    if not RATES[0] <= rate <= RATES[1]:
        raise UserError(f"{name} has {rate:,} samples a second: give a file of {RATES[0]:,} to {RATES[1]:,}.")
    samples = _scaled(found)
    if not np.isfinite(samples).all():
        raise UserError(f"{name} holds samples that are no numbers: leave it out.")
    return Wave((samples.mean(1) if samples.ndim > 1 else samples).astype(np.float32), rate)


def write(path: Path, wave: Wave) -> None:
    """Writes PCM of 16 bits. What is beyond -1 … 1 is cut."""
    with naming(path):
        wavfile.write(path, wave.rate, np.rint(np.clip(wave.samples, -1, 1) * 32_767).astype(np.int16))


def resampled(wave: Wave, rate: int) -> Wave:
    """The sound at another rate, without what is above half of the lower one."""
    if wave.rate == rate:
        return wave
    common = math.gcd(wave.rate, rate)
    samples = signal.resample_poly(wave.samples, rate // common, wave.rate // common)
    return Wave(samples.astype(np.float32), rate)


def _scaled(found: np.ndarray) -> np.ndarray:
    """In -1 … 1, float64."""
    if found.dtype.kind == "f":
        return found.astype(np.float64)
    most = 2.0 ** (8 * found.dtype.itemsize - 1)
    return found / most - (found.dtype.kind == "u")
